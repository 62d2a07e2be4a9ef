// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/grpc_host.h"

#include <fcntl.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "server/control/grpc_limits.h"

namespace probed::control {
namespace {

/// Where numbers begin: above what the daemon itself opens, so that they do not get in each other's way.
constexpr rlim_t kFirstNumber = 1024;
constexpr std::chrono::milliseconds kReplaceGrace{2000};

int FirstNumber() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<int>(std::min(kFirstNumber, limit.rlim_cur / 2));
}

/// Reflection for one server; the plugin's own switch would turn it on for all of the process.
class WithReflection final : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments* /*arguments*/) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    plugins->push_back(std::make_unique<grpc::reflection::ProtoServerReflectionPlugin>());
  }
};

}  // namespace

GrpcHost::GrpcHost(Admission admission, PeerTable& peers, Calls& calls, std::function<Services()> make_services)
    : admission_(admission), peers_(peers), calls_(calls), make_services_(std::move(make_services)) {
  grpc::EnableDefaultHealthCheckService(true);
}

GrpcHost::~GrpcHost() { StopServers(std::chrono::milliseconds(0)); }

bool GrpcHost::OnConnection(std::uint64_t id, const Fd& fd, const Peer& peer) {
  if (!running()) StartServers();
  int number = TakeNumber(fd);
  if (number < 0) {
    spdlog::warn("the control service is restarted: its connections have used up the descriptor numbers");
    StopServers(kReplaceGrace);
    StartServers();
    number = TakeNumber(fd);
  }
  if (number < 0) {
    spdlog::error("a control connection was refused: {}", std::strerror(errno));
    return false;
  }
  numbers_[id] = number;
  const bool admitted = admission_.Admits(peer);
  if (!admitted) spdlog::warn("uid {} pid {} may not use the control socket", peer.uid, peer.pid);
  peers_.Add(number, peer);
  grpc::AddInsecureChannelFromFd(admitted ? server_.get() : &refusal_->server(), number);
  return true;
}

void GrpcHost::OnClosed(std::uint64_t id) {
  const auto number = numbers_.find(id);
  if (number == numbers_.end()) return;
  peers_.Remove(number->second);
  numbers_.erase(number);
}

bool GrpcHost::OnIdle() {
  // A client may be gone while its change is still being made: the call has to end first.
  if (calls_.count() != 0) return false;
  StopServers(std::chrono::milliseconds(0));
  return true;
}

void GrpcHost::Stop(std::chrono::milliseconds grace) {
  calls_.EndStreams();
  StopServers(grace);
}

int GrpcHost::TakeNumber(const Fd& fd) {
  const int number = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, next_number_);
  if (number >= 0) next_number_ = number + 1;
  return number;
}

void GrpcHost::StartServers() {
  services_ = make_services_();
  refusal_ = std::make_unique<Refusal>();
  next_number_ = FirstNumber();
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
  builder.SetOption(std::make_unique<WithReflection>());
  for (const auto& service : services_) builder.RegisterService(service.get());
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  const std::lock_guard lock(mutex_);
  server_ = std::move(server);
  for (const auto& [service, serving] : health_) {
    server_->GetHealthCheckService()->SetServingStatus(service, serving);
  }
}

void GrpcHost::StopServers(std::chrono::milliseconds grace) {
  std::unique_ptr<grpc::Server> server;
  {
    const std::lock_guard lock(mutex_);
    server = std::move(server_);
  }
  if (server) server->Shutdown(std::chrono::system_clock::now() + grace);
  server.reset();
  refusal_.reset();
  services_.clear();
  for (const auto& [id, number] : numbers_) peers_.Remove(number);
  numbers_.clear();
}

void GrpcHost::SetHealth(const std::string& service, bool serving) {
  const std::lock_guard lock(mutex_);
  health_[service] = serving;
  if (server_) server_->GetHealthCheckService()->SetServingStatus(service, serving);
}

bool GrpcHost::running() const {
  const std::lock_guard lock(mutex_);
  return server_ != nullptr;
}

}  // namespace probed::control
