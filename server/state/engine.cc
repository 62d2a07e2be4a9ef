// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/state/engine.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "server/config/validate.h"
#include "server/config/yaml.h"
#include "server/state/engine_once.h"
#include "server/state/hash.h"

namespace probed::state {
namespace {

constexpr std::uint64_t kNsPerUs = 1000;

template <typename T>
void PutByName(std::vector<T>& items, const T& item) {
  for (T& existing : items) {
    if (existing.name != item.name) continue;
    existing = item;
    return;
  }
  items.push_back(item);
}

template <typename T>
void EraseByName(std::vector<T>& items, const std::string& name) {
  std::erase_if(items, [&](const T& item) { return item.name == name; });
}

Status SinkInUse(const std::string& name, const config::State& state) {
  std::string routes;
  for (const config::Route& route : state.routes) {
    if (std::find(route.sinks.begin(), route.sinks.end(), name) == route.sinks.end()) continue;
    routes += (routes.empty() ? "" : ", ") + route.name;
  }
  if (routes.empty()) return OkStatus();
  return StateError(absl::StatusCode::kFailedPrecondition, "SINK_IN_USE",
                    "sink " + name + " is used by the routes " + routes + "; change them first",
                    {{"sink", name}, {"routes", routes}});
}

Status NoSuchSink(const std::string& name, const config::State& state) {
  std::vector<std::string> names;
  names.reserve(state.sinks.size());
  for (const config::Sink& sink : state.sinks) names.push_back(sink.name);
  const std::string nearest = NearestWord(name, names);
  return StateError(absl::StatusCode::kNotFound, "SINK_NOT_FOUND",
                    "there is no sink \"" + name + "\"" + (nearest.empty() ? "" : "; did you mean " + nearest + "?"),
                    {{"sink", name}});
}

}  // namespace

Status StateError(absl::StatusCode code, std::string_view reason, std::string_view message,
                  std::map<std::string, std::string> metadata) {
  return MakeError(code, message,
                   {.reason = std::string(reason), .metadata = std::move(metadata), .fields = {}, .log_tail = {}});
}

Status InvalidAs(std::string_view reason, std::vector<FieldViolation> violations, std::string_view what) {
  Status status = config::ToStatus(std::move(violations), what);
  if (status.ok()) return status;
  ErrorDetails details = GetErrorDetails(status);
  details.reason = reason;
  return MakeError(status.code(), Message(status), std::move(details));
}

Status CheckEtag(const MutationContext& context, const std::string& current, const std::string& resource) {
  if (context.etag.empty() || context.etag == current) return OkStatus();
  return StateError(absl::StatusCode::kAborted, "ETAG_MISMATCH",
                    resource + " was changed by somebody else meanwhile; read it again and repeat the change",
                    {{"resource", resource}, {"etag", current}});
}

Engine::Engine(Ports ports, EngineOptions options)
    : ports_(ports),
      options_(options),
      log_(options.clock->UtcNs() / kNsPerUs, options.watch_events),
      driver_(ports.modules, *options.clock, [this] { Publish(); }),
      executor_(driver_, ports),
      replies_(options.remembered_replies) {
  Publish();
}

std::vector<std::string> Engine::Start(const StartState& start) {
  PROBED_ASSERT_ON(Control);
  const BusyScope busy(busy_);
  desired_ = start.stored.state;
  generation_ = std::max<std::uint64_t>(start.stored.generation + (start.differences.empty() ? 0 : 1), 1);
  changed_at_utc_ns_ = start.stored.changed_at_utc_ns != 0 && start.differences.empty() ? start.stored.changed_at_utc_ns
                                                                                        : options_.clock->UtcNs();
  file_hash_ = start.stored.file_hash;
  file_differences_ = start.differences;
  for (const std::string& difference : file_differences_) spdlog::warn("{}", difference);
  found_ = ports_.modules.Discover();
  for (const config::Module& module : desired_.modules) driver_.MarkPending(module.name);
  std::vector<std::string> problems;
  for (const Change& change : Plan({}, desired_)) StartChange(change, problems);
  if (const Status saved = Save(desired_, generation_, changed_at_utc_ns_); !saved.ok())
    problems.emplace_back(Message(saved));
  Refresh();
  return problems;
}

void Engine::StartChange(const Change& change, std::vector<std::string>& problems) {
  const Status status = executor_.RunOne(change);
  if (status.ok()) return;
  problems.push_back("cannot " + Describe(change) + ": " + std::string(Message(status)));
  spdlog::error("{}", problems.back());
  if (const auto* put = std::get_if<state::PutSink>(&change)) failed_sinks_[put->sink.name] = Message(status);
  const auto* load = std::get_if<state::LoadModule>(&change);
  if (load == nullptr) return;
  for (const ModuleDescription& found : found_) {
    if (found.name == load->module.name) failed_digests_[found.name] = found.digest;
  }
}

void Engine::Stop() {
  PROBED_ASSERT_ON(Control);
  const BusyScope busy(busy_);
  for (auto module = desired_.modules.rbegin(); module != desired_.modules.rend(); ++module) {
    if (!driver_.Running(module->name)) continue;
    const auto left = driver_.Unload(module->name);
    if (!left.ok()) spdlog::error("cannot unload module {}: {}", module->name, Message(left.status()));
  }
}

Result<SinkReply> Engine::PutSink(const MutationContext& context, const config::Sink& sink) {
  config::State alone;
  alone.sinks = {sink};
  return Once<SinkReply>(context, "PutSink\n" + config::ToYaml(alone), [&] { return DoPutSink(context, sink); });
}

Result<SinkReply> Engine::DoPutSink(const MutationContext& context, const config::Sink& sink) {
  RETURN_IF_ERROR(InvalidAs("SINK_INVALID", config::ValidateSink(sink, "sink"), "the sink is not valid"));
  const SnapshotPtr now = snapshot();
  const SinkView* before = FindSink(*now, sink.name);
  RETURN_IF_ERROR(CheckEtag(context, before == nullptr ? "" : before->etag, "sink " + sink.name));
  SinkReply reply{{sink, {}, SinkEtag(sink)}, before == nullptr, ValidatedOnly()};
  if (context.validate_only) return reply;
  config::State next = desired_;
  PutByName(next.sinks, sink);
  config::State from = desired_;
  if (failed_sinks_.contains(sink.name)) EraseByName(from.sinks, sink.name);
  ASSIGN_OR_RETURN(Transition transition, MoveTo(next, from));
  Refresh();
  const SnapshotPtr after = snapshot();
  if (const SinkView* view = FindSink(*after, sink.name)) reply.sink = *view;
  reply.outcome = std::move(transition.outcome);
  return reply;
}

Result<Outcome> Engine::DeleteSink(const MutationContext& context, const std::string& name) {
  return Once<Outcome>(context, "DeleteSink\n" + name, [&] { return DoDeleteSink(context, name); });
}

Result<Outcome> Engine::DoDeleteSink(const MutationContext& context, const std::string& name) {
  const SnapshotPtr now = snapshot();
  const SinkView* before = FindSink(*now, name);
  if (before == nullptr) return NoSuchSink(name, desired_);
  RETURN_IF_ERROR(CheckEtag(context, before->etag, "sink " + name));
  RETURN_IF_ERROR(SinkInUse(name, desired_));
  if (context.validate_only) return ValidatedOnly();
  config::State next = desired_;
  EraseByName(next.sinks, name);
  config::State from = desired_;
  if (failed_sinks_.contains(name)) EraseByName(from.sinks, name);
  ASSIGN_OR_RETURN(Transition transition, MoveTo(next, from));
  failed_sinks_.erase(name);
  return std::move(transition.outcome);
}

Result<RoutesReply> Engine::PutRoutes(const MutationContext& context, const std::vector<config::Route>& routes) {
  config::State next = desired_;
  next.routes = routes;
  config::State alone;
  alone.routes = routes;
  return Once<RoutesReply>(context, "PutRoutes\n" + config::ToYaml(alone), [&]() -> Result<RoutesReply> {
    RETURN_IF_ERROR(
        InvalidAs("ROUTES_INVALID", config::ValidateRoutes(routes, desired_.sinks), "the routes are not valid"));
    RETURN_IF_ERROR(CheckEtag(context, snapshot()->routes.etag, "the route table"));
    RoutesReply reply{{routes, RoutesEtag(routes)}, ValidatedOnly()};
    if (context.validate_only) return reply;
    ASSIGN_OR_RETURN(Transition transition, MoveTo(next, desired_));
    reply.outcome = std::move(transition.outcome);
    return reply;
  });
}

Result<TargetsReply> Engine::PutTargets(const MutationContext& context, const std::vector<config::Target>& targets) {
  config::State next = desired_;
  next.targets = targets;
  config::State alone;
  alone.targets = targets;
  return Once<TargetsReply>(context, "PutTargets\n" + config::ToYaml(alone), [&]() -> Result<TargetsReply> {
    RETURN_IF_ERROR(InvalidAs("TARGETS_INVALID", config::ValidateTargets(targets), "the targets are not valid"));
    RETURN_IF_ERROR(CheckEtag(context, snapshot()->targets.etag, "the target table"));
    TargetsReply reply{{targets, TargetsEtag(targets)}, ValidatedOnly()};
    if (context.validate_only) return reply;
    ASSIGN_OR_RETURN(Transition transition, MoveTo(next, desired_));
    reply.outcome = std::move(transition.outcome);
    return reply;
  });
}

Result<StateReply> Engine::Apply(const MutationContext& context, const config::State& state,
                                 const std::optional<std::string>& file_hash) {
  return Once<StateReply>(context, "Apply\n" + config::ToYaml(state), [&]() -> Result<StateReply> {
    RETURN_IF_ERROR(config::ToStatus(config::ValidateState(state), "the state is not valid"));
    RETURN_IF_ERROR(CheckEtag(context, snapshot()->hash, "the state"));
    StateReply reply{{}, ValidatedOnly()};
    const config::State from = Actual();
    for (const Change& change : Plan(from, state)) {
      reply.plan.push_back(Describe(change));
      RETURN_IF_ERROR(CheckChange(change));
    }
    if (context.validate_only) return reply;
    const std::string hash_before = file_hash_;
    if (file_hash) file_hash_ = *file_hash;
    Result<Transition> transition = MoveTo(state, from);
    if (!transition.ok()) {
      file_hash_ = hash_before;
      return transition.status();
    }
    if (file_hash) file_differences_.clear();
    reply.outcome = std::move(transition->outcome);
    return reply;
  });
}

Result<SinkAnswer> Engine::TestSink(const std::string& name) {
  for (const config::Sink& sink : desired_.sinks) {
    if (sink.name == name) return TestSink(sink);
  }
  return NoSuchSink(name, desired_);
}

Result<SinkAnswer> Engine::TestSink(const config::Sink& sink) {
  PROBED_ASSERT_ON(Control);
  const BusyScope busy(busy_);
  RETURN_IF_ERROR(InvalidAs("SINK_INVALID", config::ValidateSink(sink, "sink"), "the sink is not valid"));
  return SinkAnswer{ports_.sinks.Test(sink)};
}

Status Engine::CheckChange(const Change& change) {
  if (const auto* load = std::get_if<state::LoadModule>(&change)) return CheckModuleConfig(load->module);
  if (const auto* configure = std::get_if<state::ConfigureModule>(&change)) return CheckModuleConfig(configure->module);
  return OkStatus();
}

config::State Engine::Actual() const {
  config::State actual = desired_;
  std::erase_if(actual.modules, [this](const config::Module& module) { return !driver_.Running(module.name); });
  std::erase_if(actual.sinks, [this](const config::Sink& sink) { return failed_sinks_.contains(sink.name); });
  return actual;
}

/// Carries out the way from what is there to `next`, stores it, and makes it what is wanted; or does nothing.
Result<Engine::Transition> Engine::MoveTo(const config::State& next, const config::State& from) {
  const std::vector<Change> plan = Plan(from, next);
  if (plan.empty() && next == desired_) return Unchanged();
  if (Status done = executor_.Run(plan); !done.ok()) {
    Publish();
    return done;
  }
  const bool changed = next != desired_;
  const std::uint64_t generation = generation_ + (changed ? 1 : 0);
  const std::uint64_t changed_at = changed ? options_.clock->UtcNs() : changed_at_utc_ns_;
  if (Status saved = Save(next, generation, changed_at); !saved.ok()) {
    executor_.Undo();
    Publish();
    return saved;
  }
  Transition transition{{}, executor_.left_behind()};
  transition.outcome.old_generation = generation_;
  transition.outcome.new_generation = generation;
  transition.outcome.receipt = executor_.receipt();
  transition.outcome.warnings = executor_.left_behind();
  desired_ = next;
  generation_ = generation;
  changed_at_utc_ns_ = changed_at;
  for (const Change& change : plan) NoteDone(change);
  Publish();
  transition.outcome.version = log_.version();
  return transition;
}

/// What had failed at start has now been done.
void Engine::NoteDone(const Change& change) {
  if (const auto* load = std::get_if<state::LoadModule>(&change)) failed_digests_.erase(load->module.name);
  if (const auto* put = std::get_if<state::PutSink>(&change)) failed_sinks_.erase(put->sink.name);
}

Status Engine::Save(const config::State& next, std::uint64_t generation, std::uint64_t changed_at_utc_ns) {
  if (options_.store == nullptr) return OkStatus();
  return options_.store->Save({generation, changed_at_utc_ns, file_hash_, next});
}

Engine::Transition Engine::Unchanged() const {
  Transition transition;
  transition.outcome.unchanged = true;
  transition.outcome.version = log_.version();
  transition.outcome.old_generation = transition.outcome.new_generation = generation_;
  return transition;
}

Outcome Engine::ValidatedOnly() const {
  Outcome outcome = Unchanged().outcome;
  outcome.unchanged = false;
  outcome.validated_only = true;
  return outcome;
}

}  // namespace probed::state
