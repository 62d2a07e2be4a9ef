// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/verbs/wait.h"

#include <ostream>
#include <utility>

#include "clients/cli/lib/escape.h"
#include "clients/cli/verbs/shared.h"

namespace probed::cli {
namespace {

ExitCode Judge(const v1::Module& module, v1::ModulePhase wanted) {
  if (module.status().phase() != wanted) return ExitCode::kFailed;
  const bool degraded = wanted == v1::MODULE_PHASE_RUNNING && module.status().conditions_size() > 0;
  return degraded ? ExitCode::kDegraded : ExitCode::kDone;
}

bool Settled(const v1::Module& module, v1::ModulePhase wanted) {
  return module.status().phase() == wanted || module.status().phase() == v1::MODULE_PHASE_FAILED;
}

v1::WatchRequest ModuleEvents() {
  v1::WatchRequest request;
  request.add_kinds(v1::RESOURCE_KIND_MODULE);
  return request;
}

}  // namespace

Progress::Progress(Session& session, const std::string& module) : session_(session) {
  if (!session.progress() || !session.Connect().ok()) return;
  thread_ = std::thread([this, module] { Follow(module); });
}

Progress::~Progress() {
  context_.TryCancel();
  if (thread_.joinable()) thread_.join();
}

void Progress::Follow(const std::string& module) {
  const auto reader = session_.connection().Get<v1::Control::Stub>().Watch(&context_, ModuleEvents());
  v1::ModulePhase last = v1::MODULE_PHASE_UNSPECIFIED;
  for (v1::WatchResponse event; reader->Read(&event);) {
    const v1::ModulePhase phase = event.module().status().phase();
    if (event.module().name() != module || phase == last) continue;
    last = phase;
    session_.err() << Escape(module) << ": " << PhaseCell(phase).text << "...\n" << std::flush;
  }
  // How it ends is the main call's to tell.
  static_cast<void>(reader->Finish());
}

ExitCode WaitFor(Session& session, v1::ModulePhase wanted, std::uint64_t version, v1::Module& module) {
  if (Settled(module, wanted)) return Judge(module, wanted);
  v1::WatchRequest request = ModuleEvents();
  request.set_since_version(version);
  const std::function<bool(const v1::WatchResponse&)> take = [&](const v1::WatchResponse& event) {
    if (event.module().name() == module.name()) module = event.module();
    return !Settled(module, wanted);
  };
  const grpc::Status status = session.TryStream(&v1::Control::Stub::Watch, request, take);
  return status.ok() ? Judge(module, wanted) : session.Fail("wait for module " + module.name(), status);
}

}  // namespace probed::cli
