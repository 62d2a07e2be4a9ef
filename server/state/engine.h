// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The one place where state changes: API, file and drop-in directory all come here. Owns the desired state, plans the
// way to a new one, carries it out with undo, stores it and publishes what became of it. A failed change leaves the
// state as it was. Everything is synchronous and [control] unless tagged otherwise.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "server/base/clock.h"
#include "server/state/change_log.h"
#include "server/state/executor.h"
#include "server/state/replies.h"
#include "server/state/snapshot.h"
#include "server/state/store.h"

namespace probed::state {

/// How a change is to be made.
struct MutationContext {
  std::string request_id;  // empty: not to be remembered. Scoped to `caller`
  std::string etag;        // empty: whatever is there
  bool validate_only = false;
  std::string caller;  // "uid:0"
};

/// What a change came to.
struct Outcome {
  std::uint64_t version = 0;
  std::uint64_t old_generation = 0;  // of the desired state
  std::uint64_t new_generation = 0;
  std::vector<std::string> warnings;
  std::optional<Receipt> receipt;
  bool validated_only = false;
  bool replayed = false;
  bool unchanged = false;
};

struct ModuleReply {
  ModuleView module;
  std::vector<std::string> left_behind;
  Outcome outcome;
};
struct SinkReply {
  SinkView sink;
  bool created = false;
  Outcome outcome;
};
struct RoutesReply {
  RoutesView routes;
  Outcome outcome;
};
struct TargetsReply {
  TargetsView targets;
  Outcome outcome;
};
struct StateReply {
  std::vector<std::string> plan;  // what was, or would be, done
  Outcome outcome;
};

/// What a receiver said to a test; a refusal is an answer, not an error of the call.
struct SinkAnswer {
  Status status;
};

struct EngineOptions {
  const Clock* clock = &SystemClock();
  const StateStore* store = nullptr;  // null: nothing is stored
  std::size_t remembered_replies = 1024;
  std::size_t watch_events = 1024;
};

class Engine {
 public:
  /// The ports, the clock and the store must outlive the engine.
  Engine(Ports ports, EngineOptions options);

  /// Brings up what was chosen at start, piece by piece: what fails stays wanted, shows why, and is in the list of
  /// problems returned. To be called once.
  std::vector<std::string> Start(const StartState& start);
  /// Unloads every module, last loaded first, without changing what is wanted.
  void Stop();

  /// Errors: MODULE_NOT_FOUND, MODULE_ALREADY_LOADED, CONFIG_INVALID, ETAG_MISMATCH, REQUEST_ID_REUSED,
  /// STATE_NOT_SAVED, and whatever the steps refuse with.
  Result<ModuleReply> LoadModule(const MutationContext& context, const std::string& name,
                                 const std::string& config_json);
  Result<ModuleReply> ConfigureModule(const MutationContext& context, const std::string& name,
                                      const std::string& config_json);
  Result<ModuleReply> UnloadModule(const MutationContext& context, const std::string& name);
  Result<SinkReply> PutSink(const MutationContext& context, const config::Sink& sink);
  Result<Outcome> DeleteSink(const MutationContext& context, const std::string& name);
  Result<RoutesReply> PutRoutes(const MutationContext& context, const std::vector<config::Route>& routes);
  Result<TargetsReply> PutTargets(const MutationContext& context, const std::vector<config::Target>& targets);
  /// The whole at once. `file_hash`: StateHash of the file this is, when it is one.
  Result<StateReply> Apply(const MutationContext& context, const config::State& state,
                           const std::optional<std::string>& file_hash = std::nullopt);

  /// Asks the receiver.
  Result<SinkAnswer> TestSink(const std::string& name);
  Result<SinkAnswer> TestSink(const config::Sink& sink);

  /// Looks through the module directories. A wanted module whose file appeared or changed since it failed is loaded.
  void Rescan();
  /// Takes conditions of modules and status of sinks anew and publishes them.
  void Refresh();

  /// [any]
  SnapshotPtr snapshot() const;
  /// [any] A change is being made: reading fresh status would have to wait.
  bool busy() const { return busy_.load(); }
  /// [any]
  ChangeLog& change_log() { return log_; }

 private:
  struct Transition {
    Outcome outcome;
    std::vector<std::string> left_behind;
  };

  template <typename Reply>
  Result<Reply> Once(const MutationContext& context, const std::string& fingerprint,
                     const std::function<Result<Reply>()>& make);
  Result<ModuleReply> DoLoad(const MutationContext& context, const config::Module& module);
  Result<ModuleReply> DoConfigure(const MutationContext& context, const config::Module& module);
  Result<ModuleReply> DoUnload(const MutationContext& context, const std::string& name);
  Result<SinkReply> DoPutSink(const MutationContext& context, const config::Sink& sink);
  Result<Outcome> DoDeleteSink(const MutationContext& context, const std::string& name);

  Status CheckChange(const Change& change);
  Status CheckModuleConfig(const config::Module& module);
  Status CheckLoadable(const ModuleView& view, const config::Module& module);
  Result<ModuleView> KnownModule(const std::string& name);
  ModuleReply Prospect(ModuleView view, const config::Module& module) const;
  ModuleReply ModuleNow(const std::string& name, Transition transition) const;

  /// What is wanted and also there: what failed at start is not.
  config::State Actual() const;
  Result<Transition> MoveTo(const config::State& next, const config::State& from);
  Status Save(const config::State& next, std::uint64_t generation, std::uint64_t changed_at_utc_ns);
  void NoteDone(const Change& change);
  Transition Unchanged() const;
  Outcome ValidatedOnly() const;

  void StartChange(const Change& change, std::vector<std::string>& problems);
  void RetryFailed();
  void Publish();
  void PublishDifferences(const Snapshot& before, const Snapshot& after);
  std::shared_ptr<Snapshot> BuildSnapshot();
  std::vector<ModuleView> BuildModules();

  Ports ports_;
  EngineOptions options_;
  ChangeLog log_;
  ModuleDriver driver_;
  Executor executor_;
  Replies replies_;

  config::State desired_;
  std::uint64_t generation_ = 0;
  std::uint64_t changed_at_utc_ns_ = 0;
  std::string file_hash_;
  std::vector<std::string> file_differences_;
  std::vector<ModuleDescription> found_;
  std::map<std::string, std::string> failed_digests_;  // of the file a wanted module last failed with
  std::map<std::string, std::string> failed_sinks_;    // could not be put at start, and why
  std::vector<SinkStatus> sink_statuses_;

  std::atomic<bool> busy_{false};
  mutable std::mutex snapshot_mutex_;
  SnapshotPtr snapshot_;
};

}  // namespace probed::state
