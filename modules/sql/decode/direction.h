// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// How far one direction of a connection was read.
#pragma once

#include <cstdint>

#include "api/sdk/stream_buffer.h"
#include "modules/sql/decode/operation.h"

namespace probed::mod::sql {

struct Direction {
  sdk::StreamBuffer buffer;  // the beginning of a message
  Arrival start;             // its first byte. Meaningless when the buffer is empty
  std::uint64_t expected;    // offset of the next byte
  std::uint64_t skip;        // bytes of a message that are not looked at
  bool started;              // `expected` is set
  bool lost;                 // no boundary is known
  bool missing;              // a hole was announced, and no record since
};

inline Arrival ArrivalAt(const probe_segment_t& segment, std::uint64_t offset) {
  const auto ahead = static_cast<std::uint32_t>(offset - segment.offset);
  return {.ktime_ns = segment.ktime_ns,
          .cookie = segment.cookie,
          .offset = offset,
          .generation = segment.generation,
          .wire_sequence = segment.wire_sequence == 0 ? 0 : segment.wire_sequence + ahead,
          .cause = segment.cause,
          .layer = segment.layer};
}

}  // namespace probed::mod::sql
