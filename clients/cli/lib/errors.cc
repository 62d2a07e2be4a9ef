// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/lib/errors.h"

#include <algorithm>
#include <chrono>
#include <sstream>

#include "clients/cli/lib/duration.h"
#include "clients/cli/lib/escape.h"
#include "clients/cli/lib/exit_code.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace probed::cli {
namespace {

constexpr std::string_view kIndent = "  ";

google::rpc::Status Details(const grpc::Status& status) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) details.Clear();
  return details;
}

template <typename Detail>
bool Find(const google::rpc::Status& status, Detail& detail) {
  return std::any_of(status.details().begin(), status.details().end(),
                     [&detail](const auto& any) { return any.UnpackTo(&detail); });
}

void Line(std::ostream& err, const std::string& text) { err << kIndent << Escape(text) << '\n'; }

void PrintFields(std::ostream& err, const google::rpc::Status& details) {
  google::rpc::BadRequest bad;
  if (!Find(details, bad)) return;
  for (const auto& field : bad.field_violations()) {
    Line(err, (field.field().empty() ? "request" : field.field()) + ": " + field.description());
  }
}

void PrintPreconditions(std::ostream& err, const google::rpc::Status& details) {
  google::rpc::PreconditionFailure failure;
  if (!Find(details, failure)) return;
  for (const auto& item : failure.violations()) Line(err, item.subject() + ": " + item.description());
}

void PrintVerifierLog(std::ostream& err, const google::rpc::Status& details) {
  google::rpc::DebugInfo debug;
  if (!Find(details, debug) || debug.detail().empty()) return;
  err << kIndent << "end of the kernel verifier's log:\n";
  std::istringstream lines(debug.detail());
  for (std::string line; std::getline(lines, line);) Line(err, "  " + line);
}

bool PrintHelp(std::ostream& err, const google::rpc::Status& details) {
  google::rpc::Help help;
  if (!Find(details, help)) return false;
  for (const auto& link : help.links()) Line(err, "see " + link.url() + " (" + link.description() + ")");
  return help.links_size() > 0;
}

bool PrintRetry(std::ostream& err, const google::rpc::Status& details) {
  google::rpc::RetryInfo retry;
  if (!Find(details, retry)) return false;
  const auto delay =
      std::chrono::seconds(retry.retry_delay().seconds()) + std::chrono::nanoseconds(retry.retry_delay().nanos());
  Line(err, "try again in " + FormatDuration(delay));
  return true;
}

std::string Advice(const grpc::Status& status, const std::string& reason) {
  if (reason == "ETAG_MISMATCH") return "somebody changed it meanwhile: read it again, then repeat the change";
  if (reason == "REQUEST_ID_REUSED") return "choose another --request-id, or none";
  if (reason == "MODULE_NOT_LOADED") return "load it first: probectl load NAME";
  if (reason == "BPF_REFUSED") return "what the kernel lets the daemon do: probectl doctor";
  if (reason == "MODULE_ALREADY_LOADED") return "change it with: probectl configure NAME";
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) return "give it longer with --timeout";
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) return "the daemon is older than this probectl";
  switch (ExitCodeOf(status)) {
    case ExitCode::kUnreachable: return "is the daemon running? systemctl status probed; another socket: --socket";
    case ExitCode::kDenied: return "run it as root, or as a member of the daemon's group";
    case ExitCode::kNotFound:
      return reason == "SINK_NOT_FOUND" ? "what there is: probectl sinks list" : "what there is: probectl modules list";
    default: return "";
  }
}

}  // namespace

std::string ReasonOf(const grpc::Status& status) {
  google::rpc::ErrorInfo info;
  return Find(Details(status), info) ? info.reason() : "";
}

void PrintError(std::ostream& err, std::string_view what, const grpc::Status& status) {
  const google::rpc::Status details = Details(status);
  const std::string reason = ReasonOf(status);
  err << "probectl: cannot " << Escape(what) << ": " << Escape(status.error_message());
  err << (reason.empty() ? "" : " [" + Escape(reason) + "]") << '\n';
  PrintFields(err, details);
  PrintPreconditions(err, details);
  PrintVerifierLog(err, details);
  const bool helped = PrintHelp(err, details);
  const bool retry = PrintRetry(err, details);
  const std::string advice = helped || retry ? "" : Advice(status, reason);
  if (!advice.empty()) Line(err, advice);
}

void PrintError(std::ostream& err, std::string_view what, const absl::Status& status) {
  std::istringstream lines(std::string(status.message().data(), status.message().size()));
  std::string line;
  std::getline(lines, line);
  err << "probectl: cannot " << Escape(what) << ": " << Escape(line) << '\n';
  while (std::getline(lines, line)) Line(err, line);
}

}  // namespace probed::cli
