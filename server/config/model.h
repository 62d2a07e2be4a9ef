// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The desired state as plain values: what probed.yaml says, what the API changes, what the planner compares. Knows no
// YAML, no protobuf, no kernel. Defaults here are the documented defaults.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace probed::config {

/// A module the user wants. `config_json` is the user's object, without the schema's defaults.
struct Module {
  std::string name;
  std::string config_json = "{}";
  bool operator==(const Module&) const = default;
};

/// A rule that selects processes: all criteria given must hold (within one criterion any value will do).
struct Target {
  std::string name;
  bool exclude = false;
  std::vector<std::string> exe;      // absolute paths, or globs of them
  std::vector<std::uint16_t> ports;  // local or remote port of the connection
  std::vector<std::uint32_t> pids;
  std::vector<std::string> cgroups;  // paths below the cgroup2 mount; descendants included
  std::string service_name;          // empty: from the process
  bool operator==(const Target&) const = default;
};

enum class Signal { kTraces, kMetrics, kLogs };

/// Where matching telemetry goes. Empty lists match everything. The first matching route decides.
struct Route {
  std::string name;
  std::vector<std::string> modules;
  std::vector<std::string> services;
  std::vector<Signal> signals;
  std::vector<std::string> kinds;  // "server", "client", "internal", "producer", "consumer"; spans only
  std::vector<std::string> sinks;  // names; ignored with drop
  bool drop = false;
  bool operator==(const Route&) const = default;
};

enum class SinkType { kOtlpGrpc, kOtlpHttp, kFile, kConsole, kPrometheus };
enum class Compression { kNone, kGzip };
enum class Temporality { kCumulative, kDelta };

/// Exponential backoff with jitter; the collector's numbers.
struct Retry {
  bool enabled = true;
  std::chrono::milliseconds initial_interval{5000};
  std::chrono::milliseconds max_interval{30000};
  std::chrono::milliseconds max_elapsed{300000};  // 0: forever
  double multiplier = 1.5;
  double randomization = 0.5;
  bool operator==(const Retry&) const = default;
};

struct Sink {
  std::string name;
  SinkType type = SinkType::kOtlpGrpc;
  std::string endpoint;  // host:port or URL; for prometheus the listen address
  std::string path;      // file sink
  std::map<std::string, std::string> headers;
  Compression compression = Compression::kNone;
  std::chrono::milliseconds timeout{10000};
  bool insecure = true;
  std::string ca_file;
  std::string cert_file;
  std::string key_file;
  std::uint64_t queue_batches = 1000;
  Retry retry;
  Temporality temporality = Temporality::kCumulative;
  std::uint64_t rotate_bytes = 100ULL << 20U;  // file sink
  std::uint32_t rotate_keep = 3;
  bool operator==(const Sink&) const = default;
};

struct State {
  std::vector<Module> modules;
  std::vector<Target> targets;
  std::vector<Route> routes;
  std::vector<Sink> sinks;
  bool operator==(const State&) const = default;
};

/// What only a restart changes.
struct Daemon {
  std::string socket = "/run/probed/probed.sock";
  std::string http_listen = "127.0.0.1:8888";  // /metrics, /healthz, /readyz; empty: off
  std::vector<std::string> module_dirs;        // searched in order
  std::string log_level = "info";
  std::uint32_t ring_bytes = 2U << 20U;  // per module and shard, power of two
  std::uint32_t tail_batches = 16;       // in-memory ring behind Tail
  std::chrono::milliseconds metric_interval{60000};
  std::chrono::milliseconds batch_delay{200};
  std::uint32_t batch_spans = 512;
  std::string backend;  // "", "sock" or "fexit"
  std::string uprobes;  // "", "multi" or "perf"
  bool operator==(const Daemon&) const = default;
};

struct File {
  Daemon daemon;
  State state;
};

std::string_view SinkTypeName(SinkType type);
std::string_view SignalName(Signal signal);

}  // namespace probed::config
