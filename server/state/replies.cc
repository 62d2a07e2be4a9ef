// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/state/replies.h"

#include "server/base/error_details.h"

namespace probed::state {

Result<const std::any*> Replies::Find(const std::string& request_id, const std::string& fingerprint) {
  const auto found = by_id_.find(request_id);
  if (found == by_id_.end()) return nullptr;
  order_.splice(order_.begin(), order_, found->second);
  if (found->second->fingerprint == fingerprint) return &found->second->reply;
  return MakeError(absl::StatusCode::kInvalidArgument,
                   "this request_id was used for another request; make a new one for each request",
                   {.reason = "REQUEST_ID_REUSED",
                    .metadata = {},
                    .fields = {{"options.request_id", "was used for another request"}},
                    .log_tail = {}});
}

void Replies::Remember(const std::string& request_id, const std::string& fingerprint, std::any reply) {
  order_.push_front({request_id, fingerprint, std::move(reply)});
  by_id_[request_id] = order_.begin();
  if (order_.size() <= capacity_) return;
  by_id_.erase(order_.back().request_id);
  order_.pop_back();
}

}  // namespace probed::state
