// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Collects encoded items by (resource, scope) and seals them into one OTLP request. The three signals share the shape:
//
//   Request{1: ResourceX{1: resource, 2: ScopeX{1: scope, 2: item*, 3: schema_url}, 3: schema_url}*}
//
// Owned by one thread. Buffers are kept from batch to batch, and a batch nobody holds any more gives its bytes back.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/export/batch.h"
#include "server/export/wire.h"

namespace probed::exporter {

/// Seal before a batch grows past this: many receivers refuse messages over 4 MiB.
inline constexpr std::size_t kMaxBatchBytes = 3U << 20U;

class BatchPool;

class EnvelopeBuilder {
 public:
  explicit EnvelopeBuilder(config::Signal signal);
  ~EnvelopeBuilder();
  EnvelopeBuilder(const EnvelopeBuilder&) = delete;
  EnvelopeBuilder& operator=(const EnvelopeBuilder&) = delete;

  /// Where to write the next item of this resource and scope: one field kItemField. Followed by ItemDone.
  WireWriter& Group(const Resource& resource, const Scope& scope);
  void ItemDone(std::uint32_t items = 1);

  std::uint32_t items() const { return items_; }
  /// Size of what Seal would return, or slightly more.
  std::size_t bytes() const { return sealed_bytes_ + open_bytes_; }

  /// The batch so far, and an empty builder. Null when there are no items: empty envelopes are not sent.
  BatchPtr Seal();

  static constexpr std::uint32_t kItemField = 2;

 private:
  struct GroupBuffer {
    std::uint64_t resource_id = 0;
    std::uint32_t scope_id = 0;
    std::string resource;
    std::string scope;
    WireWriter items;  // behind `room` bytes that are left free for what stands before the items
    std::size_t room = 0;
    std::size_t item_bytes() const { return items.size() - room; }
  };

  std::size_t FindOrAdd(const Resource& resource, const Scope& scope);
  std::size_t Add(const Resource& resource, const Scope& scope);
  static std::string_view Finish(GroupBuffer& group);
  void FillBatch(Batch& batch);
  void Reset();

  const config::Signal signal_;
  std::shared_ptr<BatchPool> pool_;
  std::vector<GroupBuffer> groups_;  // the first used_ are of this batch; the rest keep their buffers
  std::size_t used_ = 0;
  std::size_t current_ = 0;
  absl::flat_hash_map<std::pair<std::uint64_t, std::uint32_t>, std::size_t> index_;
  std::uint32_t items_ = 0;
  std::size_t sealed_bytes_ = 0;    // of all groups but the current one, and of every envelope
  std::size_t open_bytes_ = 0;      // of the current one
  std::size_t expected_bytes_ = 0;  // of the next batch, by the last
};

}  // namespace probed::exporter
