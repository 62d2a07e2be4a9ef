// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/config/yaml.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "server/config/validate.h"
#include "server/config/words.h"

namespace probed::config {
namespace {

void ReadDaemon(MapReader& map, Daemon& daemon) {
  map.Text("socket", daemon.socket);
  map.Text("http_listen", daemon.http_listen);
  map.Texts("module_dirs", daemon.module_dirs);
  map.Text("log_level", daemon.log_level);
  map.Size("ring_bytes", daemon.ring_bytes);
  map.Number("tail_batches", daemon.tail_batches);
  map.Duration("metric_interval", daemon.metric_interval);
  map.Duration("batch_delay", daemon.batch_delay);
  map.Number("batch_spans", daemon.batch_spans);
  map.Text("backend", daemon.backend);
  map.Text("uprobes", daemon.uprobes);
}

Module ReadModule(MapReader& map, YamlContext& context) {
  Module module;
  nlohmann::json json = nlohmann::json::object();
  map.Text("name", module.name);
  map.Json("config", json);
  if (!json.is_object()) context.Fail(map.path() + ".config", "must be a mapping of keys to values");
  module.config_json = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return module;
}

Target ReadTarget(MapReader& map) {
  Target target;
  map.Text("name", target.name);
  map.Bool("exclude", target.exclude);
  map.Texts("exe", target.exe);
  map.Numbers("ports", target.ports);
  map.Numbers("pids", target.pids);
  map.Texts("cgroups", target.cgroups);
  map.Text("service_name", target.service_name);
  return target;
}

Route ReadRoute(MapReader& map) {
  Route route;
  map.Text("name", route.name);
  map.Texts("modules", route.modules);
  map.Texts("services", route.services);
  map.Words("signals", SignalWords(), route.signals);
  map.Texts("kinds", route.kinds);
  map.Texts("sinks", route.sinks);
  map.Bool("drop", route.drop);
  return route;
}

void ReadRetry(MapReader& map, Retry& retry) {
  map.Bool("enabled", retry.enabled);
  map.Duration("initial_interval", retry.initial_interval);
  map.Duration("max_interval", retry.max_interval);
  map.Duration("max_elapsed", retry.max_elapsed);
  map.Double("multiplier", retry.multiplier);
  map.Double("randomization", retry.randomization);
}

Sink ReadSink(MapReader& map) {
  Sink sink;
  map.Text("name", sink.name);
  map.Word("type", SinkTypeWords(), sink.type);
  map.Text("endpoint", sink.endpoint);
  map.Text("path", sink.path);
  map.TextMap("headers", sink.headers);
  map.Word("compression", CompressionWords(), sink.compression);
  map.Duration("timeout", sink.timeout);
  map.Bool("insecure", sink.insecure);
  map.Text("ca_file", sink.ca_file);
  map.Text("cert_file", sink.cert_file);
  map.Text("key_file", sink.key_file);
  map.Number("queue_batches", sink.queue_batches);
  map.Map("retry", [&](MapReader& retry) { ReadRetry(retry, sink.retry); });
  map.Word("temporality", TemporalityWords(), sink.temporality);
  map.Size("rotate_bytes", sink.rotate_bytes);
  map.Number("rotate_keep", sink.rotate_keep);
  return sink;
}

File ReadFile(YamlContext& context, const YAML::Node& root) {
  File file;
  State& state = file.state;
  MapReader map(context, root, "");
  map.Map("daemon", [&](MapReader& daemon) { ReadDaemon(daemon, file.daemon); });
  map.Maps("modules", [&](MapReader& item) { state.modules.push_back(ReadModule(item, context)); });
  map.Maps("targets", [&](MapReader& item) { state.targets.push_back(ReadTarget(item)); });
  map.Maps("routes", [&](MapReader& item) { state.routes.push_back(ReadRoute(item)); });
  map.Maps("sinks", [&](MapReader& item) { state.sinks.push_back(ReadSink(item)); });
  map.Finish();
  return file;
}

Status SyntaxError(const YAML::Exception& error) {
  std::string where;
  if (!error.mark.is_null()) {
    where = "line " + std::to_string(error.mark.line + 1) + ", column " + std::to_string(error.mark.column + 1) + ": ";
  }
  return MakeError(absl::StatusCode::kInvalidArgument, "not valid YAML: " + where + error.msg,
                   {.reason = "CONFIG_SYNTAX", .metadata = {}, .fields = {}, .log_tail = {}});
}

/// yaml-cpp reports by exception; they end here.
Result<YAML::Node> ParseDocument(std::string_view text) {
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(text));
    if (documents.size() > 1) {
      return MakeError(absl::StatusCode::kInvalidArgument, "more than one YAML document in the file",
                       {.reason = "CONFIG_SYNTAX", .metadata = {}, .fields = {}, .log_tail = {}});
    }
    return documents.empty() ? YAML::Node() : documents.front();
  } catch (const YAML::Exception& error) {
    return SyntaxError(error);
  }
}

}  // namespace

Environment ProcessEnvironment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
}

Result<File> ParseYaml(std::string_view text, const Environment& environment) {
  ASSIGN_OR_RETURN(const YAML::Node root, ParseDocument(text));
  YamlContext context{environment, {}, 0};
  File file;
  try {
    file = ReadFile(context, root);
  } catch (const YAML::Exception& error) {
    return SyntaxError(error);
  }
  Violations violations = std::move(context.violations);
  // A field that could not be read has its default now: judging it again would blame the user twice.
  if (violations.empty()) {
    Append(violations, ValidateDaemon(file.daemon));
    Append(violations, ValidateState(file.state));
  }
  RETURN_IF_ERROR(ToStatus(std::move(violations), "the configuration is not valid"));
  return file;
}

Result<File> LoadYamlFile(const std::string& path, const Environment& environment) {
  std::ifstream stream(path);
  if (!stream) {
    const bool absent = errno == ENOENT;
    return MakeStatus(absent ? absl::StatusCode::kNotFound : absl::StatusCode::kPermissionDenied,
                      "cannot read " + path + ": " + std::strerror(errno));
  }
  std::ostringstream text;
  text << stream.rdbuf();
  Result<File> file = ParseYaml(text.str(), environment);
  if (file.ok()) return file;
  return MakeError(file.status().code(), path + ": " + std::string(Message(file.status())),
                   GetErrorDetails(file.status()));
}

}  // namespace probed::config
