// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The control API as one thing: socket, accept loop, gRPC services, health, audit.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "server/base/status.h"
#include "server/control/audit.h"
#include "server/control/service_context.h"

namespace probed::control {

struct ControlOptions {
  std::string socket_path = "/run/probed/probed.sock";
  std::string group = "probed";            // may enter, if the machine has it
  std::chrono::milliseconds linger{2000};  // gRPC stays this long after the last client
  DaemonFacts facts;
  Audit::Writer audit;  // empty: the daemon's log
};

/// What the services work on; must outlive the server.
struct ControlPorts {
  state::Engine& engine;
  state::LedgerPort& ledger;
  state::TailPort& tail;
};

class ControlServer {
 public:
  /// `control` is the strand of [control]; it has to run until Shutdown has returned.
  static Result<std::unique_ptr<ControlServer>> Start(ControlOptions options, ControlPorts ports,
                                                      boost::asio::any_io_executor control);
  /// As Shutdown without grace.
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  /// No further connections, streams end, calls have the grace period to end; removes the socket file. Not on
  /// [control]: calls that wait for it could not end.
  void Shutdown(std::chrono::milliseconds grace);

  /// [any] Whether gRPC runs at all: false when nobody is connected.
  bool serving() const;
  /// [any] Says of a part of the daemon whether it works, beside modules and sinks: "capture".
  void SetHealth(const std::string& part, bool serving);

 private:
  class Impl;
  explicit ControlServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace probed::control
