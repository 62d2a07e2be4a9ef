// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/errors.h"

#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>

#include <nlohmann/json.hpp>

#include "server/base/error_details.h"

namespace probed::control {
namespace {

// Together with base64 and the details' own framing these stay below 8 KiB.
constexpr std::size_t kLongestMessage = 900;
constexpr std::size_t kLongestLogTail = 1200;
constexpr std::size_t kLongestFields = 1200;
constexpr std::size_t kLongestMetadata = 600;
constexpr std::int64_t kRetryAfterSeconds = 1;

std::string Head(std::string_view text, std::size_t most) {
  return text.size() <= most ? Utf8(text) : Utf8(text.substr(0, most)) + "...";
}

std::string Tail(std::string_view text, std::size_t most) {
  return text.size() <= most ? Utf8(text) : "..." + Utf8(text.substr(text.size() - most));
}

/// Errors of callees that name no reason still have one, by their code.
std::string ReasonOf(const Status& status, const ErrorDetails& details) {
  return details.reason.empty() ? absl::StatusCodeToString(status.code()) : details.reason;
}

void AddErrorInfo(const Status& status, const ErrorDetails& details, google::rpc::Status& out) {
  google::rpc::ErrorInfo info;
  info.set_reason(ReasonOf(status, details));
  info.set_domain(std::string(kErrorDomain));
  std::size_t budget = kLongestMetadata;
  for (const auto& [key, value] : details.metadata) {
    if (key.size() + value.size() > budget) continue;
    budget -= key.size() + value.size();
    (*info.mutable_metadata())[Utf8(key)] = Utf8(value);
  }
  out.add_details()->PackFrom(info);
}

void AddBadRequest(const ErrorDetails& details, google::rpc::Status& out) {
  google::rpc::BadRequest request;
  std::size_t budget = kLongestFields;
  std::size_t left_out = 0;
  for (const FieldViolation& field : details.fields) {
    const std::string path = Head(field.path, kLongestFields / 4);
    const std::string description = Head(field.description, kLongestFields / 4);
    if (left_out != 0 || path.size() + description.size() > budget) {
      ++left_out;
      continue;
    }
    budget -= path.size() + description.size();
    auto* violation = request.add_field_violations();
    violation->set_field(path);
    violation->set_description(description);
  }
  if (left_out != 0) {
    request.add_field_violations()->set_description("and " + std::to_string(left_out) + " more");
  }
  out.add_details()->PackFrom(request);
}

void AddPrecondition(const Status& status, const ErrorDetails& details, google::rpc::Status& out) {
  google::rpc::PreconditionFailure failure;
  auto* violation = failure.add_violations();
  violation->set_type(ReasonOf(status, details));
  for (const char* kind : {"module", "sink", "path"}) {
    const auto subject = details.metadata.find(kind);
    if (subject == details.metadata.end()) continue;
    violation->set_subject(std::string(kind) + "s/" + Head(subject->second, kLongestMetadata / 2));
    break;
  }
  violation->set_description(Head(Message(status), kLongestMessage / 2));
  out.add_details()->PackFrom(failure);
}

void AddDetails(const Status& status, const ErrorDetails& details, google::rpc::Status& out) {
  AddErrorInfo(status, details, out);
  if (!details.fields.empty()) AddBadRequest(details, out);
  if (absl::IsFailedPrecondition(status)) AddPrecondition(status, details, out);
  if (absl::IsUnavailable(status)) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(kRetryAfterSeconds);
    out.add_details()->PackFrom(retry);
  }
  if (!details.log_tail.empty()) {
    google::rpc::DebugInfo debug;
    debug.set_detail(Tail(details.log_tail, kLongestLogTail));
    out.add_details()->PackFrom(debug);
  }
}

Status Simple(absl::StatusCode code, std::string_view reason, std::string_view message) {
  return MakeError(code, message, {.reason = std::string(reason), .metadata = {}, .fields = {}, .log_tail = {}});
}

}  // namespace

std::string Utf8(std::string_view text) {
  const std::string quoted = nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return nlohmann::json::parse(quoted).get<std::string>();
}

grpc::Status ToGrpc(const Status& status) {
  if (status.ok()) return grpc::Status::OK;
  google::rpc::Status out;
  out.set_code(static_cast<int>(status.code()));
  out.set_message(Head(Message(status), kLongestMessage));
  AddDetails(status, GetErrorDetails(status), out);
  return {static_cast<grpc::StatusCode>(status.code()), out.message(), out.SerializeAsString()};
}

Status PermissionDenied() {
  return Simple(absl::StatusCode::kPermissionDenied, "PERMISSION_DENIED",
                "only root, the daemon's own user and members of the daemon's group may use this socket");
}

Status Unauthenticated() {
  return Simple(absl::StatusCode::kUnauthenticated, "UNAUTHENTICATED", "the connection of this call is gone");
}

Status ShuttingDown() { return Simple(absl::StatusCode::kUnavailable, "SHUTTING_DOWN", "the daemon is stopping"); }

}  // namespace probed::control
