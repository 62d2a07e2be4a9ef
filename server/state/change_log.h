// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The last changes of resources, each with a version, for Watch: one bounded log shared by all watchers, each of which
// keeps the version it has read. A watcher that falls behind learns how many events it lost. Versions begin at the
// clock's microseconds, so that one from an earlier run of the daemon is never mistaken for one of this run.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "server/base/status.h"
#include "server/state/snapshot.h"

namespace probed::state {

enum class ResourceKind { kModule, kSink, kRoutes, kTargets };

struct RemovedResource {
  ResourceKind kind = ResourceKind::kModule;
  std::string name;
};

struct WatchEvent {
  std::uint64_t version = 0;
  std::uint64_t utc_ns = 0;
  std::variant<ModuleView, SinkView, RoutesView, TargetsView, RemovedResource> what;
};

ResourceKind KindOf(const WatchEvent& event);

class ChangeLog {
 public:
  struct Reading {
    std::vector<std::shared_ptr<const WatchEvent>> events;
    std::uint64_t lost = 0;  // events after the version asked for that are gone
  };

  ChangeLog(std::uint64_t first_version, std::size_t capacity);

  /// [control] Tells every listener.
  void Append(std::uint64_t utc_ns, decltype(WatchEvent::what) what);

  /// [any] Of the newest event.
  std::uint64_t version() const;
  /// [any] OUT_OF_RANGE with VERSION_EXPIRED (too old) or VERSION_UNKNOWN (never was) when nobody could resume there.
  Status CheckResume(std::uint64_t since) const;
  /// [any] Events after `since`, at most `most`.
  Reading After(std::uint64_t since, std::size_t most) const;

  /// [any] `listener` is called on [control] after each Append; it must not block or come back to Listen or Unlisten.
  /// After Unlisten it is not running and will not be called.
  std::uint64_t Listen(std::function<void()> listener);
  void Unlisten(std::uint64_t id);

 private:
  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::uint64_t version_;
  std::deque<std::shared_ptr<const WatchEvent>> events_;
  std::mutex listeners_mutex_;
  std::uint64_t next_listener_ = 1;
  std::map<std::uint64_t, std::function<void()>> listeners_;
};

}  // namespace probed::state
