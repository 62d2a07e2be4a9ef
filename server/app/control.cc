// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The gRPC side of the app.
#include <sys/utsname.h>

#include "api/module/probe_types.h"
#include "server/app/app.h"
#include "server/app/platform.h"
#include "server/app/version.h"

namespace probed::app {

Status App::StartControl() {
  utsname machine{};
  uname(&machine);
  control::ControlOptions options;
  options.socket_path = options_.daemon.socket;
  options.facts.version = kVersion;
  options.facts.abi_major = PROBE_ABI_MAJOR;
  options.facts.abi_minor_max = PROBE_ABI_MINOR;
  options.facts.platform = ReadPlatform(core_.get());
  options.facts.machine = machine.machine;
  options.facts.module_dirs = options_.daemon.module_dirs;
  options.facts.started_utc_ns = clock_.UtcNs();
  options.facts.ring_bytes = options_.daemon.ring_bytes;
  options.facts.tail_batches = options_.daemon.tail_batches;
  options.facts.watch_events = static_cast<std::uint32_t>(state::EngineOptions{}.watch_events);
  options.facts.conditions = [this] {
    std::vector<state::Condition> conditions;
    if (core_ == nullptr)
      conditions.push_back({"NotApplicable", "NO_BACKEND", std::string(Message(core_error_)), clock_.UtcNs()});
    return conditions;
  };
  ASSIGN_OR_RETURN(server_, control::ControlServer::Start(std::move(options), {*engine_, *modules_, *tail_},
                                                          control_.get_executor()));
  server_->SetHealth("capture", core_ != nullptr);
  return OkStatus();
}

}  // namespace probed::app
