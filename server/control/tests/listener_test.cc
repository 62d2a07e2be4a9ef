// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The accept loop with a real gRPC server behind it and real clients in front, on a socket in a temporary directory.
#include "server/control/listener.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "google/rpc/status.pb.h"
#include "probed/v1/control.grpc.pb.h"
#include "server/base/error_details.h"
#include "server/control/errors.h"
#include "server/control/peer_guard.h"

namespace probed::control {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr uid_t kNobody = 65534;

/// GetInfo says who asked (and under which name gRPC knows them); GetModule fails with large details.
class TinyService : public v1::Control::CallbackService {
 public:
  explicit TinyService(const Peers& peers) : peers_(peers) {}

  grpc::ServerUnaryReactor* GetInfo(grpc::CallbackServerContext* context, const v1::GetInfoRequest* /*request*/,
                                    v1::GetInfoResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const grpc::Status status = peers_.Authorize(*context);
    const auto identity = peers_.Find(context->peer());
    if (identity) response->mutable_caller()->set_uid(identity->uid);
    if (identity) response->set_pid(static_cast<std::uint32_t>(identity->pid));
    response->set_version(context->peer());
    reactor->Finish(status);
    return reactor;
  }

  grpc::ServerUnaryReactor* GetModule(grpc::CallbackServerContext* context, const v1::GetModuleRequest* /*request*/,
                                      v1::GetModuleResponse* /*response*/) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    ErrorDetails details{.reason = "VERIFIER_REJECTED", .metadata = {}, .fields = {}, .log_tail = {}};
    for (int i = 0; i < 3000; ++i) details.log_tail += "instruction " + std::to_string(i) + " \xC3\xA9\n";
    const std::string message(2000, '\n');  // each three bytes on the wire
    reactor->Finish(ToGrpc(MakeError(absl::StatusCode::kFailedPrecondition, message, details)));
    return reactor;
  }

 private:
  const Peers& peers_;
};

Fd ConnectTo(const std::string& path) {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return Fd();
  return fd;
}

/// A connection made as somebody else. Credentials belong to threads; only glibc's wrappers change those of all. The
/// kernel notes the peer when it connects, so that the descriptor stays nobody's in our hands.
Fd ConnectAsNobody(const std::string& path) {
  Fd fd;
  std::thread([&] {
    const gid_t groups[] = {kNobody};
    if (::syscall(SYS_setgroups, 1, groups) != 0 || ::syscall(SYS_setresgid, kNobody, kNobody, kNobody) != 0 ||
        ::syscall(SYS_setresuid, kNobody, kNobody, kNobody) != 0) {
      return;
    }
    fd = ConnectTo(path);
  }).join();
  return fd;
}

/// A gRPC client over a descriptor of ours.
std::shared_ptr<grpc::Channel> ChannelOver(Fd fd) {
  const int flags = ::fcntl(fd.get(), F_GETFL);
  ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK);
  return grpc::CreateInsecureChannelFromFd("control", fd.release());
}

bool IsClosedByPeer(const Fd& fd) {
  pollfd source{fd.get(), POLLIN, 0};
  char byte = 0;
  return ::poll(&source, 1, 20'000) == 1 && ::recv(fd.get(), &byte, 1, MSG_DONTWAIT) == 0;
}

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
}

struct Reply {
  grpc::Status status;
  v1::GetInfoResponse info;
};

Reply GetInfo(const std::shared_ptr<grpc::Channel>& channel) {
  Reply reply;
  grpc::ClientContext context;
  SetDeadline(context);
  reply.status = v1::Control::NewStub(channel)->GetInfo(&context, v1::GetInfoRequest(), &reply.info);
  return reply;
}

/// grpc.health.v1.Health/Check of the server as a whole: both messages are small enough to be written by hand.
grpc::Status CheckHealth(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  SetDeadline(context);
  const grpc::internal::RpcMethod method("/grpc.health.v1.Health/Check", grpc::internal::RpcMethod::NORMAL_RPC);
  const grpc::ByteBuffer request;
  grpc::ByteBuffer response;
  return grpc::internal::BlockingUnaryCall<grpc::ByteBuffer, grpc::ByteBuffer>(channel.get(), method, &context, request,
                                                                               &response);
}

class ListenerTest : public ::testing::Test {
 protected:
  ListenerTest() {
    std::string pattern = (fs::temp_directory_path() / "probed_listener_XXXXXX").string();
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    fs::permissions(directory_, fs::perms(0755));
  }

  ~ListenerTest() override {
    if (listener_) listener_->Stop();
    if (server_) server_->Shutdown();
    fs::remove_all(directory_);
  }

  void Start(std::size_t max_connections = 128) {
    Result<std::unique_ptr<Listener>> opened =
        Listener::Open({.path = Path(), .group = "no-such-group-here", .max_connections = max_connections}, peers_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    listener_ = std::move(opened).value();
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    builder.RegisterService(&service_);
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> guards;
    guards.push_back(MakePeerGuard(peers_));
    builder.experimental().SetInterceptorCreators(std::move(guards));
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
  }

  void StartServing(std::size_t max_connections = 128) {
    Start(max_connections);
    listener_->Serve(*server_);
  }

  /// A channel with a connection of its own.
  std::shared_ptr<grpc::Channel> NewChannel() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel("unix:" + Path(), grpc::InsecureChannelCredentials(), arguments);
  }

  std::string Path() const { return directory_ / "p.sock"; }

  fs::path directory_;
  Peers peers_;
  TinyService service_{peers_};
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(ListenerTest, LetsItsOwnUserIn) {
  StartServing();
  const Reply reply = GetInfo(NewChannel());
  ASSERT_TRUE(reply.status.ok()) << reply.status.error_message();
  EXPECT_EQ(reply.info.caller().uid(), ::geteuid());
  EXPECT_EQ(reply.info.pid(), static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(listener_->Counts().accepted, 1U);
  EXPECT_EQ(listener_->Counts().refused, 0U);
}

TEST_F(ListenerTest, KeepsCallersWaitingUntilItServes) {
  Start();
  const auto channel = NewChannel();
  std::thread later([&] { listener_->Serve(*server_); });
  EXPECT_TRUE(GetInfo(channel).status.ok());
  later.join();
}

TEST_F(ListenerTest, DeniesEveryCallOfAStranger) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  StartServing();
  ASSERT_EQ(::chmod(Path().c_str(), 0666), 0);  // as if an administrator had opened it
  Fd fd = ConnectAsNobody(Path());
  ASSERT_TRUE(fd.valid());
  const auto channel = ChannelOver(std::move(fd));
  for (int i = 0; i < 2; ++i) {
    const Reply reply = GetInfo(channel);
    EXPECT_EQ(reply.status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
    EXPECT_THAT(reply.status.error_message(), HasSubstr("uid 65534"));
    google::rpc::Status details;
    ASSERT_TRUE(details.ParseFromString(reply.status.error_details()));
    EXPECT_EQ(details.details_size(), 1);
  }
  EXPECT_EQ(CheckHealth(channel).error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_EQ(listener_->Counts().accepted, 0U);
  EXPECT_EQ(listener_->Counts().refused, 1U);
}

TEST_F(ListenerTest, KeepsStrangersFromConnectingAtAll) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  StartServing();
  EXPECT_FALSE(ConnectAsNobody(Path()).valid());
}

TEST_F(ListenerTest, LetsItsOwnUserAskForHealth) {
  StartServing();
  const grpc::Status status = CheckHealth(NewChannel());
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(ListenerTest, NeverNamesTwoConnectionsAlike) {
  StartServing();
  std::vector<std::string> names;
  for (int i = 0; i < 20; ++i) {
    const Reply reply = GetInfo(NewChannel());  // the connection ends with the channel
    ASSERT_TRUE(reply.status.ok()) << reply.status.error_message();
    EXPECT_THAT(reply.info.version(), StartsWith("fd:"));
    EXPECT_THAT(names, ::testing::Not(::testing::Contains(reply.info.version())));
    names.push_back(reply.info.version());
  }
}

TEST_F(ListenerTest, TurnsAwayMoreConnectionsThanItMayHave) {
  StartServing(2);
  const auto first = NewChannel();
  const auto second = NewChannel();
  ASSERT_TRUE(GetInfo(first).status.ok());
  ASSERT_TRUE(GetInfo(second).status.ok());
  EXPECT_TRUE(IsClosedByPeer(ConnectTo(Path())));
  EXPECT_EQ(listener_->Counts().turned_away, 1U);
  EXPECT_TRUE(GetInfo(first).status.ok());
}

TEST_F(ListenerTest, LargeErrorsReachTheClient) {
  StartServing();
  grpc::ClientContext context;
  SetDeadline(context);
  v1::GetModuleResponse response;
  const grpc::Status status =
      v1::Control::NewStub(NewChannel())->GetModule(&context, v1::GetModuleRequest(), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION) << status.error_message();
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  EXPECT_EQ(details.details_size(), 3);  // reason, precondition, log
}

TEST_F(ListenerTest, RemovesItsFileWhenItStops) {
  StartServing();
  const auto channel = NewChannel();
  ASSERT_TRUE(GetInfo(channel).status.ok());
  listener_->Stop();
  EXPECT_FALSE(fs::exists(Path()));
  EXPECT_TRUE(GetInfo(channel).status.ok());  // who is in stays in
}

TEST_F(ListenerTest, LeavesTheFileOfAnother) {
  StartServing();
  fs::remove(Path());
  std::ofstream(Path()) << "another's";
  listener_->Stop();
  EXPECT_TRUE(fs::exists(Path()));
}

TEST_F(ListenerTest, RefusesASocketThatIsInUse) {
  StartServing();
  Peers others;
  const Status status = Listener::Open({.path = Path()}, others).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(GetInfo(NewChannel()).status.ok());
}

}  // namespace
}  // namespace probed::control
