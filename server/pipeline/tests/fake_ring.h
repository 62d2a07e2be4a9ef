// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A ring buffer as the kernel lays it out, in plain memory: consumer page, producer page, data. Drain before it is
// full: nothing checks.
#pragma once

#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <string_view>

#include "bpf/shared/layout.h"
#include "server/base/fd.h"
#include "server/bpf/ring_reader.h"

namespace probed::pipeline {

class FakeRing {
 public:
  static constexpr std::uint32_t kBytes = 1U << 16U;

  FakeRing() : fd_(memfd_create("ring", MFD_CLOEXEC)), page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
    if (ftruncate(fd_.get(), static_cast<off_t>(Size())) != 0) throw std::runtime_error("ftruncate");
    memory_ = static_cast<char*>(mmap(nullptr, Size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0));
    if (memory_ == MAP_FAILED) throw std::runtime_error("mmap");
  }
  FakeRing(const FakeRing&) = delete;
  FakeRing& operator=(const FakeRing&) = delete;
  ~FakeRing() { munmap(memory_, Size()); }

  bpf::RingReader Reader() const { return *bpf::RingReader::Map(fd_.get(), kBytes); }

  /// Numbers the record and commits it with its payload.
  void Put(pb_record record, std::string_view payload = {}) {
    record.sequence = sequence_++;
    record.captured = static_cast<__u32>(payload.size());
    record.size = static_cast<__u32>(sizeof(record) + payload.size());
    char* at =
        memory_ + 2 * page_ + (position_ & (kBytes - 1));  // a record may reach behind the end, as in the kernel's
    std::memcpy(at, &record.size, sizeof(record.size));
    std::memcpy(at + BPF_RINGBUF_HDR_SZ, &record, sizeof(record));
    if (!payload.empty()) std::memcpy(at + BPF_RINGBUF_HDR_SZ + sizeof(record), payload.data(), payload.size());
    position_ += (record.size + BPF_RINGBUF_HDR_SZ + 7U) & ~7U;
    std::memcpy(memory_ + page_, &position_, sizeof(position_));
  }

 private:
  std::size_t Size() const { return 2 * page_ + 2 * std::size_t{kBytes}; }

  Fd fd_;
  std::size_t page_;
  char* memory_ = nullptr;
  std::uint64_t position_ = 0;
  std::uint64_t sequence_ = 0;
};

}  // namespace probed::pipeline
