// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What the planner and executor need done, as seams: app/ implements them over modules/, bpf/, pipeline/ and export/,
// tests by fakes. Everything here is called on [control] only and returns when the step is done or has failed.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/status.h"
#include "server/config/model.h"

namespace probed::state {

/// A module found in the configured directories; read from its manifest, none of its code has run.
struct ModuleDescription {
  std::string name;
  std::string version;
  std::string description;
  std::string path;
  std::string status;         // alpha, beta, stable
  std::string digest;         // sha256 of the file, hex
  std::string manifest_json;  // whole, for GetModule
  std::string problem;        // why it cannot be used; empty: it can
};

/// What a change of configuration did to the events under way (module-abi.md, rule 6).
struct Receipt {
  std::uint32_t old_generation = 0;
  std::uint32_t new_generation = 0;
  std::uint64_t submitted_old = 0;
  std::uint64_t submitted_new = 0;
  std::uint64_t consumed_old = 0;
  std::uint64_t consumed_new = 0;
  std::uint64_t lost = 0;
  std::uint64_t doubled = 0;
};

/// What unload could verify. Empty `left_behind`: nothing stayed.
struct UnloadReport {
  std::vector<std::string> left_behind;
};

/// A state of a module that is no phase: e.g. {"Degraded", "ATTACH_REFUSED", "...", since}.
struct Condition {
  std::string type;
  std::string reason;
  std::string message;
  std::uint64_t since_utc_ns = 0;
};

/// Steps of a module's life, in the order the lifecycle machine asks for them. A step that fails leaves nothing of
/// itself behind. Drain fails with DEADLINE_EXCEEDED only when code of the module may still be running: nothing is then
/// taken from under it.
class ModuleSteps {
 public:
  virtual ~ModuleSteps() = default;
  /// All modules in the directories, loaded or not.
  virtual std::vector<ModuleDescription> Discover() = 0;

  // --- load -----------------------------------------------------------------------------------------------------
  virtual Status Open(const std::string& name) = 0;        // find, check, seal, digest, manifest, library
  virtual Status LoadKernel(const std::string& name) = 0;  // BPF objects through the verifier, rings, slot block
  virtual Status Create(const std::string& name) = 0;      // the instance and its shards
  /// Checks a configuration against schema and module, keeps it prepared. Field violations in the error's details.
  /// Before Create it checks against the schema alone (validate_only of a module not loaded).
  virtual Status Prepare(const std::string& name, const std::string& config_json) = 0;
  virtual Status Start(const std::string& name, std::uint32_t generation) = 0;  // commit, publish, attach

  // --- configure --------------------------------------------------------------------------------------------------
  virtual Result<Receipt> Commit(const std::string& name, std::uint32_t generation) = 0;
  /// Gives up what Prepare keeps; does nothing when nothing is prepared (also after a Start or Commit that used it up).
  virtual void AbortPrepared(const std::string& name) = 0;

  // --- unload, also from any half-way point of a load -------------------------------------------------------------
  virtual Status Quiesce(const std::string& name) = 0;              // clear slots and links, RCU grace
  virtual Status Drain(const std::string& name) = 0;                // rings past the marker, flush, no shard inside
  virtual Status Destroy(const std::string& name) = 0;              // shards, instance, BPF objects
  virtual Result<UnloadReport> Close(const std::string& name) = 0;  // library; verified

  virtual std::vector<Condition> Conditions(const std::string& name) = 0;

  /// A user asks for the module: that it crashed earlier runs of the daemon holds it back no longer.
  virtual Status Forgive(const std::string& name) = 0;
};

class TargetPort {
 public:
  virtual ~TargetPort() = default;
  virtual Status SetTargets(const std::vector<config::Target>& targets) = 0;
};

class RoutePort {
 public:
  virtual ~RoutePort() = default;
  virtual Status SetRoutes(const std::vector<config::Route>& routes) = 0;
};

struct SinkStatus {
  std::string name;
  std::string state;  // "ok", "retrying", "failing", "idle"
  std::string last_error;
  std::uint64_t queued_items = 0;
  std::uint64_t sent_items = 0;
  std::uint64_t rejected_items = 0;
  std::uint64_t dropped_items = 0;
};

class SinkPort {
 public:
  virtual ~SinkPort() = default;
  /// Starts a sink, or replaces the one of that name (what is queued moves over).
  virtual Status Put(const config::Sink& sink) = 0;
  /// Flushes within a deadline, then removes it.
  virtual Status Delete(const std::string& name) = 0;
  /// Sends an empty-but-valid export request and says what came back.
  virtual Status Test(const config::Sink& sink) = 0;
  virtual std::vector<SinkStatus> Statuses() = 0;
};

/// One line of the ledger (architecture.md): a place, a shard, and its counters by name.
struct LedgerLine {
  std::string scope;  // "kernel", "module:http", "sink:collector", ...
  std::map<std::string, std::uint64_t> counters;
  std::string imbalance;  // empty: it closes; else which equation does not, by how much
};

class LedgerPort {
 public:
  virtual ~LedgerPort() = default;
  /// Read at a barrier: a marker goes through every ring first.
  virtual std::vector<LedgerLine> ReadLedger() = 0;
};

/// What of the telemetry stream Tail wants.
struct TailFilter {
  std::vector<std::string> modules;
  std::vector<std::string> services;
  bool traces = true;
  bool metrics = false;
  bool logs = false;
};

/// A decoded item as OTLP/JSON (one span, data point or log record with its resource), or a loss record.
struct TailItem {
  std::uint64_t lost = 0;  // items dropped for this reader before this one
  config::Signal signal = config::Signal::kTraces;
  std::string module;
  std::string service;
  std::string json;  // {"resource":{...},"span":{...}}
};

/// A reader of the in-memory ring. [grpc] Next blocks up to the timeout; empty vector: nothing came.
class TailReader {
 public:
  virtual ~TailReader() = default;
  virtual std::vector<TailItem> Next(std::chrono::milliseconds timeout) = 0;
};

class TailPort {
 public:
  virtual ~TailPort() = default;
  virtual std::unique_ptr<TailReader> OpenTail(const TailFilter& filter) = 0;
};

/// Facts for GetInfo.
struct PlatformInfo {
  std::string kernel_release;
  std::string backend;  // "sock", "fexit", or empty when none works
  std::vector<std::string> backends_available;
  std::vector<std::string> missing_features;
  std::vector<std::string> capabilities;
  std::uint32_t shards = 1;
};

}  // namespace probed::state
