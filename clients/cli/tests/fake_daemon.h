// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A daemon with a small state of its own, on a unix socket in a temporary folder, and a way to run probectl against
// it: real gRPC on a real wire, nothing behind it.
#pragma once

#include <google/protobuf/message.h>
#include <grpcpp/server.h>

#include <condition_variable>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "clients/cli/lib/exit_code.h"
#include "clients/cli/lib/interrupt.h"
#include "probed/v1/control.grpc.pb.h"
#include "probed/v1/observe.grpc.pb.h"

namespace probed::cli {

/// A folder that goes away with its owner.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  std::string Path(const std::string& name) const { return (path_ / name).string(); }
  /// Writes a file and says where.
  std::string Write(const std::string& name, const std::string& text) const;

 private:
  std::filesystem::path path_;
};

/// An error as the daemon makes them: canonical code, reason, and whatever details besides.
grpc::Status MakeFailure(grpc::StatusCode code, const std::string& message, const std::string& reason,
                         const std::vector<const google::protobuf::Message*>& details = {});

class FakeDaemon final : public v1::Control::Service, public v1::Observe::Service {
 public:
  explicit FakeDaemon(const std::string& socket);
  ~FakeDaemon() override;

  /// The next call of any kind fails like this.
  void FailNext(grpc::Status status);
  /// Watch sends these after "started", then ends when `end`, else stays.
  void Script(std::vector<v1::WatchResponse> events, bool end);
  /// Blocks until a Watch has sent its script.
  void AwaitWatch();

  // What the daemon holds; set before the call that reads it.
  std::map<std::string, v1::Module> modules;
  std::map<std::string, v1::Sink> sinks;
  v1::RouteTable routes;
  v1::TargetTable targets;
  v1::GetInfoResponse info;
  v1::GetLedgerResponse ledger;
  std::vector<v1::TailResponse> tail;
  v1::TestSinkResponse test_answer;
  std::vector<std::string> left_behind;
  v1::ChangeOutcome outcome;                              // template of each answer to a change
  v1::ModulePhase after_load = v1::MODULE_PHASE_RUNNING;  // as LoadModule leaves it
  std::vector<v1::Condition> conditions_after_load;
  int overtaken = 0;  // somebody else changes the module right before that many ConfigureModule calls

  // What was asked last.
  v1::LoadModuleRequest load_request;
  v1::ConfigureModuleRequest configure_request;
  v1::PutSinkRequest put_sink_request;
  v1::PutRoutesRequest put_routes_request;
  v1::PutTargetsRequest put_targets_request;
  v1::TestSinkRequest test_request;
  v1::WatchRequest watch_request;
  v1::TailRequest tail_request;
  int configure_calls = 0;

 private:
  using Context = grpc::ServerContext;
  template <typename T>
  using Writer = grpc::ServerWriter<T>;

  grpc::Status GetInfo(Context*, const v1::GetInfoRequest*, v1::GetInfoResponse*) override;
  grpc::Status ListModules(Context*, const v1::ListModulesRequest*, v1::ListModulesResponse*) override;
  grpc::Status GetModule(Context*, const v1::GetModuleRequest*, v1::GetModuleResponse*) override;
  grpc::Status LoadModule(Context*, const v1::LoadModuleRequest*, v1::LoadModuleResponse*) override;
  grpc::Status ConfigureModule(Context*, const v1::ConfigureModuleRequest*, v1::ConfigureModuleResponse*) override;
  grpc::Status UnloadModule(Context*, const v1::UnloadModuleRequest*, v1::UnloadModuleResponse*) override;
  grpc::Status RescanModules(Context*, const v1::RescanModulesRequest*, v1::RescanModulesResponse*) override;
  grpc::Status ListSinks(Context*, const v1::ListSinksRequest*, v1::ListSinksResponse*) override;
  grpc::Status GetSink(Context*, const v1::GetSinkRequest*, v1::GetSinkResponse*) override;
  grpc::Status PutSink(Context*, const v1::PutSinkRequest*, v1::PutSinkResponse*) override;
  grpc::Status DeleteSink(Context*, const v1::DeleteSinkRequest*, v1::DeleteSinkResponse*) override;
  grpc::Status TestSink(Context*, const v1::TestSinkRequest*, v1::TestSinkResponse*) override;
  grpc::Status GetRoutes(Context*, const v1::GetRoutesRequest*, v1::GetRoutesResponse*) override;
  grpc::Status PutRoutes(Context*, const v1::PutRoutesRequest*, v1::PutRoutesResponse*) override;
  grpc::Status GetTargets(Context*, const v1::GetTargetsRequest*, v1::GetTargetsResponse*) override;
  grpc::Status PutTargets(Context*, const v1::PutTargetsRequest*, v1::PutTargetsResponse*) override;
  grpc::Status GetState(Context*, const v1::GetStateRequest*, v1::GetStateResponse*) override;
  grpc::Status Watch(Context*, const v1::WatchRequest*, Writer<v1::WatchResponse>*) override;
  grpc::Status Tail(Context*, const v1::TailRequest*, Writer<v1::TailResponse>*) override;
  grpc::Status GetLedger(Context*, const v1::GetLedgerRequest*, v1::GetLedgerResponse*) override;

  /// The failure that was ordered, else OK.
  grpc::Status TakeFailure();
  grpc::Status FindModule(const std::string& name, v1::Module** module);
  grpc::Status CheckChange(const v1::ChangeOptions& options, const std::string& etag) const;
  v1::ChangeOutcome OutcomeOf(const v1::ChangeOptions& options) const;

  std::mutex mutex_;
  std::condition_variable sent_;
  bool watch_sent_ = false;
  bool script_ends_ = false;
  std::vector<v1::WatchResponse> script_;
  grpc::Status failure_;
  std::unique_ptr<grpc::Server> server_;
};

struct Ran {
  int code = -1;
  std::string out;
  std::string err;
};

/// Runs probectl in this process against `socket`. `terminal_width` 0: output goes to a pipe.
Ran RunProbectlOn(const std::string& socket, std::vector<std::string> arguments, std::size_t terminal_width = 0,
                  bool progress = false, Interrupt* interrupt = nullptr);

}  // namespace probed::cli
