// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/tests/fake_daemon.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

#include "clients/cli/lib/session.h"
#include "clients/cli/verbs/verbs.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace probed::cli {

TempFolder::TempFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "probectl_XXXXXX").string();
  path_ = ::mkdtemp(pattern.data());
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempFolder::Write(const std::string& name, const std::string& text) const {
  std::ofstream(path_ / name, std::ios::binary) << text;
  return Path(name);
}

grpc::Status MakeFailure(grpc::StatusCode code, const std::string& message, const std::string& reason,
                         const std::vector<const google::protobuf::Message*>& details) {
  google::rpc::Status status;
  status.set_code(code);
  status.set_message(message);
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("probed");
  status.add_details()->PackFrom(info);
  for (const auto* detail : details) status.add_details()->PackFrom(*detail);
  return {code, message, status.SerializeAsString()};
}

FakeDaemon::FakeDaemon(const std::string& socket) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + socket, grpc::InsecureServerCredentials());
  builder.RegisterService(static_cast<v1::Control::Service*>(this));
  builder.RegisterService(static_cast<v1::Observe::Service*>(this));
  server_ = builder.BuildAndStart();
}

FakeDaemon::~FakeDaemon() { server_->Shutdown(std::chrono::system_clock::now()); }

void FakeDaemon::FailNext(grpc::Status status) {
  const std::lock_guard lock(mutex_);
  failure_ = std::move(status);
}

void FakeDaemon::Script(std::vector<v1::WatchResponse> events, bool end) {
  script_ = std::move(events);
  script_ends_ = end;
}

void FakeDaemon::AwaitWatch() {
  std::unique_lock lock(mutex_);
  sent_.wait(lock, [this] { return watch_sent_; });
}

grpc::Status FakeDaemon::TakeFailure() {
  const std::lock_guard lock(mutex_);
  return std::exchange(failure_, grpc::Status::OK);
}

grpc::Status FakeDaemon::FindModule(const std::string& name, v1::Module** module) {
  if (grpc::Status status = TakeFailure(); !status.ok()) return status;
  const auto found = modules.find(name);
  if (found == modules.end()) {
    return MakeFailure(grpc::StatusCode::NOT_FOUND, "no module named " + name, "MODULE_NOT_FOUND");
  }
  *module = &found->second;
  return grpc::Status::OK;
}

grpc::Status FakeDaemon::CheckChange(const v1::ChangeOptions& options, const std::string& etag) const {
  if (options.etag().empty() || options.etag() == etag) return grpc::Status::OK;
  return MakeFailure(grpc::StatusCode::ABORTED, "the etag is " + etag + " now", "ETAG_MISMATCH");
}

v1::ChangeOutcome FakeDaemon::OutcomeOf(const v1::ChangeOptions& options) const {
  v1::ChangeOutcome answer = outcome;
  answer.set_validated_only(options.validate_only());
  return answer;
}

grpc::Status FakeDaemon::GetInfo(Context*, const v1::GetInfoRequest*, v1::GetInfoResponse* response) {
  *response = info;
  return TakeFailure();
}

grpc::Status FakeDaemon::ListModules(Context*, const v1::ListModulesRequest* request,
                                     v1::ListModulesResponse* response) {
  for (const auto& [name, module] : modules) {
    const bool loaded = module.status().phase() == v1::MODULE_PHASE_RUNNING;
    if (loaded || !request->loaded_only()) *response->add_modules() = module;
  }
  return TakeFailure();
}

grpc::Status FakeDaemon::GetModule(Context*, const v1::GetModuleRequest* request, v1::GetModuleResponse* response) {
  v1::Module* module = nullptr;
  if (grpc::Status status = FindModule(request->name(), &module); !status.ok()) return status;
  *response->mutable_module() = *module;
  return grpc::Status::OK;
}

grpc::Status FakeDaemon::LoadModule(Context*, const v1::LoadModuleRequest* request, v1::LoadModuleResponse* response) {
  load_request = *request;
  v1::Module* module = nullptr;
  if (grpc::Status status = FindModule(request->spec().name(), &module); !status.ok()) return status;
  if (!request->options().validate_only()) {
    *module->mutable_spec() = request->spec();
    module->mutable_status()->set_phase(after_load);
    module->mutable_status()->set_generation(1);
    for (const v1::Condition& condition : conditions_after_load)
      *module->mutable_status()->add_conditions() = condition;
  }
  *response->mutable_module() = *module;
  *response->mutable_outcome() = OutcomeOf(request->options());
  return grpc::Status::OK;
}

grpc::Status FakeDaemon::ConfigureModule(Context*, const v1::ConfigureModuleRequest* request,
                                         v1::ConfigureModuleResponse* response) {
  configure_request = *request;
  ++configure_calls;
  v1::Module* module = nullptr;
  if (grpc::Status status = FindModule(request->name(), &module); !status.ok()) return status;
  if (overtaken-- > 0) module->set_etag(module->etag() + "+");
  if (grpc::Status status = CheckChange(request->options(), module->etag()); !status.ok()) return status;
  const std::uint32_t old = module->status().generation();
  module->mutable_spec()->set_config_json(request->config_json());
  module->mutable_status()->set_generation(old + 1);
  *response->mutable_module() = *module;
  *response->mutable_outcome() = OutcomeOf(request->options());
  response->mutable_outcome()->mutable_receipt()->set_old_generation(old);
  response->mutable_outcome()->mutable_receipt()->set_new_generation(old + 1);
  return grpc::Status::OK;
}

grpc::Status FakeDaemon::UnloadModule(Context*, const v1::UnloadModuleRequest* request,
                                      v1::UnloadModuleResponse* response) {
  v1::Module* module = nullptr;
  if (grpc::Status status = FindModule(request->name(), &module); !status.ok()) return status;
  if (module->status().phase() != v1::MODULE_PHASE_RUNNING) {
    return MakeFailure(grpc::StatusCode::FAILED_PRECONDITION, "it is not loaded", "MODULE_NOT_LOADED");
  }
  module->mutable_status()->set_phase(v1::MODULE_PHASE_UNLOADED);
  *response->mutable_module() = *module;
  *response->mutable_outcome() = OutcomeOf(request->options());
  for (const std::string& text : left_behind) response->add_left_behind(text);
  return grpc::Status::OK;
}

grpc::Status FakeDaemon::RescanModules(Context*, const v1::RescanModulesRequest*, v1::RescanModulesResponse* response) {
  modules["fresh"].set_name("fresh");
  for (const auto& [name, module] : modules) *response->add_modules() = module;
  return TakeFailure();
}

grpc::Status FakeDaemon::ListSinks(Context*, const v1::ListSinksRequest*, v1::ListSinksResponse* response) {
  for (const auto& [name, sink] : sinks) *response->add_sinks() = sink;
  return TakeFailure();
}

grpc::Status FakeDaemon::GetSink(Context*, const v1::GetSinkRequest* request, v1::GetSinkResponse* response) {
  if (!sinks.contains(request->name())) {
    return MakeFailure(grpc::StatusCode::NOT_FOUND, "no sink named " + request->name(), "SINK_NOT_FOUND");
  }
  *response->mutable_sink() = sinks[request->name()];
  return TakeFailure();
}

grpc::Status FakeDaemon::PutSink(Context*, const v1::PutSinkRequest* request, v1::PutSinkResponse* response) {
  put_sink_request = *request;
  if (grpc::Status status = TakeFailure(); !status.ok()) return status;
  if (grpc::Status status = CheckChange(request->options(), sinks[request->sink().name()].etag()); !status.ok()) {
    return status;
  }
  response->set_created(!sinks[request->sink().name()].has_spec());
  sinks[request->sink().name()] = request->sink();
  *response->mutable_sink() = request->sink();
  *response->mutable_outcome() = OutcomeOf(request->options());
  return grpc::Status::OK;
}

grpc::Status FakeDaemon::DeleteSink(Context*, const v1::DeleteSinkRequest* request, v1::DeleteSinkResponse* response) {
  if (grpc::Status status = TakeFailure(); !status.ok()) return status;
  if (sinks.erase(request->name()) == 0) {
    return MakeFailure(grpc::StatusCode::NOT_FOUND, "no sink named " + request->name(), "SINK_NOT_FOUND");
  }
  *response->mutable_outcome() = OutcomeOf(request->options());
  return grpc::Status::OK;
}

grpc::Status FakeDaemon::TestSink(Context*, const v1::TestSinkRequest* request, v1::TestSinkResponse* response) {
  test_request = *request;
  *response = test_answer;
  return TakeFailure();
}

grpc::Status FakeDaemon::GetRoutes(Context*, const v1::GetRoutesRequest*, v1::GetRoutesResponse* response) {
  *response->mutable_table() = routes;
  return TakeFailure();
}

grpc::Status FakeDaemon::PutRoutes(Context*, const v1::PutRoutesRequest* request, v1::PutRoutesResponse* response) {
  put_routes_request = *request;
  if (grpc::Status status = CheckChange(request->options(), routes.etag()); !status.ok()) return status;
  routes = request->table();
  *response->mutable_table() = routes;
  *response->mutable_outcome() = OutcomeOf(request->options());
  return TakeFailure();
}

grpc::Status FakeDaemon::GetTargets(Context*, const v1::GetTargetsRequest*, v1::GetTargetsResponse* response) {
  *response->mutable_table() = targets;
  return TakeFailure();
}

grpc::Status FakeDaemon::PutTargets(Context*, const v1::PutTargetsRequest* request, v1::PutTargetsResponse* response) {
  put_targets_request = *request;
  targets = request->table();
  *response->mutable_table() = targets;
  *response->mutable_outcome() = OutcomeOf(request->options());
  return TakeFailure();
}

grpc::Status FakeDaemon::GetState(Context*, const v1::GetStateRequest*, v1::GetStateResponse* response) {
  v1::State& state = *response->mutable_state();
  state.set_generation(7);
  state.set_hash("abcdef0123456789");
  for (const auto& [name, module] : modules) {
    if (module.has_spec()) *state.add_modules() = module.spec();
    *response->add_modules() = module;
  }
  for (const auto& [name, sink] : sinks) {
    *state.add_sinks() = sink;
    *response->add_sinks() = sink;
  }
  *state.mutable_routes() = routes.routes();
  *state.mutable_targets() = targets.targets();
  response->set_version(41);
  response->add_file_differences("sinks.old: removed by the file");
  return TakeFailure();
}

grpc::Status FakeDaemon::Watch(Context* context, const v1::WatchRequest* request, Writer<v1::WatchResponse>* writer) {
  watch_request = *request;
  if (grpc::Status status = TakeFailure(); !status.ok()) return status;
  v1::WatchResponse started;
  started.mutable_started();
  writer->Write(started);
  for (const v1::WatchResponse& event : script_) writer->Write(event);
  {
    const std::lock_guard lock(mutex_);
    watch_sent_ = true;
  }
  sent_.notify_all();
  while (!script_ends_ && !context->IsCancelled()) ::usleep(1000);
  return grpc::Status::OK;
}

grpc::Status FakeDaemon::Tail(Context* context, const v1::TailRequest* request, Writer<v1::TailResponse>* writer) {
  tail_request = *request;
  if (grpc::Status status = TakeFailure(); !status.ok()) return status;
  writer->Write(v1::TailResponse());
  for (const v1::TailResponse& response : tail) writer->Write(response);
  while (!script_ends_ && !context->IsCancelled()) ::usleep(1000);
  return grpc::Status::OK;
}

grpc::Status FakeDaemon::GetLedger(Context*, const v1::GetLedgerRequest*, v1::GetLedgerResponse* response) {
  *response = ledger;
  return TakeFailure();
}

Ran RunProbectlOn(const std::string& socket, std::vector<std::string> arguments, std::size_t terminal_width,
                  bool progress, Interrupt* interrupt) {
  std::ostringstream out;
  std::ostringstream err;
  Interrupt none;
  Session session({out, err, {terminal_width, false}, progress}, interrupt == nullptr ? none : *interrupt);
  session.options.socket = socket;
  const ExitCode code = RunProbectl(std::move(arguments), session);
  return {ToInt(code), out.str(), err.str()};
}

}  // namespace probed::cli
