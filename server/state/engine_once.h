// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Engine::Once: the first answer to a request_id is the answer to all its repetitions. Included by engine*.cc alone.
#pragma once

#include <any>
#include <type_traits>

#include "server/base/error_details.h"
#include "server/base/thread_tags.h"
#include "server/state/engine.h"

namespace probed::state {

inline Outcome& OutcomeOf(Outcome& outcome) { return outcome; }
template <typename Reply>
Outcome& OutcomeOf(Reply& reply) {
  return reply.outcome;
}

/// Failures that pass by themselves are not remembered: a retry is to try again.
inline bool IsFinal(const Status& status) {
  return !absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status) && !absl::IsCancelled(status);
}

/// Clears the flag at the end of a scope.
class BusyScope {
 public:
  explicit BusyScope(std::atomic<bool>& flag) : flag_(flag) { flag_.store(true); }
  ~BusyScope() { flag_.store(false); }
  BusyScope(const BusyScope&) = delete;
  BusyScope& operator=(const BusyScope&) = delete;

 private:
  std::atomic<bool>& flag_;
};

template <typename Reply>
Result<Reply> Engine::Once(const MutationContext& context, const std::string& fingerprint,
                           const std::function<Result<Reply>()>& make) {
  PROBED_ASSERT_ON(Control);
  const BusyScope busy(busy_);
  if (context.request_id.empty()) return make();
  const std::string id = context.caller + " " + context.request_id;
  const std::string print = fingerprint + "\n" + context.etag + "\n" + (context.validate_only ? "v" : "");
  ASSIGN_OR_RETURN(const std::any* earlier, replies_.Find(id, print));
  if (earlier != nullptr) {
    Result<Reply> reply = std::any_cast<const Result<Reply>&>(*earlier);
    if (reply.ok()) OutcomeOf(*reply).replayed = true;
    return reply;
  }
  Result<Reply> reply = make();
  if (reply.ok() || IsFinal(reply.status())) replies_.Remember(id, print, std::any(reply));
  return reply;
}

/// ABORTED with ETAG_MISMATCH unless the caller saw what is there, or does not care.
Status CheckEtag(const MutationContext& context, const std::string& current, const std::string& resource);

Status StateError(absl::StatusCode code, std::string_view reason, std::string_view message,
                  std::map<std::string, std::string> metadata = {});

/// The same violations under another reason of the contract.
Status InvalidAs(std::string_view reason, std::vector<FieldViolation> violations, std::string_view what);

}  // namespace probed::state
