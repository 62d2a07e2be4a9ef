// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Names of topics by their ids, learned from Metadata responses. Ids are unique over clusters and a deleted topic's is
// not used again (KIP-516), so what one connection learned holds for all: one table for all shards.
#pragma once

#include <cstring>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "modules/kafka/decode/wire.h"

namespace probed::mod::kafka {

class TopicNames {
 public:
  static constexpr std::size_t kMost = 65'536;

  /// [shard] The first name of an id stays; past kMost no more are learned.
  void Learn(const Uuid& id, std::string_view name) {
    const std::lock_guard lock(mutex_);
    if (names_.size() < kMost) names_.try_emplace(id, name);
  }
  /// [shard] Empty: not known. LIFETIME: the module's, names are never changed or removed.
  std::string_view Find(const Uuid& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = names_.find(id);
    return found == names_.end() ? std::string_view{} : std::string_view(found->second);
  }

 private:
  struct Hash {
    std::size_t operator()(const Uuid& id) const {  // they are random
      std::size_t out = 0;
      std::memcpy(&out, id.data(), sizeof(out));
      return out;
    }
  };

  mutable std::mutex mutex_;
  std::unordered_map<Uuid, std::string, Hash> names_;
};

}  // namespace probed::mod::kafka
