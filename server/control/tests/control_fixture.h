// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A control server over a real unix socket, with fakes below the engine and the generated stubs above.
#pragma once

#include <gmock/gmock.h>
#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <probed/v1/control.grpc.pb.h>
#include <probed/v1/observe.grpc.pb.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>

#include "server/control/server.h"
#include "server/state/tests/fakes.h"

namespace probed::control {

/// A telemetry ring that tests fill.
class FakeTail final : public state::TailPort {
 public:
  class Reader final : public state::TailReader {
   public:
    explicit Reader(FakeTail& tail) : tail_(tail) {}
    std::vector<state::TailItem> Next(std::chrono::milliseconds timeout) override {
      std::unique_lock lock(tail_.mutex_);
      tail_.changed_.wait_for(lock, timeout, [this] { return !tail_.items_.empty(); });
      return std::exchange(tail_.items_, {});
    }

   private:
    FakeTail& tail_;
  };

  std::unique_ptr<state::TailReader> OpenTail(const state::TailFilter& filter) override {
    const std::lock_guard lock(mutex_);
    last_filter = filter;
    return std::make_unique<Reader>(*this);
  }
  void Put(std::vector<state::TailItem> items) {
    const std::lock_guard lock(mutex_);
    items_ = std::move(items);
    changed_.notify_all();
  }

  state::TailFilter last_filter;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<state::TailItem> items_;
};

class FakeLedger final : public state::LedgerPort {
 public:
  std::vector<state::LedgerLine> ReadLedger() override { return lines; }
  std::vector<state::LedgerLine> lines;
};

class ControlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "probed_control_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    // Others must reach the socket file, to be refused by the daemon and not by the file system.
    std::filesystem::permissions(directory_, std::filesystem::perms(0755));
    socket_ = (directory_ / "p.sock").string();
    world_.modules.Add("http");
    world_.modules.Add("dns");
    OnControl([this] { world_.engine.Start({}); });
    StartServer();
  }
  void TearDown() override {
    server_.reset();
    guard_.reset();
    control_thread_.join();
    std::filesystem::remove_all(directory_);
  }

  void StartServer() {
    ControlOptions options;
    options.socket_path = socket_;
    options.group = "daemon";  // on every Debian
    options.linger = std::chrono::milliseconds(20);
    options.facts.version = "1.2.3";
    options.audit = [this](const std::string& line) {
      const std::lock_guard lock(audit_mutex_);
      audit_.push_back(nlohmann::json::parse(line));
    };
    auto server = ControlServer::Start(std::move(options), {world_.engine, ledger_, tail_}, io_.get_executor());
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = std::move(*server);
  }

  template <typename Work>
  void OnControl(Work work) {
    boost::asio::post(io_, std::packaged_task<void()>(std::move(work))).get();
  }

  /// A new channel each: a connection of its own.
  std::shared_ptr<grpc::Channel> Connect() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel("unix:" + socket_, grpc::InsecureChannelCredentials(), arguments);
  }
  std::unique_ptr<v1::Control::Stub> Control() const { return v1::Control::NewStub(Connect()); }
  std::unique_ptr<v1::Observe::Stub> Observe() const { return v1::Observe::NewStub(Connect()); }

  static std::unique_ptr<grpc::ClientContext> Deadline() {
    auto context = std::make_unique<grpc::ClientContext>();
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    return context;
  }

  static std::string ReasonOf(const grpc::Status& status) {
    google::rpc::Status whole;
    google::rpc::ErrorInfo info;
    whole.ParseFromString(status.error_details());
    for (const auto& detail : whole.details()) {
      if (detail.UnpackTo(&info)) return info.reason();
    }
    return "";
  }

  grpc::Status Load(v1::Control::Stub& stub, const std::string& name, const std::string& config,
                    v1::LoadModuleResponse* out = nullptr, const v1::ChangeOptions& options = {}) {
    v1::LoadModuleRequest request;
    v1::LoadModuleResponse response;
    request.mutable_spec()->set_name(name);
    request.mutable_spec()->set_config_json(config);
    *request.mutable_options() = options;
    const grpc::Status status = stub.LoadModule(Deadline().get(), request, &response);
    if (out != nullptr) *out = response;
    return status;
  }

  std::vector<nlohmann::json> AuditLines() {
    const std::lock_guard lock(audit_mutex_);
    return audit_;
  }

  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{io_.get_executor()};
  std::thread control_thread_{[this] { io_.run(); }};
  std::filesystem::path directory_;
  std::string socket_;
  state::FakeWorld world_;
  FakeTail tail_;
  FakeLedger ledger_;
  std::mutex audit_mutex_;
  std::vector<nlohmann::json> audit_;
  std::unique_ptr<ControlServer> server_;
};

}  // namespace probed::control
