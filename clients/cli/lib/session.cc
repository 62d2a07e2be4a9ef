// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/lib/session.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <ostream>
#include <random>

#include "clients/cli/lib/errors.h"
#include "clients/cli/lib/escape.h"

namespace probed::cli {
namespace {

constexpr std::chrono::seconds kDefaultTimeout{30};

/// A random UUID (RFC 9562, version 4).
std::string RandomUuid() {
  std::random_device device;
  std::array<std::uint32_t, 4> words{device(), device(), device(), device()};
  words[1] = (words[1] & 0xFFFF0FFFU) | 0x4000U;
  words[2] = (words[2] & 0x3FFFFFFFU) | 0x80000000U;
  std::array<char, 37> text{};
  std::snprintf(text.data(), text.size(), "%08x-%04x-%04x-%04x-%04x%08x", words[0], words[1] >> 16U, words[1] & 0xFFFFU,
                words[2] >> 16U, words[2] & 0xFFFFU, words[3]);
  return text.data();
}

ExitCode ExitCodeOfLocal(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsNotFound(status) ? ExitCode::kUsage : ExitCode::kFailed;
}

}  // namespace

void Session::Show(const View& view) {
  switch (options.format) {
    case Format::kTable:
    case Format::kWide: view.table(options.format == Format::kWide); break;
    case Format::kJson: out() << DumpJson(view.json, 2) << '\n'; break;
    case Format::kYaml: out() << DumpYaml(view.json) << '\n'; break;
    case Format::kName:
      for (const std::string& name : view.names) out() << Escape(name) << '\n';
      break;
  }
  out().flush();
}

grpc::Status Session::Connect() {
  return connection_ ? grpc::Status::OK : Connection::Open(options.socket, connection_);
}

void Session::SetDeadline(grpc::ClientContext& context) const {
  const auto timeout = options.timeout.value_or(kDefaultTimeout);
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::duration_cast<std::chrono::system_clock::duration>(timeout));
}

ExitCode Session::Fail(std::string_view what, const grpc::Status& status) {
  if (interrupt_.fired() && status.error_code() == grpc::StatusCode::CANCELLED) {
    err() << "probectl: interrupted\n";
    return ExitCode::kFailed;
  }
  PrintError(err(), what, status);
  return ExitCodeOf(status);
}

ExitCode Session::Fail(std::string_view what, const absl::Status& status) {
  PrintError(err(), what, status);
  return ExitCodeOfLocal(status);
}

v1::ChangeOptions Session::ChangeOptions() const {
  v1::ChangeOptions change;
  change.set_request_id(options.request_id.empty() ? RandomUuid() : options.request_id);
  change.set_etag(options.etag);
  change.set_validate_only(options.validate_only);
  return change;
}

void Session::Note(const v1::ChangeOutcome& outcome) {
  for (const std::string& warning : outcome.warnings()) err() << "warning: " << Escape(warning) << '\n';
  if (outcome.replayed()) err() << "note: this request id was answered before; this is that answer\n";
}

}  // namespace probed::cli
