// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// How Engine shows what it did: a new snapshot after each change, and a watch event for each difference to the last.
#include <algorithm>
#include <set>

#include "server/base/thread_tags.h"
#include "server/state/engine.h"

namespace probed::state {
namespace {

template <typename T, typename NameOf, typename Same, typename Tell, typename Gone>
void ForEachDifference(const std::vector<T>& before, const std::vector<T>& after, NameOf name_of, Same same, Tell tell,
                       Gone gone) {
  const auto find = [&](const std::vector<T>& items, const std::string& name) {
    return std::find_if(items.begin(), items.end(), [&](const T& item) { return name_of(item) == name; });
  };
  for (const T& item : after) {
    const auto old = find(before, name_of(item));
    if (old == before.end() || !same(*old, item)) tell(item);
  }
  for (const T& item : before) {
    if (find(after, name_of(item)) == after.end()) gone(name_of(item));
  }
}

}  // namespace

SnapshotPtr Engine::snapshot() const {
  const std::lock_guard lock(snapshot_mutex_);
  return snapshot_;
}

void Engine::Refresh() {
  PROBED_ASSERT_ON(Control);
  sink_statuses_ = ports_.sinks.Statuses();
  Publish();
}

void Engine::Publish() {
  std::shared_ptr<Snapshot> next = BuildSnapshot();
  if (const SnapshotPtr before = snapshot()) PublishDifferences(*before, *next);
  next->version = log_.version();
  const std::lock_guard lock(snapshot_mutex_);
  snapshot_ = std::move(next);
}

void Engine::PublishDifferences(const Snapshot& before, const Snapshot& after) {
  const std::uint64_t now = options_.clock->UtcNs();
  ForEachDifference(
      before.sinks, after.sinks, [](const SinkView& view) -> const std::string& { return view.sink.name; },
      [](const SinkView& a, const SinkView& b) { return SameForWatch(a, b); },
      [&](const SinkView& view) { log_.Append(now, view); },
      [&](const std::string& name) { log_.Append(now, RemovedResource{ResourceKind::kSink, name}); });
  if (before.targets.etag != after.targets.etag) log_.Append(now, after.targets);
  if (before.routes.etag != after.routes.etag) log_.Append(now, after.routes);
  ForEachDifference(
      before.modules, after.modules, [](const ModuleView& view) -> const std::string& { return view.name; },
      [](const ModuleView& a, const ModuleView& b) { return SameForWatch(a, b); },
      [&](const ModuleView& view) { log_.Append(now, view); },
      [&](const std::string& name) { log_.Append(now, RemovedResource{ResourceKind::kModule, name}); });
}

std::shared_ptr<Snapshot> Engine::BuildSnapshot() {
  auto next = std::make_shared<Snapshot>();
  next->generation = generation_;
  next->changed_at_utc_ns = changed_at_utc_ns_;
  next->state = desired_;
  next->hash = StateHash(desired_);
  next->targets = {desired_.targets, TargetsEtag(desired_.targets)};
  next->routes = {desired_.routes, RoutesEtag(desired_.routes)};
  next->file_differences = file_differences_;
  next->modules = BuildModules();
  for (const config::Sink& sink : desired_.sinks) {
    SinkView view{sink, {}, SinkEtag(sink)};
    for (const SinkStatus& status : sink_statuses_) {
      if (status.name == sink.name) view.status = status;
    }
    if (const auto failed = failed_sinks_.find(sink.name); failed != failed_sinks_.end()) {
      view.status.state = "failing";
      view.status.last_error = failed->second;
    }
    next->sinks.push_back(std::move(view));
  }
  std::sort(next->sinks.begin(), next->sinks.end(),
            [](const SinkView& a, const SinkView& b) { return a.sink.name < b.sink.name; });
  return next;
}

std::vector<ModuleView> Engine::BuildModules() {
  std::map<std::string, ModuleView> views;
  for (const ModuleDescription& description : found_) views[description.name].description = description;
  for (const std::string& name : driver_.ActiveNames()) views[name];
  for (const config::Module& module : desired_.modules) {
    views[module.name].desired = true;
    views[module.name].config_json = module.config_json;
  }
  std::vector<ModuleView> modules;
  for (auto& [name, view] : views) {
    view.name = name;
    if (!view.desired) view.config_json = "{}";
    view.standing = driver_.Standing(name);
    view.etag = ModuleEtag(view.desired, view.config_json);
    modules.push_back(std::move(view));
  }
  return modules;
}

}  // namespace probed::state
