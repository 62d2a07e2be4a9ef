// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The accept loop: one thread that waits without any timeout while nobody is connected. It keeps its own descriptor of
// every connection, so that it learns of the end of each whoever ends it, and hands another one on.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "server/base/fd.h"
#include "server/base/status.h"
#include "server/control/peer.h"

namespace probed::control {

/// What the loop tells. All calls come from its one thread.
class ConnectionHandler {
 public:
  virtual ~ConnectionHandler() = default;
  /// A connection came; `fd` is non-blocking and the handler's business, its end is reported under `id`.
  /// False: it was not taken, and is closed without a report.
  virtual bool OnConnection(std::uint64_t id, const Fd& fd, const Peer& peer) = 0;
  virtual void OnClosed(std::uint64_t id) = 0;
  /// No connection is open and none came for the linger time. False: not now, ask again after it.
  virtual bool OnIdle() = 0;
};

class Listener {
 public:
  static constexpr std::size_t kMostConnections = 256;

  /// Starts the thread. The handler must outlive the listener.
  Listener(Fd listening, std::chrono::milliseconds linger, ConnectionHandler& handler);
  /// Stops the thread; connections that were handed on stay.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

 private:
  void Run();
  void Accept();
  void Close(std::uint64_t id);
  void Drop(std::uint64_t id);
  int Timeout() const;
  bool Watch(int fd, std::uint64_t id, std::uint32_t events);

  Fd listening_;
  const std::chrono::milliseconds linger_;
  ConnectionHandler& handler_;
  Fd epoll_;
  Fd wake_;
  std::atomic<bool> stopping_{false};
  bool lingering_ = false;
  std::uint64_t next_id_ = 2;  // 0 and 1 stand for the listening socket and the wake-up
  std::map<std::uint64_t, Fd> connections_;
  std::thread thread_;
};

}  // namespace probed::control
