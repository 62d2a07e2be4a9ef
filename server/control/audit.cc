// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/audit.h"

#include <spdlog/spdlog.h>

#include "server/base/error_details.h"
#include "server/config/schema.h"

namespace probed::control {
namespace {

using nlohmann::json;

json WhoAndWhat(const Peer& peer, const AuditEntry& entry) {
  return {{"uid", peer.uid},    {"gid", peer.gid},          {"pid", peer.pid},
          {"call", entry.call}, {"subject", entry.subject}, {"parameters", entry.parameters}};
}

std::string Line(const json& line) { return line.dump(-1, ' ', false, json::error_handler_t::replace); }

json SchemaOf(const state::Snapshot& snapshot, const std::string& module) {
  const state::ModuleView* view = state::FindModule(snapshot, module);
  if (view == nullptr || !view->description) return {};
  const json manifest = json::parse(view->description->manifest_json, nullptr, false);
  return manifest.is_object() ? manifest.value("config_schema", json()) : json();
}

}  // namespace

Audit::Audit(Writer writer) : writer_(std::move(writer)) {
  if (!writer_) writer_ = [](const std::string& line) { spdlog::info("audit {}", line); };
}

void Audit::Change(const Peer& peer, const AuditEntry& entry, const state::MutationContext& context,
                   const Status& status, const state::Outcome* outcome) const {
  json line = WhoAndWhat(peer, entry);
  line["request_id"] = context.request_id;
  line["validate_only"] = context.validate_only;
  line["result"] = absl::StatusCodeToString(status.code());
  if (!status.ok()) line["reason"] = GetErrorDetails(status).reason;
  if (outcome != nullptr) {
    line["old_generation"] = outcome->old_generation;
    line["new_generation"] = outcome->new_generation;
    line["replayed"] = outcome->replayed;
  }
  writer_(Line(line));
}

void Audit::StreamOpened(const Peer& peer, const AuditEntry& entry) const { writer_(Line(WhoAndWhat(peer, entry))); }

json RedactedConfig(const state::Snapshot& snapshot, const std::string& module, const std::string& config_json) {
  const json config = json::parse(config_json.empty() ? "{}" : config_json, nullptr, false);
  if (!config.is_object()) return "not a JSON object";
  const json schema = SchemaOf(snapshot, module);
  if (schema.is_object()) return config::Redacted(schema, config);
  json keys = json::array();
  for (const auto& [key, value] : config.items()) keys.push_back(key);
  return keys;
}

json RedactedSink(const config::Sink& sink) {
  json headers = json::array();
  for (const auto& [name, value] : sink.headers) headers.push_back(name);
  return {{"type", config::SinkTypeName(sink.type)},
          {"endpoint", sink.endpoint.substr(0, sink.endpoint.find('?'))},
          {"path", sink.path},
          {"headers", headers},
          {"insecure", sink.insecure}};
}

}  // namespace probed::control
