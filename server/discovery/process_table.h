// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// All processes of the machine by (tgid, start). Fed with fork, exec and exit events, so that a process that lives
// 50 ms is known; /proc fills in what existed before. An entry stays for a while after the exit, for late spans.
//
// Threads: Scan, OnEvent, Expire and next_expiry_ns on [discovery]; Find, FindLatest and Snapshot on any. Lookups lock
// one of sixteen stripes for a hash lookup; shards keep what they got per stream, so a lookup is per connection, not
// per record.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "server/discovery/process.h"

namespace probed::discovery {

enum class ProcessEventType : std::uint8_t { kFork, kExec, kExit };

/// Of thread group leaders only. start_ns: the kernel's start_boottime of the process the event is about.
struct ProcessEvent {
  ProcessEventType type = ProcessEventType::kFork;
  std::uint32_t tgid = 0;
  std::uint32_t parent = 0;  // fork: the process that forked
  std::uint64_t start_ns = 0;
};

struct ProcessTableOptions {
  std::chrono::nanoseconds keep_after_exit = std::chrono::seconds(30);
};

class ProcessTable {
 public:
  /// `reader` must outlive the table.
  ProcessTable(ProcReader& reader, HostInfo host, ProcessTableOptions options = {});

  /// Reads every process there is, and takes those that are gone as exited: at start, and after lost events.
  void Scan(std::uint64_t now_ns);

  /// Returns the new program image after an exec, else nothing.
  ProcessPtr OnEvent(const ProcessEvent& event, std::uint64_t now_ns);

  /// Forgets what ended long enough ago. Returns the ids of images that nobody will find any more.
  std::vector<std::uint64_t> Expire(std::uint64_t now_ns);
  /// When Expire has something to forget next, as far as known now; 0: nothing is waiting.
  std::uint64_t next_expiry_ns() const;

  /// Never null: a process that nobody announced is read from /proc (on the calling thread, once); if it is gone, the
  /// answer is a process of which only the pid is known. start_ns 0: the latest of that pid.
  ProcessPtr Find(std::uint32_t tgid, std::uint64_t start_ns);
  ProcessPtr FindLatest(std::uint32_t tgid);

  /// Moves on when a process of this pid becomes another program, or (rarely) when one of another pid does: whoever
  /// keeps what Find returned asks again then. Read it before Find. One load, no lock.
  std::uint32_t ExecEpoch(std::uint32_t tgid) const {
    return exec_epochs_[tgid % kExecEpochs].load(std::memory_order_acquire);
  }

  /// Every image that is alive. Forked children that nobody asked for are left out: their image is their parent's.
  std::vector<ProcessPtr> Snapshot() const;

  /// Every process there is now, by /proc. [any]
  std::vector<std::uint32_t> List() const { return reader_.ListProcesses(); }

  const HostInfo& host() const { return host_; }

 private:
  // Exactly one of the two is set, or neither: then /proc is read when somebody asks.
  struct Entry {
    ProcessPtr process;
    ProcessPtr forked_from;  // the parent's image; a process of our own is made when somebody asks
    bool exited = false;
  };
  struct Stripe {
    mutable std::mutex mutex;
    absl::flat_hash_map<ProcessKey, Entry> entries;
    absl::flat_hash_map<std::uint32_t, std::uint64_t> latest;  // tgid → start ticks
    std::vector<ProcessKey> unknown;                           // answered though gone: no exit event will come
  };
  struct Departure {
    std::uint64_t at_ns = 0;
    ProcessKey key;
    std::uint64_t replaced_id = 0;  // an exec replaced this image; 0: the process itself ended
  };

  static constexpr std::size_t kExecEpochs = 1024;

  Stripe& StripeOf(std::uint32_t tgid) { return stripes_[tgid % stripes_.size()]; }
  void OnFork(const ProcessEvent& event);
  ProcessPtr OnExec(const ProcessEvent& event, std::uint64_t now_ns);
  void OnExit(const ProcessKey& key, std::uint64_t now_ns);
  void RetireUnknown(std::uint64_t now_ns);
  ProcessPtr Image(const ProcessKey& key);
  ProcessPtr Make(ProcessInfo info, bool known);
  ProcessPtr ReadOrDerive(const ProcessKey& key, const ProcessPtr& forked_from);
  ProcessPtr Store(const ProcessKey& key, ProcessPtr made);
  std::vector<ProcessKey> LiveKeys() const;

  ProcReader& reader_;
  const HostInfo host_;
  const ProcessTableOptions options_;
  std::atomic<std::uint64_t> next_id_{1};
  std::array<Stripe, 16> stripes_;
  std::array<std::atomic<std::uint32_t>, kExecEpochs> exec_epochs_{};  // by pid
  std::deque<Departure> departures_;                                   // [discovery], by time
};

}  // namespace probed::discovery
