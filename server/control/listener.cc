// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/listener.h"

#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "server/base/thread_tags.h"

namespace probed::control {
namespace {

constexpr std::uint64_t kListening = 0;
constexpr std::uint64_t kWake = 1;
constexpr int kForever = -1;

}  // namespace

Listener::Listener(Fd listening, std::chrono::milliseconds linger, ConnectionHandler& handler)
    : listening_(std::move(listening)),
      linger_(linger),
      handler_(handler),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  Watch(listening_.get(), kListening, EPOLLIN);
  Watch(wake_.get(), kWake, EPOLLIN);
  thread_ = std::thread([this] { Run(); });
}

Listener::~Listener() {
  stopping_.store(true);
  const std::uint64_t one = 1;
  if (::write(wake_.get(), &one, sizeof(one)) < 0) spdlog::error("cannot wake the listener: {}", std::strerror(errno));
  thread_.join();
}

bool Listener::Watch(int fd, std::uint64_t id, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return true;
  spdlog::error("cannot watch a descriptor: {}", std::strerror(errno));
  return false;
}

/// Without connections and after the linger time nothing wakes this thread but a client.
int Listener::Timeout() const { return lingering_ ? static_cast<int>(linger_.count()) : kForever; }

void Listener::Run() {
  TagThread(ThreadTag::kGrpc);
  std::array<epoll_event, 16> events{};
  while (!stopping_.load()) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), Timeout());
    if (count == 0 && lingering_) lingering_ = !handler_.OnIdle();
    for (int i = 0; i < count && !stopping_.load(); ++i) {
      const std::uint64_t id = events[static_cast<std::size_t>(i)].data.u64;
      if (id == kListening) Accept();
      if (id > kWake) Close(id);
    }
  }
}

void Listener::Accept() {
  Fd fd(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd.valid()) return;
  if (connections_.size() >= kMostConnections) {
    spdlog::warn("a control connection was refused: {} are open", connections_.size());
    return;
  }
  const Result<Peer> peer = ReadPeer(fd.get());
  if (!peer.ok()) {
    spdlog::warn("a control connection was refused: {}", Message(peer.status()));
    return;
  }
  // Only the hang-up is of interest here; what is sent is for gRPC.
  const std::uint64_t id = next_id_++;
  if (!Watch(fd.get(), id, EPOLLRDHUP)) return;
  lingering_ = false;
  const auto [entry, inserted] = connections_.emplace(id, std::move(fd));
  if (!handler_.OnConnection(id, entry->second, *peer)) Drop(id);
}

void Listener::Close(std::uint64_t id) {
  if (!connections_.contains(id)) return;
  handler_.OnClosed(id);
  Drop(id);
}

void Listener::Drop(std::uint64_t id) {
  connections_.erase(id);
  lingering_ = connections_.empty();
}

}  // namespace probed::control
