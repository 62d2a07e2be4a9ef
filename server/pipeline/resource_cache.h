// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The encoded resource of each process image, made once and shared by everything that emits for it. Thread-safe; a
// shard asks once per connection and keeps what it got.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/discovery/process.h"
#include "server/export/batch.h"

namespace probed::pipeline {

using ResourcePtr = std::shared_ptr<const exporter::Resource>;

class ResourceCache {
 public:
  explicit ResourceCache(discovery::HostInfo host) : host_(std::move(host)) {}

  /// `service_override`: the name that the target rule gives, empty for none.
  ResourcePtr Get(const discovery::Process& process, std::string_view service_override = {});

  /// The resource of what belongs to no process: host and distribution only.
  ResourcePtr ForHost();

  /// Forgets an image that nobody will ask for again; returns the ids its resources had. A late Get makes a new one.
  std::vector<std::uint64_t> Forget(std::uint64_t process_id);

  std::size_t size() const;

 private:
  struct Named {
    std::string service_override;
    ResourcePtr resource;
  };

  const discovery::HostInfo host_;
  mutable std::mutex mutex_;
  std::uint64_t next_id_ = 1;
  ResourcePtr for_host_;
  absl::flat_hash_map<std::uint64_t, std::vector<Named>> by_process_;  // almost always one each
};

}  // namespace probed::pipeline
