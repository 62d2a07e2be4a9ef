// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The answers already given, by request_id, so that a retry gets the first one again. Bounded: the least recently used
// goes first. [control]
#pragma once

#include <any>
#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>

#include "server/base/status.h"

namespace probed::state {

class Replies {
 public:
  explicit Replies(std::size_t capacity) : capacity_(capacity) {}

  /// The answer given to this id: null when there is none. INVALID_ARGUMENT with REQUEST_ID_REUSED when the id came
  /// with another request.
  Result<const std::any*> Find(const std::string& request_id, const std::string& fingerprint);
  void Remember(const std::string& request_id, const std::string& fingerprint, std::any reply);
  std::size_t size() const { return order_.size(); }

 private:
  struct Entry {
    std::string request_id;
    std::string fingerprint;
    std::any reply;
  };

  const std::size_t capacity_;
  std::list<Entry> order_;  // most recently used first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_id_;
};

}  // namespace probed::state
