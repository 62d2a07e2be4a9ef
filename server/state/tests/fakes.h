// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Fakes of the seams: they write down what was asked for and fail where a test wants them to. Header-only, so that
// tests of control/ can use them too.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "server/base/clock.h"
#include "server/base/error_details.h"
#include "server/state/engine.h"
#include "server/state/ports.h"

namespace probed::state {

class FakeClock final : public Clock {
 public:
  std::uint64_t KtimeNs() const override { return now_ns; }
  std::uint64_t UtcNs() const override { return now_ns; }
  std::uint64_t now_ns = 1'700'000'000'000'000'000;
};

/// A journal of calls, and the errors some of them are to give (each once).
class Script {
 public:
  Status Call(const std::string& call) {
    calls.push_back(call);
    for (auto failure = failures_.begin(); failure != failures_.end(); ++failure) {
      if (call.rfind(failure->first, 0) != 0) continue;
      Status error = failure->second;
      failures_.erase(failure);
      return error;
    }
    return OkStatus();
  }
  /// The next call that begins with `prefix` fails.
  void Fail(const std::string& prefix, Status error = MakeStatus(absl::StatusCode::kInternal, "scripted failure")) {
    failures_.emplace_back(prefix, std::move(error));
  }
  std::vector<std::string> Take() { return std::exchange(calls, {}); }

  std::vector<std::string> calls;

 private:
  std::vector<std::pair<std::string, Status>> failures_;
};

class FakeModules final : public ModuleSteps {
 public:
  explicit FakeModules(Script& script) : script_(script) {}

  std::vector<ModuleDescription> Discover() override { return found; }
  Status Open(const std::string& name) override { return script_.Call("Open " + name); }
  Status LoadKernel(const std::string& name) override { return script_.Call("LoadKernel " + name); }
  Status Create(const std::string& name) override { return script_.Call("Create " + name); }
  Status Prepare(const std::string& name, const std::string& config_json) override {
    if (config_json.find("bad") != std::string::npos) {
      return MakeError(
          absl::StatusCode::kInvalidArgument, "bad configuration",
          {.reason = "CONFIG_INVALID", .metadata = {}, .fields = {{"config.bad", "unknown key"}}, .log_tail = {}});
    }
    return script_.Call("Prepare " + name + " " + config_json);
  }
  Status Start(const std::string& name, std::uint32_t generation) override {
    return script_.Call("Start " + name + " " + std::to_string(generation));
  }
  Result<Receipt> Commit(const std::string& name, std::uint32_t generation) override {
    if (Status status = script_.Call("Commit " + name + " " + std::to_string(generation)); !status.ok()) return status;
    Receipt receipt;
    receipt.old_generation = generation - 1;
    receipt.new_generation = generation;
    return receipt;
  }
  void AbortPrepared(const std::string& name) override {
    IgnoreError(script_.Call("AbortPrepared " + name), "it cannot fail");
  }
  Status Quiesce(const std::string& name) override { return script_.Call("Quiesce " + name); }
  Status Drain(const std::string& name) override { return script_.Call("Drain " + name); }
  Status Destroy(const std::string& name) override { return script_.Call("Destroy " + name); }
  Result<UnloadReport> Close(const std::string& name) override {
    if (Status status = script_.Call("Close " + name); !status.ok()) return status;
    return UnloadReport{left_behind};
  }
  std::vector<Condition> Conditions(const std::string& name) override {
    const auto of = conditions.find(name);
    return of == conditions.end() ? std::vector<Condition>{} : of->second;
  }
  Status Forgive(const std::string& name) override {
    forgiven.push_back(name);
    return OkStatus();
  }

  void Add(const std::string& name) {
    ModuleDescription description;
    description.name = name;
    description.version = "1.0.0";
    description.digest = "d1";
    description.path = "/modules/" + name + ".so";
    description.manifest_json =
        R"({"config_schema":{"type":"object","properties":{"token":{"type":"string","x-sensitive":true}}}})";
    found.push_back(std::move(description));
  }

  std::vector<ModuleDescription> found;
  std::vector<std::string> left_behind;
  std::vector<std::string> forgiven;
  std::map<std::string, std::vector<Condition>> conditions;

 private:
  Script& script_;
};

class FakeTargets final : public TargetPort {
 public:
  explicit FakeTargets(Script& script) : script_(script) {}
  Status SetTargets(const std::vector<config::Target>& targets) override {
    return script_.Call("SetTargets " + std::to_string(targets.size()));
  }

 private:
  Script& script_;
};

class FakeRoutes final : public RoutePort {
 public:
  explicit FakeRoutes(Script& script) : script_(script) {}
  Status SetRoutes(const std::vector<config::Route>& routes) override {
    return script_.Call("SetRoutes " + std::to_string(routes.size()));
  }

 private:
  Script& script_;
};

class FakeSinks final : public SinkPort {
 public:
  explicit FakeSinks(Script& script) : script_(script) {}
  Status Put(const config::Sink& sink) override { return script_.Call("Put " + sink.name + " " + sink.endpoint); }
  Status Delete(const std::string& name) override { return script_.Call("Delete " + name); }
  Status Test(const config::Sink& sink) override { return script_.Call("Test " + sink.name); }
  std::vector<SinkStatus> Statuses() override { return statuses; }

  std::vector<SinkStatus> statuses;

 private:
  Script& script_;
};

/// All of them, with an engine on top.
struct FakeWorld {
  explicit FakeWorld(const StateStore* store = nullptr, std::size_t replies = 1024, std::size_t events = 1024)
      : engine({modules, targets, routes, sinks}, {&clock, store, replies, events}) {}

  Script script;
  FakeClock clock;
  FakeModules modules{script};
  FakeTargets targets{script};
  FakeRoutes routes{script};
  FakeSinks sinks{script};
  Engine engine;
};

inline config::Sink OtlpSink(const std::string& name, const std::string& endpoint = "localhost:4317") {
  config::Sink sink;
  sink.name = name;
  sink.endpoint = endpoint;
  return sink;
}

inline config::Route RouteTo(const std::string& name, const std::string& sink) {
  config::Route route;
  route.name = name;
  route.sinks = {sink};
  return route;
}

}  // namespace probed::state
