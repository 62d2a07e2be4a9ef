// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// One line per change and per stream that shows traffic: who, what, with which (redacted) parameters, what came of it.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "server/base/status.h"
#include "server/config/model.h"
#include "server/control/peer.h"
#include "server/state/engine.h"

namespace probed::control {

struct AuditEntry {
  std::string call;     // "LoadModule"
  std::string subject;  // "http"
  nlohmann::json parameters = nlohmann::json::object();
};

class Audit {
 public:
  using Writer = std::function<void(const std::string& line)>;

  /// Each line is one JSON object. An empty writer means the daemon's log.
  explicit Audit(Writer writer = {});

  void Change(const Peer& peer, const AuditEntry& entry, const state::MutationContext& context, const Status& status,
              const state::Outcome* outcome) const;
  void StreamOpened(const Peer& peer, const AuditEntry& entry) const;

 private:
  Writer writer_;
};

/// A module's configuration without the values its manifest marks as sensitive; only its keys when there is no schema.
nlohmann::json RedactedConfig(const state::Snapshot& snapshot, const std::string& module,
                              const std::string& config_json);
/// A sink without the values of its headers.
nlohmann::json RedactedSink(const config::Sink& sink);

}  // namespace probed::control
