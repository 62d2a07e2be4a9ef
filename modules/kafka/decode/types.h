// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What the module makes of bytes: the head of a message, and what a request and its response say of each topic. Values;
// texts are views of the message's bytes or of whoever copied them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "api/sdk/host.h"
#include "modules/kafka/decode/wire.h"

namespace probed::mod::kafka {

struct RequestHead {
  std::int16_t key = 0;
  std::int16_t version = 0;
  std::int32_t correlation = 0;
  std::string_view client_id;
};

/// Messages of some partitions of one topic.
struct Batches {
  std::uint64_t messages = 0;
  bool counted = true;  // `messages` is all of them; false: some could not be seen
  // Of the only message, where it is one and its batch is readable:
  bool has_offset = false;  // of what was fetched
  bool has_key = false;
  bool tombstone = false;
  std::int64_t offset = 0;
  std::string_view key{};
  // Where links of these messages are in Topics::links.
  std::size_t first_link = 0;
  std::size_t links = 0;
};

/// One topic of a Produce or a Fetch.
struct Topic {
  std::string_view name;  // empty: not known
  Uuid id{};
  bool by_id = false;            // it was named by `id`
  std::uint32_t partitions = 0;  // that the message has; not all may have been seen
  std::uint32_t seen = 0;
  std::int32_t partition = 0;  // the first; meaningless when none was seen
  std::int16_t error = 0;      // the first
  std::int64_t offset = -1;    // a Produce response: of its first message
  Batches batches;
};

/// The topics of a message at hand. Memory that is used again and again.
struct Topics {
  static constexpr std::size_t kMost = 64;
  static constexpr std::size_t kMostLinks = 128;

  std::size_t count = 0;
  std::size_t link_count = 0;
  bool complete = true;    // all topics of the message are here, with all their partitions
  std::int16_t acks = 1;   // of a Produce request
  std::int16_t error = 0;  // of the whole response
  std::array<Topic, kMost> items;
  std::array<probe_trace_context_t, kMostLinks> links;

  void Clear() {
    count = link_count = 0;
    complete = true;
    acks = 1;
    error = 0;
  }
  /// The next one, or nullptr: there are too many.
  Topic* Add() {
    if (count == kMost) {
      complete = false;
      return nullptr;
    }
    items[count] = {};
    items[count].batches.first_link = link_count;
    return &items[count++];
  }
};

}  // namespace probed::mod::kafka
