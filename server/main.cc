// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// flags → App → run.
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>

#include "server/app/app.h"
#include "server/base/error_details.h"

namespace {

void PrintError(const probed::Status& status) {
  std::fprintf(stderr, "probed: %s\n", std::string(probed::Message(status)).c_str());
  for (const probed::FieldViolation& field : probed::GetErrorDetails(status).fields)
    std::fprintf(stderr, "  %s: %s\n", field.path.c_str(), field.description.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  probed::Result<probed::app::ParsedOptions> parsed = probed::app::ParseOptions(argc, argv);
  if (!parsed.ok()) {
    PrintError(parsed.status());
    return 2;
  }
  if (!parsed->options) return parsed->exit_code;
  spdlog::set_default_logger(spdlog::stderr_logger_mt("probed"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e%z level=%l msg=\"%v\"");
  spdlog::set_level(spdlog::level::from_str(parsed->options->daemon.log_level));
  probed::app::App app(std::move(*parsed->options));
  if (const probed::Status status = app.Start(); !status.ok()) {
    PrintError(status);
    return 1;
  }
  app.Run();
  app.Stop();
  return 0;
}
