// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/state/change_log.h"

#include "server/base/error_details.h"

namespace probed::state {
namespace {

struct KindReader {
  ResourceKind operator()(const ModuleView&) const { return ResourceKind::kModule; }
  ResourceKind operator()(const SinkView&) const { return ResourceKind::kSink; }
  ResourceKind operator()(const RoutesView&) const { return ResourceKind::kRoutes; }
  ResourceKind operator()(const TargetsView&) const { return ResourceKind::kTargets; }
  ResourceKind operator()(const RemovedResource& removed) const { return removed.kind; }
};

Status CannotResume(std::string_view reason, std::string_view message) {
  return MakeError(absl::StatusCode::kOutOfRange, message,
                   {.reason = std::string(reason), .metadata = {}, .fields = {}, .log_tail = {}});
}

}  // namespace

ResourceKind KindOf(const WatchEvent& event) { return std::visit(KindReader{}, event.what); }

ChangeLog::ChangeLog(std::uint64_t first_version, std::size_t capacity)
    : capacity_(capacity), version_(first_version) {}

void ChangeLog::Append(std::uint64_t utc_ns, decltype(WatchEvent::what) what) {
  {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::make_shared<const WatchEvent>(WatchEvent{++version_, utc_ns, std::move(what)}));
    if (events_.size() > capacity_) events_.pop_front();
  }
  const std::lock_guard lock(listeners_mutex_);
  for (const auto& [id, listener] : listeners_) listener();
}

std::uint64_t ChangeLog::version() const {
  const std::lock_guard lock(mutex_);
  return version_;
}

Status ChangeLog::CheckResume(std::uint64_t since) const {
  const std::lock_guard lock(mutex_);
  if (since > version_) {
    return CannotResume("VERSION_UNKNOWN", "version " + std::to_string(since) + " is newer than the newest, " +
                                               std::to_string(version_) + "; read the state again");
  }
  if (since + events_.size() < version_) {
    return CannotResume("VERSION_EXPIRED", "version " + std::to_string(since) + " is older than what is kept, " +
                                               std::to_string(version_ - events_.size()) + "; read the state again");
  }
  return OkStatus();
}

ChangeLog::Reading ChangeLog::After(std::uint64_t since, std::size_t most) const {
  const std::lock_guard lock(mutex_);
  Reading reading;
  const std::uint64_t kept_after = version_ - events_.size();
  if (since < kept_after) reading.lost = kept_after - since;
  for (std::size_t i = since > kept_after ? static_cast<std::size_t>(since - kept_after) : 0;
       i < events_.size() && reading.events.size() < most; ++i) {
    reading.events.push_back(events_[i]);
  }
  return reading;
}

std::uint64_t ChangeLog::Listen(std::function<void()> listener) {
  const std::lock_guard lock(listeners_mutex_);
  listeners_[next_listener_] = std::move(listener);
  return next_listener_++;
}

void ChangeLog::Unlisten(std::uint64_t id) {
  const std::lock_guard lock(listeners_mutex_);
  listeners_.erase(id);
}

}  // namespace probed::state
