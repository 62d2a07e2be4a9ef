// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Consumer of one BPF ring buffer, mapped directly. Ours and not libbpf's, because of the wake-up protocol: while it is
// polled it keeps the kernel believing that it has not caught up, so that the traced process never pays for a wake-up;
// only before sleeping does it publish the end. [shard]
#pragma once

#include <linux/bpf.h>

#include <atomic>
#include <cstdint>
#include <string_view>
#include <utility>

#include "server/base/status.h"

namespace probed::bpf {

class RingReader {
 public:
  /// `fd` stays the caller's and must outlive the reader.
  static Result<RingReader> Map(int fd, std::uint32_t bytes);
  RingReader(RingReader&& other) noexcept;
  RingReader& operator=(RingReader&&) = delete;
  RingReader(const RingReader&) = delete;
  ~RingReader();

  /// Hands each committed record to `take(std::string_view bytes)`; at most `limit` of them. The views live for the
  /// call. Returns how many. Positions are published once, held back by one record.
  template <typename Take>
  std::size_t Drain(Take&& take, std::size_t limit) {
    return DrainWhile([](std::string_view) { return true; }, std::forward<Take>(take), limit);
  }

  /// The same, but none from the first record on that is not `wanted(bytes)`.
  template <typename Wanted, typename Take>
  std::size_t DrainWhile(Wanted&& wanted, Take&& take, std::size_t limit) {
    std::size_t taken = 0;
    while (taken < limit) {
      std::string_view record;
      const std::uint64_t here = position_;
      const std::uint64_t before = last_start_;
      const Step step = Next(&record);
      if (step == Step::kEmpty) break;
      if (step == Step::kDiscarded) continue;
      if (!wanted(record)) {
        position_ = here;
        last_start_ = before;
        break;
      }
      take(record);
      ++taken;
    }
    PublishHeldBack();
    return taken;
  }

  /// Before sleeping: publishes everything taken. True when a record came meanwhile, so the caller must drain again.
  bool PublishAll();

  /// Where the kernel writes next, and where this reader stands: bytes since the ring was made.
  std::uint64_t producer_position() const {
    // seq_cst: never before PublishAll's store.
    return static_cast<const std::atomic<unsigned long>*>(mapping_)->load(std::memory_order_seq_cst);
  }
  std::uint64_t position() const { return position_; }

 private:
  enum class Step { kRecord, kDiscarded, kEmpty };

  RingReader(void* consumer, void* producer, std::uint32_t bytes);
  Step Next(std::string_view* record);
  void PublishHeldBack();

  std::atomic<unsigned long>* consumer_;  // page the kernel reads
  void* mapping_;                         // producer page and the data, twice
  const char* data_;
  std::uint32_t bytes_;
  std::uint64_t position_ = 0;
  std::uint64_t last_start_ = 0;
  std::uint64_t published_ = 0;
};

// Layout of a record: kernel/bpf/ringbuf.c, struct bpf_ringbuf_hdr: length and flags, page offset, then the bytes.
inline RingReader::Step RingReader::Next(std::string_view* record) {
  if (position_ >= producer_position()) return Step::kEmpty;
  const char* at = data_ + (position_ & (bytes_ - 1));
  const auto* header = reinterpret_cast<const std::atomic<std::uint32_t>*>(at);
  const std::uint32_t word = header->load(std::memory_order_acquire);
  if ((word & BPF_RINGBUF_BUSY_BIT) != 0) return Step::kEmpty;
  const std::uint32_t length = word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
  last_start_ = position_;
  position_ += (length + BPF_RINGBUF_HDR_SZ + 7U) & ~7U;
  if ((word & BPF_RINGBUF_DISCARD_BIT) != 0) return Step::kDiscarded;
  *record = {at + BPF_RINGBUF_HDR_SZ, length};
  return Step::kRecord;
}

}  // namespace probed::bpf
