// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/bpf/ring_reader.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace probed::bpf {
namespace {

std::size_t PageBytes() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

Status MapError(const char* what) {
  return MakeStatus(absl::StatusCode::kInternal,
                    std::string("cannot map ring buffer (") + what + "): " + std::strerror(errno));
}

}  // namespace

Result<RingReader> RingReader::Map(int fd, std::uint32_t bytes) {
  const std::size_t page = PageBytes();
  void* consumer = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (consumer == MAP_FAILED) return MapError("consumer page");
  void* producer = mmap(nullptr, page + 2ULL * bytes, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(page));
  if (producer == MAP_FAILED) {
    Status error = MapError("data");
    munmap(consumer, page);
    return error;
  }
  return RingReader(consumer, producer, bytes);
}

RingReader::RingReader(void* consumer, void* producer, std::uint32_t bytes)
    : consumer_(static_cast<std::atomic<unsigned long>*>(consumer)),
      mapping_(producer),
      data_(static_cast<const char*>(producer) + PageBytes()),
      bytes_(bytes) {}

RingReader::RingReader(RingReader&& other) noexcept
    : consumer_(std::exchange(other.consumer_, nullptr)),
      mapping_(std::exchange(other.mapping_, nullptr)),
      data_(other.data_),
      bytes_(other.bytes_),
      position_(other.position_),
      last_start_(other.last_start_),
      published_(other.published_) {}

RingReader::~RingReader() {
  if (consumer_ != nullptr) munmap(consumer_, PageBytes());
  if (mapping_ != nullptr) munmap(mapping_, PageBytes() + 2ULL * bytes_);
}

void RingReader::PublishHeldBack() {
  if (last_start_ <= published_) return;
  published_ = last_start_;
  consumer_->store(published_, std::memory_order_release);
}

bool RingReader::PublishAll() {
  published_ = position_;
  consumer_->store(position_, std::memory_order_seq_cst);  // not after the look at the producer's
  return position_ < producer_position();
}

}  // namespace probed::bpf
