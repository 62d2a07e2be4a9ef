// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Segments as the kernel program ships them, with ordinary memory in place of the traced process's.
#pragma once

#include <linux/types.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "api/sdk/testing/drive.h"
#include "modules/kafka/bpf/kafka_walk.h"

static __u64 kfk_peek8(void* source, __u32 place) {
  const auto& bytes = *static_cast<std::string_view*>(source);
  char word[8] = {};
  if (place < bytes.size()) bytes.copy(word, sizeof(word), place);
  __u64 out = 0;
  std::memcpy(&out, word, sizeof(out));
  return out;
}

namespace probed::mod::kafka::testing {

class Packer {
 public:
  explicit Packer(std::uint32_t limit) : limit_(limit) {}

  std::uint64_t shipped = 0;  // bytes
  std::uint64_t records = 0;
  std::uint32_t most_want = 0;  // bytes of the longest record
  bool stuck = false;           // a plan that leads nowhere, or out of the segment

  void Segment(sdk::testing::StreamDriver& stream, std::uint8_t direction, std::string_view bytes) {
    for (std::size_t done = 0; done < bytes.size() && !stuck;) done += Record(stream, direction, bytes, done);
    offset_[direction] += bytes.size();
  }

 private:
  std::size_t Record(sdk::testing::StreamDriver& stream, std::uint8_t direction, std::string_view bytes,
                     std::size_t done) {
    kfk_run run{};
    run.stream = &state_;
    run.source = &bytes;
    run.offset = offset_[direction];
    run.total = static_cast<__u32>(bytes.size());
    run.limit = limit_;
    run.direction = direction;
    const bool ships = kfk_plan_record(&run) != 0;
    const kfk_plan& plan = run.plan;
    stuck = run.skip != done || plan.total == 0 || plan.want > plan.total || run.skip + plan.total > bytes.size();
    if (stuck) return 0;
    if (!ships) {
      stream.Lose(direction, plan.total);
      return plan.total;
    }
    stream.Feed({direction, std::string(bytes.substr(run.skip, plan.want)), plan.total - plan.want});
    shipped += plan.want;
    if (plan.want > most_want) most_want = plan.want;
    ++records;
    return plan.total;
  }

  std::uint32_t limit_;
  kfk_stream state_{};
  std::uint64_t offset_[2] = {};
};

}  // namespace probed::mod::kafka::testing
