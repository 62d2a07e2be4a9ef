// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/attach/mapping_watcher.h"

#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "server/base/fd.h"

namespace probed::attach {
namespace {

constexpr std::size_t kDataPages = 8;  // a record is about 100 bytes; a power of two
constexpr int kEveryProcess = -1;

std::size_t PageBytes() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

/// An event that counts nothing and only carries the side records of executable mappings.
Fd OpenMappingEvent(int cpu) {
  perf_event_attr attributes{};
  attributes.size = sizeof(attributes);
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_DUMMY;
  attributes.mmap = 1;
  attributes.exclude_kernel = 1;
  attributes.watermark = 1;
  attributes.wakeup_watermark = 1;  // bytes: each record wakes
  return Fd(static_cast<int>(
      syscall(SYS_perf_event_open, &attributes, kEveryProcess, cpu, kEveryProcess, PERF_FLAG_FD_CLOEXEC)));
}

/// The records of one CPU (linux/perf_event.h, struct perf_event_mmap_page).
class Ring {
 public:
  explicit Ring(int fd)
      : page_(static_cast<perf_event_mmap_page*>(mmap(nullptr, Bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0))) {}
  Ring(Ring&& other) noexcept : page_(std::exchange(other.page_, nullptr)) {}
  Ring(const Ring&) = delete;
  ~Ring() {
    if (valid()) munmap(page_, Bytes());
  }
  bool valid() const { return page_ != nullptr && page_ != MAP_FAILED; }

  /// Hands the type and the first word after the header (pid, of a mapping) of each record to `take`.
  template <typename Take>
  void Drain(Take&& take) {
    std::atomic_ref<__u64> head(page_->data_head);
    std::atomic_ref<__u64> tail(page_->data_tail);
    std::uint64_t at = tail.load(std::memory_order_relaxed);
    const std::uint64_t end = head.load(std::memory_order_acquire);
    while (at + sizeof(perf_event_header) <= end) {
      perf_event_header header{};
      std::uint32_t first = 0;
      Copy(at, &header, sizeof(header));
      Copy(at + sizeof(header), &first, sizeof(first));
      if (header.size < sizeof(header)) break;
      at += header.size;
      take(header.type, first);
    }
    tail.store(end, std::memory_order_release);
  }

 private:
  static std::size_t Bytes() { return (1 + kDataPages) * PageBytes(); }

  void Copy(std::uint64_t from, void* to, std::size_t size) const {
    const char* data = reinterpret_cast<const char*>(page_) + PageBytes();
    const std::uint64_t mask = kDataPages * PageBytes() - 1;
    for (std::size_t i = 0; i < size; ++i) static_cast<char*>(to)[i] = data[(from + i) & mask];
  }

  perf_event_mmap_page* page_;
};

class PerfWatcher final : public MappingWatcher {
 public:
  PerfWatcher(std::function<void(std::uint32_t)> on_mapping, std::function<void()> on_lost)
      : on_mapping_(std::move(on_mapping)), on_lost_(std::move(on_lost)) {}

  Status AddCpu(const boost::asio::any_io_executor& executor, int cpu) {
    Fd event = OpenMappingEvent(cpu);
    if (!event.valid()) return Failed(cpu, errno);
    Ring ring(event.get());
    if (!ring.valid()) return Failed(cpu, errno);
    cpus_.push_back(std::make_unique<Cpu>(Cpu{std::move(ring), {executor, event.release()}}));
    return OkStatus();
  }

  void Watch() {
    for (const std::unique_ptr<Cpu>& cpu : cpus_) Wait(*cpu);
  }

 private:
  struct Cpu {
    Ring ring;
    boost::asio::posix::stream_descriptor event;
  };

  static Status Failed(int cpu, int error) {
    return MakeStatus(absl::StatusCode::kUnavailable,
                      fmt::format("cannot watch mappings on CPU {}: {}", cpu, std::strerror(error)));
  }

  // A wait may outlive the watcher in the executor's queue: then it touches nothing of it.
  void Wait(Cpu& cpu) {
    cpu.event.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                         [this, &cpu, here = std::weak_ptr<bool>(here_)](const boost::system::error_code& error) {
                           if (error || here.expired()) return;
                           Take(cpu);
                           Wait(cpu);
                         });
  }

  void Take(Cpu& cpu) {
    cpu.ring.Drain([this](std::uint32_t type, std::uint32_t pid) {
      if (type == PERF_RECORD_MMAP) on_mapping_(pid);
      if (type == PERF_RECORD_LOST) on_lost_();
    });
  }

  const std::function<void(std::uint32_t)> on_mapping_;
  const std::function<void()> on_lost_;
  std::vector<std::unique_ptr<Cpu>> cpus_;
  std::shared_ptr<bool> here_ = std::make_shared<bool>(true);  // shared only to be asked whether it is gone
};

}  // namespace

Result<std::unique_ptr<MappingWatcher>> MappingWatcher::Start(const boost::asio::any_io_executor& executor,
                                                              std::function<void(std::uint32_t pid)> on_mapping,
                                                              std::function<void()> on_lost) {
  auto watcher = std::make_unique<PerfWatcher>(std::move(on_mapping), std::move(on_lost));
  const auto cpus = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  for (int cpu = 0; cpu < cpus; ++cpu) RETURN_IF_ERROR(watcher->AddCpu(executor, cpu));
  watcher->Watch();
  return std::unique_ptr<MappingWatcher>(std::move(watcher));
}

}  // namespace probed::attach
