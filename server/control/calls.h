// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What is under way in the gRPC service: calls are counted, streams can be ended, so that the server can be taken down
// without cutting anything off. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <set>

namespace probed::control {

/// A stream that ends itself when asked.
class Stream {
 public:
  virtual ~Stream() = default;
  /// Ends with UNAVAILABLE, SHUTTING_DOWN. Must not block.
  virtual void EndForShutdown() = 0;
};

class Calls {
 public:
  void Enter() { count_.fetch_add(1); }
  void Leave() { count_.fetch_sub(1); }
  std::uint64_t count() const { return count_.load(); }

  bool stopping() const { return stopping_.load(); }
  /// No further streams; those there are end.
  void EndStreams() {
    const std::lock_guard lock(mutex_);
    stopping_.store(true);
    for (Stream* stream : streams_) stream->EndForShutdown();
  }
  /// False when the daemon is stopping.
  bool Add(Stream* stream) {
    const std::lock_guard lock(mutex_);
    if (stopping_.load()) return false;
    streams_.insert(stream);
    Enter();
    return true;
  }
  /// After it the stream is not touched any more.
  void Remove(Stream* stream) {
    const std::lock_guard lock(mutex_);
    if (streams_.erase(stream) != 0) Leave();
  }

 private:
  std::atomic<std::uint64_t> count_{0};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::set<Stream*> streams_;
};

}  // namespace probed::control
