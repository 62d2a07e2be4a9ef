// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/config/validate.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "server/config/text_rules.h"

namespace probed::config {
namespace {

constexpr std::uint32_t kSmallestRing = 4096;
constexpr std::uint32_t kLargestRing = 1U << 30U;

std::string Below(const std::string& prefix, const std::string& field) {
  return prefix.empty() ? field : prefix + "." + field;
}

std::string At(const std::string& list, std::size_t index) { return list + "[" + std::to_string(index) + "]"; }

class Checker {
 public:
  explicit Checker(std::string prefix) : prefix_(std::move(prefix)) {}
  /// Notes a violation of `field` unless `holds`.
  void Require(bool holds, const std::string& field, const std::string& description) {
    if (!holds) found_.push_back({Below(prefix_, field), description});
  }
  void Name(const std::string& name) {
    Require(IsName(name), "name",
            name.empty() ? "is required" : "\"" + name + "\" is no name: use a-z, 0-9, '-', '_' and '.', at most 63");
  }
  Violations Take() { return std::move(found_); }

 private:
  std::string prefix_;
  Violations found_;
};

template <typename T>
Violations Duplicates(const std::vector<T>& items, const std::string& list) {
  Violations found;
  std::set<std::string> seen;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (seen.insert(items[i].name).second) continue;
    found.push_back({At(list, i) + ".name", "\"" + items[i].name + "\" is used twice"});
  }
  return found;
}

bool IsPowerOfTwo(std::uint32_t value) { return value != 0 && (value & (value - 1)) == 0; }

void CheckRetry(Checker& check, const Retry& retry) {
  check.Require(!retry.enabled || retry.initial_interval.count() > 0, "retry.initial_interval", "must be above 0");
  check.Require(retry.max_interval >= retry.initial_interval, "retry.max_interval",
                "must not be below retry.initial_interval");
  check.Require(std::isfinite(retry.multiplier) && retry.multiplier >= 1, "retry.multiplier", "must be 1 or more");
  check.Require(retry.randomization >= 0 && retry.randomization <= 1, "retry.randomization", "must be from 0 to 1");
}

void CheckOtlp(Checker& check, const Sink& sink) {
  const bool http = sink.type == SinkType::kOtlpHttp;
  check.Require(!sink.endpoint.empty(), "endpoint",
                http ? "is required, such as http://127.0.0.1:4318" : "is required, such as 127.0.0.1:4317");
  if (!sink.endpoint.empty()) {
    check.Require(http ? IsUrl(sink.endpoint) : IsGrpcEndpoint(sink.endpoint), "endpoint",
                  "\"" + sink.endpoint + (http ? "\" is no http:// or https:// URL" : "\" is no host:port"));
  }
  check.Require(sink.cert_file.empty() == sink.key_file.empty(), sink.cert_file.empty() ? "cert_file" : "key_file",
                "a client certificate needs both cert_file and key_file");
}

void CheckTransport(Checker& check, const Sink& sink) {
  switch (sink.type) {
    case SinkType::kOtlpGrpc:
    case SinkType::kOtlpHttp: return CheckOtlp(check, sink);
    case SinkType::kFile:
      return check.Require(sink.path.starts_with('/'), "path", "a file sink needs an absolute path");
    case SinkType::kConsole: return;
    case SinkType::kPrometheus:
      return check.Require(IsHostPort(sink.endpoint), "endpoint",
                           "a prometheus sink listens on host:port, such as 127.0.0.1:9464");
  }
}

/// A setting that the sink's type has no use for was meant for another sink, or is a misunderstanding: refused.
void CheckApplies(Checker& check, const Sink& sink) {
  static const Sink kDefault;
  const std::string type(SinkTypeName(sink.type));
  const bool file = sink.type == SinkType::kFile;
  const bool otlp = sink.type == SinkType::kOtlpGrpc || sink.type == SinkType::kOtlpHttp;
  const auto only = [&](bool applies, bool set, const char* field) {
    check.Require(applies || !set, field, "does not apply to a sink of type " + type);
  };
  only(otlp || sink.type == SinkType::kPrometheus, !sink.endpoint.empty(), "endpoint");
  only(file, !sink.path.empty(), "path");
  only(file, sink.rotate_bytes != kDefault.rotate_bytes, "rotate_bytes");
  only(file, sink.rotate_keep != kDefault.rotate_keep, "rotate_keep");
  only(otlp, !sink.headers.empty(), "headers");
  only(otlp, sink.compression != kDefault.compression, "compression");
  only(otlp, !sink.insecure, "insecure");
  only(otlp, !sink.ca_file.empty(), "ca_file");
  only(otlp, !sink.cert_file.empty(), "cert_file");
  only(otlp, !sink.key_file.empty(), "key_file");
}

}  // namespace

Violations ValidateModule(const Module& module, const std::string& prefix) {
  Checker check(prefix);
  check.Name(module.name);
  const nlohmann::json config = nlohmann::json::parse(module.config_json, nullptr, false);
  check.Require(config.is_object(), "config", "must be a JSON object");
  return check.Take();
}

Violations ValidateTarget(const Target& target, const std::string& prefix) {
  Checker check(prefix);
  check.Name(target.name);
  for (std::size_t i = 0; i < target.exe.size(); ++i) {
    check.Require(IsPathGlob(target.exe[i]), At("exe", i),
                  "\"" + target.exe[i] + "\" must be an absolute path or a pattern of one, with brackets closed");
  }
  for (std::size_t i = 0; i < target.ports.size(); ++i) {
    check.Require(target.ports[i] != 0, At("ports", i), "must be from 1 to 65535");
  }
  for (std::size_t i = 0; i < target.pids.size(); ++i) {
    check.Require(target.pids[i] != 0, At("pids", i), "must be above 0");
  }
  for (std::size_t i = 0; i < target.cgroups.size(); ++i) {
    check.Require(IsCgroupPath(target.cgroups[i]), At("cgroups", i),
                  "\"" + target.cgroups[i] + "\" must be a path below the cgroup mount, without \"..\"");
  }
  const bool any = !target.exe.empty() || !target.ports.empty() || !target.pids.empty() || !target.cgroups.empty();
  check.Require(any || !target.exclude, "exclude", "would exclude everything: give exe, ports, pids or cgroups");
  return check.Take();
}

Violations ValidateRoute(const Route& route, const std::vector<Sink>& sinks, const std::string& prefix) {
  static const std::vector<std::string> kKinds = {"server", "client", "internal", "producer", "consumer"};
  std::vector<std::string> known;
  known.reserve(sinks.size());
  for (const Sink& sink : sinks) known.push_back(sink.name);
  Checker check(prefix);
  check.Name(route.name);
  for (std::size_t i = 0; i < route.kinds.size(); ++i) {
    check.Require(std::count(kKinds.begin(), kKinds.end(), route.kinds[i]) != 0, At("kinds", i),
                  NotOneOf(route.kinds[i], kKinds, "is no span kind"));
  }
  for (std::size_t i = 0; i < route.sinks.size(); ++i) {
    check.Require(std::count(known.begin(), known.end(), route.sinks[i]) != 0, At("sinks", i),
                  NotOneOf(route.sinks[i], known, "names no sink"));
  }
  check.Require(route.drop || !route.sinks.empty(), "sinks", "a route needs at least one sink, or drop: true");
  return check.Take();
}

Violations ValidateSink(const Sink& sink, const std::string& prefix) {
  Checker check(prefix);
  check.Name(sink.name);
  CheckTransport(check, sink);
  CheckApplies(check, sink);
  CheckRetry(check, sink.retry);
  check.Require(sink.timeout.count() > 0, "timeout", "must be above 0");
  check.Require(sink.queue_batches > 0, "queue_batches", "must be above 0");
  check.Require(sink.rotate_bytes == 0 || sink.rotate_bytes >= 4096, "rotate_bytes", "must be 0 or 4KiB and more");
  for (const auto& [name, value] : sink.headers) {
    check.Require(IsHeader(name, value), "headers." + name, "is no header: no control characters, no spaces in names");
  }
  return check.Take();
}

Violations ValidateTargets(const std::vector<Target>& targets) {
  Violations found = Duplicates(targets, "targets");
  for (std::size_t i = 0; i < targets.size(); ++i) Append(found, ValidateTarget(targets[i], At("targets", i)));
  return found;
}

Violations ValidateRoutes(const std::vector<Route>& routes, const std::vector<Sink>& sinks) {
  Violations found = Duplicates(routes, "routes");
  for (std::size_t i = 0; i < routes.size(); ++i) Append(found, ValidateRoute(routes[i], sinks, At("routes", i)));
  return found;
}

Violations ValidateState(const State& state) {
  Violations found = Duplicates(state.modules, "modules");
  for (std::size_t i = 0; i < state.modules.size(); ++i) {
    Append(found, ValidateModule(state.modules[i], At("modules", i)));
  }
  Append(found, ValidateTargets(state.targets));
  Append(found, ValidateRoutes(state.routes, state.sinks));
  Append(found, Duplicates(state.sinks, "sinks"));
  for (std::size_t i = 0; i < state.sinks.size(); ++i) Append(found, ValidateSink(state.sinks[i], At("sinks", i)));
  return found;
}

Violations ValidateDaemon(const Daemon& daemon) {
  static const std::vector<std::string> kLevels = {"trace", "debug", "info", "warn", "error", "critical", "off"};
  static const std::vector<std::string> kBackends = {"sock", "fexit"};
  static const std::vector<std::string> kUprobes = {"multi", "perf"};
  Checker check("daemon");
  check.Require(daemon.socket.starts_with('/') && daemon.socket.size() < 108, "socket",
                "must be an absolute path of at most 107 bytes");
  check.Require(daemon.http_listen.empty() || IsHostPort(daemon.http_listen), "http_listen",
                "\"" + daemon.http_listen + "\" is no host:port; leave it empty to switch it off");
  for (std::size_t i = 0; i < daemon.module_dirs.size(); ++i) {
    check.Require(daemon.module_dirs[i].starts_with('/'), At("module_dirs", i), "must be an absolute path");
  }
  check.Require(std::count(kLevels.begin(), kLevels.end(), daemon.log_level) != 0, "log_level",
                NotOneOf(daemon.log_level, kLevels, "is no log level"));
  check.Require(daemon.uprobes.empty() || std::count(kUprobes.begin(), kUprobes.end(), daemon.uprobes) != 0, "uprobes",
                NotOneOf(daemon.uprobes, kUprobes, "is no kind of link"));
  check.Require(daemon.backend.empty() || std::count(kBackends.begin(), kBackends.end(), daemon.backend) != 0,
                "backend", NotOneOf(daemon.backend, kBackends, "is no backend"));
  check.Require(
      IsPowerOfTwo(daemon.ring_bytes) && daemon.ring_bytes >= kSmallestRing && daemon.ring_bytes <= kLargestRing,
      "ring_bytes", "must be a power of two from 4KiB to 1GiB");
  check.Require(daemon.tail_batches > 0, "tail_batches", "must be above 0");
  check.Require(daemon.batch_spans > 0, "batch_spans", "must be above 0");
  check.Require(daemon.metric_interval.count() > 0, "metric_interval", "must be above 0");
  check.Require(daemon.batch_delay.count() > 0, "batch_delay", "must be above 0");
  return check.Take();
}

void Append(Violations& to, Violations from) {
  for (FieldViolation& violation : from) to.push_back(std::move(violation));
}

Status ToStatus(Violations violations, std::string_view what) {
  if (violations.empty()) return OkStatus();
  std::string message(what);
  message += ": " + violations.front().path + ": " + violations.front().description;
  if (violations.size() > 1) message += " (and " + std::to_string(violations.size() - 1) + " more)";
  return MakeError(absl::StatusCode::kInvalidArgument, message,
                   {.reason = "CONFIG_INVALID", .metadata = {}, .fields = std::move(violations), .log_tail = {}});
}

}  // namespace probed::config
