// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Writing BPF maps by fd, with errors that say what failed. [control]
#pragma once

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <string_view>
#include <vector>

#include "server/base/status.h"

namespace probed::bpf {

inline Status MapError(std::string_view what, int error) {
  return MakeStatus(absl::StatusCode::kInternal, fmt::format("{}: {}", what, std::strerror(error)));
}

template <typename Key, typename Value>
Status Update(int map, const Key& key, const Value& value, std::string_view what) {
  return bpf_map_update_elem(map, &key, &value, BPF_ANY) == 0 ? OkStatus() : MapError(what, errno);
}

/// Makes a map hold exactly `wanted`.
template <typename Key, typename Value>
Status Replace(int map, const std::map<Key, Value>& wanted, std::string_view what) {
  std::vector<Key> stale;
  Key key{};
  const Key* previous = nullptr;
  while (bpf_map_get_next_key(map, previous, &key) == 0) {
    if (!wanted.contains(key)) stale.push_back(key);
    previous = &key;
  }
  for (const Key& old : stale) bpf_map_delete_elem(map, &old);
  for (const auto& [wanted_key, value] : wanted) RETURN_IF_ERROR(Update(map, wanted_key, value, what));
  return OkStatus();
}

}  // namespace probed::bpf
