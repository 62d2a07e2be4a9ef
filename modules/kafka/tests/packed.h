// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Segments as the kernel program ships them, with ordinary memory in place of the traced process's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "api/sdk/testing/drive.h"
#include "api/sdk/testing/host_kernel.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include "modules/kafka/bpf/kafka_pack.h"

static __u64 kfk_peek8(const void* source, __u32 place, __u32 /*have*/) {
  const auto& bytes = *static_cast<const std::string_view*>(source);
  char word[8] = {};
  if (place < bytes.size()) bytes.copy(word, sizeof(word), place);
  __u64 out = 0;
  std::memcpy(&out, word, sizeof(out));
  return out;
}
#pragma GCC diagnostic pop

namespace probed::mod::kafka::testing {

class Packer {
 public:
  /// `vector`: long messages lie in iovecs of so many bytes; 0: in one piece.
  explicit Packer(std::uint32_t limit, std::size_t vector = 0) : limit_(limit), vector_(vector) {}

  std::uint64_t shipped = 0;  // bytes
  std::uint64_t records = 0;
  std::uint64_t packed = 0;     // of them
  std::uint32_t most_want = 0;  // bytes of the longest record
  bool stuck = false;           // a plan that leads nowhere, or out of the segment

  void Segment(sdk::testing::StreamDriver& stream, std::uint8_t direction, std::string_view bytes) {
    for (std::size_t done = 0; done < bytes.size() && !stuck;) done += Record(stream, direction, bytes, done);
    offset_[direction] += bytes.size();
  }
  /// No hook sees these bytes.
  void Miss(sdk::testing::StreamDriver& stream, std::uint8_t direction, std::size_t count) {
    stream.Lose(direction, count);
    offset_[direction] += count;
  }
  /// The kernel has no memory for long messages.
  bool forgets = false;

 private:
  std::size_t Record(sdk::testing::StreamDriver& stream, std::uint8_t direction, std::string_view bytes,
                     std::size_t done) {
    kfk_run run{};
    run.offset = offset_[direction];
    run.total = static_cast<__u32>(bytes.size());
    run.limit = limit_;
    run.direction = direction;
    run.readable = 1;
    bool ships = kfk_plan_record(&run, &state_, &bytes) != 0;
    if (run.packs != 0 && !forgets) return Packed(stream, direction, bytes, run, done);
    if (run.packs != 0) {
      state_.ways[direction].state |= KFK_ASTRAY;
      ships = kfk_plan_astray(&run, &state_.ways[direction]) != 0;
    }
    const kfk_plan& plan = run.plan;
    stuck = run.skip != done || plan.total == 0 || plan.want > plan.total || run.skip + plan.total > bytes.size();
    if (stuck) return 0;
    if (!ships) {
      stream.Lose(direction, plan.total);
      return plan.total;
    }
    Ship(stream, {direction, std::string(bytes.substr(run.skip, plan.want)), plan.total - plan.want});
    return plan.total;
  }

  void Ship(sdk::testing::StreamDriver& stream, const sdk::testing::Step& step) {
    stream.Feed(step);
    const auto want = static_cast<std::uint32_t>(step.bytes.size());
    shipped += want;
    most_want = std::max(most_want, want);
    ++records;
  }

  /// As the kernel program does it.
  std::size_t Packed(sdk::testing::StreamDriver& stream, std::uint8_t direction, std::string_view bytes,
                     const kfk_run& run, std::size_t done) {
    kfk_way& way = state_.ways[direction];
    kfk_large& large = large_[direction];
    kfk_pack walk{};
    kfk_pack_begin(&run, &way, &large, &walk);
    if (kfk_pack_is_body(&walk, &large)) {
      kfk_pack_skip(&walk, &large);
      const __u32 passed = kfk_pack_end(&way, &walk);
      if (way.left != 0)
        stream.Lose(direction, passed);
      else
        stream.Skip(direction, passed);
      return passed;
    }
    const std::vector<user_iovec> vector = Vector(bytes.substr(run.skip, walk.rest));
    walk.vector = reinterpret_cast<__u64>(vector.data());
    walk.vectors = static_cast<__u32>(vector.size());
    kfk_pack_room room{};
    kfk_pack_walk(&room, &walk, &large);
    const __u32 passed = kfk_pack_end(&way, &walk);
    stuck = run.skip != done || passed == 0 || run.skip + passed > bytes.size() || walk.out > KFK_PACKED;
    if (stuck) return 0;
    ++packed;
    // More was left out than there are pieces for: such a record is longer than what it stands for.
    Ship(stream, {direction, std::string(reinterpret_cast<const char*>(room.data), walk.out), passed - walk.out, 0,
                  KFK_HINT_PACKED});
    return passed;
  }

  std::vector<user_iovec> Vector(std::string_view bytes) const {
    std::vector<user_iovec> out;
    const std::size_t size = vector_ == 0 ? bytes.size() : vector_;
    for (std::size_t at = 0; at < bytes.size(); at += size)
      out.push_back({reinterpret_cast<__u64>(bytes.data() + at), std::min(size, bytes.size() - at)});
    return out;
  }

  std::uint32_t limit_;
  std::size_t vector_;
  kfk_stream state_{};
  kfk_large large_[2] = {};
  std::uint64_t offset_[2] = {};
};

}  // namespace probed::mod::kafka::testing
