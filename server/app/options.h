// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The daemon's command line, merged over the daemon section of the configuration file.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/base/status.h"
#include "server/config/model.h"

namespace probed::app {

struct Options {
  std::string config_path;  // empty: no file
  std::string state_dir;    // empty: nothing is stored
  config::Daemon daemon;
  std::optional<config::State> state;  // of the file
};

/// What the process is to do after parsing: run, or exit with a code (help, version, wrong usage).
struct ParsedOptions {
  std::optional<Options> options;
  int exit_code = 0;
};

/// Prints usage errors and help itself. A file that cannot be read or has errors is an error of the status.
Result<ParsedOptions> ParseOptions(int argc, char** argv);

}  // namespace probed::app
