// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// ToYaml: every value that differs from its default, in the order of the documentation.
#include <nlohmann/json.hpp>

#include "server/config/units.h"
#include "server/config/words.h"
#include "server/config/yaml.h"

namespace probed::config {
namespace {

/// A dollar sign would start a reference when the document is read back.
std::string Escaped(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '$' ? std::string("$$") : std::string(1, c);
  return out;
}

class Writer {
 public:
  void Begin(const char* list) { out_ << YAML::Key << list << YAML::Value << YAML::BeginSeq; }
  void End() { out_ << YAML::EndSeq; }
  void BeginMap() { out_ << YAML::BeginMap; }
  void EndMap() { out_ << YAML::EndMap; }
  void Key(const std::string& key) { out_ << YAML::Key << Escaped(key) << YAML::Value; }

  void Text(const char* key, const std::string& value, const std::string& standard = "") {
    if (value == standard) return;
    Key(key);
    Quoted(value);
  }
  /// Words, numbers, durations: what needs no quotes.
  void Plain(const char* key, const std::string& value, const std::string& standard) {
    if (value == standard) return;
    Key(key);
    out_ << value;
  }
  void Bool(const char* key, bool value, bool standard) {
    Plain(key, value ? "true" : "false", standard ? "true" : "false");
  }
  void Double(const char* key, double value, double standard) {
    Plain(key, nlohmann::json(value).dump(), nlohmann::json(standard).dump());
  }
  void Texts(const char* key, const std::vector<std::string>& values) {
    if (values.empty()) return;
    Key(key);
    out_ << YAML::Flow << YAML::BeginSeq;
    for (const std::string& value : values) Quoted(value);
    out_ << YAML::EndSeq;
  }
  template <typename T>
  void Numbers(const char* key, const std::vector<T>& values) {
    if (values.empty()) return;
    Key(key);
    out_ << YAML::Flow << YAML::BeginSeq;
    for (const T value : values) out_ << std::to_string(value);
    out_ << YAML::EndSeq;
  }
  void Quoted(const std::string& value) { out_ << YAML::DoubleQuoted << Escaped(value); }
  void Raw(const std::string& value) { out_ << value; }

  void Json(const nlohmann::json& json) {
    if (json.is_object()) return JsonMap(json);
    if (json.is_array()) return JsonList(json);
    if (json.is_string()) return Quoted(json.get<std::string>());
    // A text "null" would be put into quotes.
    if (json.is_null()) {
      out_ << YAML::Null;
      return;
    }
    Raw(json.dump());
  }

  std::string Take() const { return std::string(out_.c_str(), out_.size()) + "\n"; }

 private:
  void JsonMap(const nlohmann::json& json) {
    out_ << YAML::BeginMap;
    for (const auto& [key, value] : json.items()) {
      out_ << YAML::Key << YAML::DoubleQuoted << key << YAML::Value;
      Json(value);
    }
    out_ << YAML::EndMap;
  }
  void JsonList(const nlohmann::json& json) {
    out_ << YAML::Flow << YAML::BeginSeq;
    for (const auto& item : json) Json(item);
    out_ << YAML::EndSeq;
  }

  YAML::Emitter out_;
};

void Write(Writer& out, const Module& module) {
  out.BeginMap();
  out.Text("name", module.name);
  const nlohmann::json config = nlohmann::json::parse(module.config_json, nullptr, false);
  if (config.is_object() && !config.empty()) {
    out.Key("config");
    out.Json(config);
  }
  out.EndMap();
}

void Write(Writer& out, const Target& target) {
  out.BeginMap();
  out.Text("name", target.name);
  out.Bool("exclude", target.exclude, false);
  out.Texts("exe", target.exe);
  out.Numbers("ports", target.ports);
  out.Numbers("pids", target.pids);
  out.Texts("cgroups", target.cgroups);
  out.Text("service_name", target.service_name);
  out.EndMap();
}

void Write(Writer& out, const Route& route) {
  std::vector<std::string> signals;
  signals.reserve(route.signals.size());
  for (const Signal signal : route.signals) signals.push_back(WordFor(SignalWords(), signal));
  out.BeginMap();
  out.Text("name", route.name);
  out.Texts("modules", route.modules);
  out.Texts("services", route.services);
  out.Texts("signals", signals);
  out.Texts("kinds", route.kinds);
  out.Texts("sinks", route.sinks);
  out.Bool("drop", route.drop, false);
  out.EndMap();
}

void WriteRetry(Writer& out, const Retry& retry) {
  static const Retry kDefault;
  if (retry == kDefault) return;
  out.Key("retry");
  out.BeginMap();
  out.Bool("enabled", retry.enabled, kDefault.enabled);
  out.Plain("initial_interval", FormatDuration(retry.initial_interval), FormatDuration(kDefault.initial_interval));
  out.Plain("max_interval", FormatDuration(retry.max_interval), FormatDuration(kDefault.max_interval));
  out.Plain("max_elapsed", FormatDuration(retry.max_elapsed), FormatDuration(kDefault.max_elapsed));
  out.Double("multiplier", retry.multiplier, kDefault.multiplier);
  out.Double("randomization", retry.randomization, kDefault.randomization);
  out.EndMap();
}

void WriteHeaders(Writer& out, const Sink& sink) {
  if (sink.headers.empty()) return;
  out.Key("headers");
  out.BeginMap();
  for (const auto& [name, value] : sink.headers) {
    out.Raw(name);
    out.Quoted(value);
  }
  out.EndMap();
}

void Write(Writer& out, const Sink& sink) {
  static const Sink kDefault;
  out.BeginMap();
  out.Text("name", sink.name);
  out.Plain("type", WordFor(SinkTypeWords(), sink.type), "");
  out.Text("endpoint", sink.endpoint);
  out.Text("path", sink.path);
  WriteHeaders(out, sink);
  out.Plain("compression", WordFor(CompressionWords(), sink.compression), "none");
  out.Plain("timeout", FormatDuration(sink.timeout), FormatDuration(kDefault.timeout));
  out.Bool("insecure", sink.insecure, kDefault.insecure);
  out.Text("ca_file", sink.ca_file);
  out.Text("cert_file", sink.cert_file);
  out.Text("key_file", sink.key_file);
  out.Plain("queue_batches", std::to_string(sink.queue_batches), std::to_string(kDefault.queue_batches));
  WriteRetry(out, sink.retry);
  out.Plain("temporality", WordFor(TemporalityWords(), sink.temporality), "cumulative");
  out.Plain("rotate_bytes", FormatSize(sink.rotate_bytes), FormatSize(kDefault.rotate_bytes));
  out.Plain("rotate_keep", std::to_string(sink.rotate_keep), std::to_string(kDefault.rotate_keep));
  out.EndMap();
}

template <typename T>
void WriteList(Writer& out, const char* name, const std::vector<T>& items) {
  if (items.empty()) return;
  out.Begin(name);
  for (const T& item : items) Write(out, item);
  out.End();
}

}  // namespace

std::string ToYaml(const State& state) {
  Writer out;
  out.BeginMap();
  WriteList(out, "modules", state.modules);
  WriteList(out, "targets", state.targets);
  WriteList(out, "routes", state.routes);
  WriteList(out, "sinks", state.sinks);
  out.EndMap();
  return out.Take();
}

}  // namespace probed::config
