// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Segments as the kernel program ships them: the loop of kafka.bpf.c over the same header, with ordinary memory in place
// of the traced process's.
#pragma once

#include <linux/types.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "api/sdk/testing/drive.h"
#include "modules/kafka/bpf/kafka_walk.h"

namespace probed::mod::kafka::testing {

class Packer {
 public:
  explicit Packer(std::uint32_t limit) : limit_(limit) {}

  std::uint64_t shipped = 0;  // bytes
  std::uint64_t records = 0;

  void Segment(sdk::testing::StreamDriver& stream, std::uint8_t direction, std::string_view bytes) {
    offset_[direction] += bytes.size();
    for (std::size_t skip = 0; skip < bytes.size();) skip += Record(stream, direction, bytes, skip);
  }

 private:
  std::size_t Record(sdk::testing::StreamDriver& stream, std::uint8_t direction, std::string_view bytes,
                     std::size_t skip) {
    kfk_way& way = state_.ways[direction];
    const std::uint64_t begin = offset_[direction] - bytes.size();
    const std::uint64_t at = kfk_resume(&way, begin, offset_[direction]);
    EXPECT_EQ(at, begin + skip);
    kfk_plan plan{};
    for (int i = 0; i < KFK_MESSAGES; ++i) {
      const bool more = Step(direction, bytes, skip, &plan) != 0;
      if (!more || skip + plan.total >= bytes.size()) break;
    }
    way.at = at + plan.total;
    EXPECT_GT(plan.total, 0U);
    EXPECT_LE(plan.want, static_cast<std::uint32_t>(KFK_MOST_PIECE));
    EXPECT_LE(skip + plan.total, bytes.size());
    if (plan.want == 0 && way.left != 0 && way.at == offset_[direction]) {
      stream.Lose(direction, plan.total);
    } else {
      stream.Feed({direction, std::string(bytes.substr(skip, plan.want)), plan.total - plan.want});
      shipped += plan.want;
      ++records;
    }
    return plan.total;
  }

  int Step(std::uint8_t direction, std::string_view bytes, std::size_t skip, kfk_plan* plan) {
    kfk_way& way = state_.ways[direction];
    const std::size_t place = skip + plan->total;
    const auto rest = static_cast<std::uint32_t>(bytes.size() - place);
    if (way.left != 0) return kfk_take(&way, rest, plan);
    const bool unknown = (way.state & KFK_KNOWN) == 0;
    if (unknown && (place != 0 || offset_[direction] - bytes.size() == KFK_SIZE_BYTES)) {
      kfk_take_all(&way, rest, plan);
      return 0;
    }
    __u8 word[8] = {};
    bytes.copy(reinterpret_cast<char*>(word), sizeof(word), place);
    const int verdict = kfk_begin(&way, word, std::min(rest, 8U), static_cast<__u32>(bytes.size()), limit_,
                                  state_.ways[direction ^ 1U].correlation);
    if (verdict == KFK_MORE) {
      plan->want += rest;
      plan->total += rest;
      return 0;
    }
    if (verdict == KFK_NOT) {
      kfk_take_all(&way, rest, plan);
      return 0;
    }
    if (verdict == KFK_REQUEST && rest >= 12)
      way.correlation = kfk_u32(reinterpret_cast<const __u8*>(bytes.data()) + place + 8);
    return kfk_take(&way, rest, plan);
  }

  std::uint32_t limit_;
  kfk_stream state_{};
  std::uint64_t offset_[2] = {};
};

}  // namespace probed::mod::kafka::testing
