// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Streams, admission, health, and what happens when clients leave or the daemon stops.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdio>
#include <cstring>
#include <fstream>

#include "server/base/fd.h"
#include "server/control/grpc_limits.h"
#include "server/control/tests/control_fixture.h"

namespace probed::control {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class StreamsTest : public ControlTest {
 protected:
  /// Waits for something another thread brings about.
  template <typename Ready>
  static bool Eventually(Ready ready) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!ready()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }

  /// What grpc.health.v1 answers: 1 serving, 2 not serving, 0 on an error.
  int Health(const std::string& service) {
    const std::string request = std::string("\x0a") + static_cast<char>(service.size()) + service;
    const grpc::Slice slice(request);
    const grpc::ByteBuffer in(&slice, 1);
    grpc::ByteBuffer out;
    grpc::GenericStub stub(Connect());
    const auto context = Deadline();
    grpc::CompletionQueue queue;
    grpc::Status status;
    const auto call = stub.PrepareUnaryCall(context.get(), "/grpc.health.v1.Health/Check", in, &queue);
    call->StartCall();
    call->Finish(&out, &status, this);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    if (!status.ok()) return 0;
    grpc::Slice bytes;
    EXPECT_TRUE(out.DumpToSingleSlice(&bytes).ok());
    return bytes.size() == 2 ? *(bytes.begin() + 1) : -1;
  }

  Fd RawConnection() const {
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, socket_.data(), socket_.size());
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }

  /// Output of a client that runs as somebody else.
  std::string AskAs(const std::string& identity) {
    const std::string command = std::string(OTHER_USER) + " " + socket_ + " " + identity;
    FILE* pipe = ::popen(command.c_str(), "r");
    char buffer[4096] = {};
    const std::size_t size = std::fread(buffer, 1, sizeof(buffer) - 1, pipe);
    EXPECT_EQ(::pclose(pipe), 0);
    return {buffer, size};
  }
};

TEST_F(StreamsTest, WatchBeginsThenTellsWhatHappens) {
  const auto stub = Control();
  const auto context = Deadline();
  const auto watch = stub->Watch(context.get(), {});
  v1::WatchResponse event;
  ASSERT_TRUE(watch->Read(&event));
  ASSERT_TRUE(event.has_started());
  const std::uint64_t start = event.version();
  ASSERT_TRUE(Load(*stub, "http", "{}").ok());
  std::vector<v1::ModulePhase> phases;
  while (phases.empty() || phases.back() != v1::MODULE_PHASE_RUNNING) {
    ASSERT_TRUE(watch->Read(&event));
    ASSERT_TRUE(event.has_module());
    EXPECT_GT(event.version(), start);
    phases.push_back(event.module().status().phase());
  }
  EXPECT_EQ(phases.front(), v1::MODULE_PHASE_VERIFYING);
  context->TryCancel();
}

TEST_F(StreamsTest, WatchResumesWhereItWasLeft) {
  const auto stub = Control();
  v1::GetStateResponse before;
  ASSERT_TRUE(stub->GetState(Deadline().get(), {}, &before).ok());
  ASSERT_TRUE(Load(*stub, "http", "{}").ok());
  v1::WatchRequest request;
  request.set_since_version(before.version());
  const auto context = Deadline();
  const auto watch = stub->Watch(context.get(), request);
  v1::WatchResponse event;
  ASSERT_TRUE(watch->Read(&event));
  EXPECT_TRUE(event.has_started());
  ASSERT_TRUE(watch->Read(&event));
  EXPECT_EQ(event.version(), before.version() + 1) << "nothing is missed";
  context->TryCancel();
}

TEST_F(StreamsTest, WatchSaysWhenItCannotResume) {
  v1::WatchRequest request;
  v1::WatchResponse event;
  request.set_since_version(1);
  auto context = Deadline();
  auto watch = Control()->Watch(context.get(), request);
  EXPECT_FALSE(watch->Read(&event));
  const grpc::Status old = watch->Finish();
  EXPECT_EQ(old.error_code(), grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_EQ(ReasonOf(old), "VERSION_EXPIRED");
}

TEST_F(StreamsTest, WatchFiltersByKind) {
  const auto stub = Control();
  v1::WatchRequest request;
  request.add_kinds(v1::RESOURCE_KIND_TARGETS);
  const auto context = Deadline();
  const auto watch = stub->Watch(context.get(), request);
  v1::WatchResponse event;
  ASSERT_TRUE(watch->Read(&event));
  ASSERT_TRUE(Load(*stub, "http", "{}").ok());
  v1::PutTargetsRequest put;
  v1::PutTargetsResponse response;
  put.mutable_table()->add_targets()->set_name("all");
  ASSERT_TRUE(stub->PutTargets(Deadline().get(), put, &response).ok());
  ASSERT_TRUE(watch->Read(&event));
  EXPECT_TRUE(event.has_targets());
  context->TryCancel();
}

state::TailItem Item(const std::string& json, std::uint64_t lost = 0) {
  return {.lost = lost, .signal = config::Signal::kTraces, .module = "http", .service = "shop", .json = json};
}

TEST_F(StreamsTest, TailBeginsEmptyThenShowsItemsAndLosses) {
  const auto stub = Observe();
  v1::TailRequest request;
  request.add_modules("http");
  request.add_signals(v1::SIGNAL_METRICS);
  const auto context = Deadline();
  const auto tail = stub->Tail(context.get(), request);
  v1::TailResponse response;
  ASSERT_TRUE(tail->Read(&response));
  EXPECT_EQ(response.items_size(), 0);
  EXPECT_FALSE(tail_.last_filter.traces);
  EXPECT_TRUE(tail_.last_filter.metrics);
  tail_.Put({Item("{\"a\":1}"), Item("bad \xff byte", 12), Item("{}")});
  ASSERT_TRUE(tail->Read(&response));
  EXPECT_FALSE(response.has_loss());
  ASSERT_EQ(response.items_size(), 1);
  EXPECT_EQ(response.items(0).json(), "{\"a\":1}");
  ASSERT_TRUE(tail->Read(&response));
  EXPECT_EQ(response.loss().lost(), 12U);
  EXPECT_EQ(response.items_size(), 2);
  context->TryCancel();
}

TEST_F(StreamsTest, ASlowTailReaderLosesTheOldestAndIsTold) {
  const auto stub = Observe();
  const auto context = Deadline();
  const auto tail = stub->Tail(context.get(), {});
  v1::TailResponse response;
  ASSERT_TRUE(tail->Read(&response));
  // Far more than the queue and the transport's windows hold while nobody reads.
  const std::size_t count = 20'000;
  std::vector<state::TailItem> items(count, Item(std::string(1000, 'x')));
  items.back().json = "last";
  tail_.Put(std::move(items));
  std::uint64_t seen = 0;
  std::uint64_t lost = 0;
  bool last = false;
  while (!last && tail->Read(&response)) {
    lost += response.loss().lost();
    seen += static_cast<std::uint64_t>(response.items_size());
    last = response.items_size() > 0 && response.items(response.items_size() - 1).json() == "last";
  }
  EXPECT_TRUE(last);
  EXPECT_GT(lost, 0U);
  EXPECT_EQ(seen + lost, count);
  context->TryCancel();
}

TEST_F(StreamsTest, TailIsAuditedAndChecksItsFilter) {
  v1::TailRequest request;
  v1::TailResponse response;
  request.add_signals(static_cast<v1::Signal>(77));
  auto context = Deadline();
  auto tail = Observe()->Tail(context.get(), request);
  EXPECT_FALSE(tail->Read(&response));
  EXPECT_EQ(ReasonOf(tail->Finish()), "FILTER_INVALID");
  context = Deadline();
  tail = Observe()->Tail(context.get(), {});
  ASSERT_TRUE(tail->Read(&response));
  const auto lines = AuditLines();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0]["call"], "Tail");
  context->TryCancel();
}

TEST_F(StreamsTest, MoreTailReadersThanItServesAreToldSo) {
  const auto stub = Observe();
  std::vector<std::pair<std::unique_ptr<grpc::ClientContext>, std::unique_ptr<grpc::ClientReader<v1::TailResponse>>>>
      open;
  v1::TailResponse response;
  for (std::size_t i = 0; i < kMostTails; ++i) {
    auto context = Deadline();
    auto tail = stub->Tail(context.get(), {});
    ASSERT_TRUE(tail->Read(&response));
    open.emplace_back(std::move(context), std::move(tail));
  }
  const auto context = Deadline();
  const auto refused = stub->Tail(context.get(), {});
  EXPECT_FALSE(refused->Read(&response));
  EXPECT_EQ(ReasonOf(refused->Finish()), "TOO_MANY_READERS");
  for (auto& [one, tail] : open) one->TryCancel();
}

TEST_F(StreamsTest, StrangersAreDeniedEverything) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  std::filesystem::permissions(socket_, std::filesystem::perms(0666));
  const std::string answer = AskAs("65534 65534");
  EXPECT_THAT(answer, StartsWith("7 "));
  EXPECT_THAT(answer, HasSubstr("PERMISSION_DENIED"));
}

TEST_F(StreamsTest, MembersOfTheGroupMayEnter) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  std::filesystem::permissions(socket_, std::filesystem::perms(0666));
  EXPECT_THAT(AskAs("65534 1"), StartsWith("0 ")) << "by its primary group";
  EXPECT_THAT(AskAs("65534 65534 1"), StartsWith("0 ")) << "by a supplementary group";
}

TEST_F(StreamsTest, HealthFollowsModulesAndSinks) {
  EXPECT_EQ(Health(""), 1);
  EXPECT_EQ(Health("module/http"), 2);
  EXPECT_EQ(Health("module/none"), 0);
  ASSERT_TRUE(Load(*Control(), "http", "{}").ok());
  EXPECT_EQ(Health("module/http"), 1);
  server_->SetHealth("capture", false);
  EXPECT_EQ(Health("capture"), 2);
}

/// Names of gRPC's own threads in this process.
int GrpcThreads() {
  int count = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    if (name.starts_with("grpc_global") || name.starts_with("timer_manager")) ++count;
  }
  return count;
}

TEST_F(StreamsTest, WithoutClientsThereIsNoGrpc) {
  EXPECT_FALSE(server_->serving());
  {
    const Fd client = RawConnection();
    EXPECT_TRUE(Eventually([this] { return server_->serving(); }));
    EXPECT_GT(GrpcThreads(), 0);
  }
  EXPECT_TRUE(Eventually([this] { return !server_->serving(); }));
  EXPECT_TRUE(Eventually([] { return GrpcThreads() == 0; }));
  v1::GetInfoResponse info;
  EXPECT_TRUE(Control()->GetInfo(Deadline().get(), {}, &info).ok()) << "and the next client finds it again";
}

TEST_F(StreamsTest, AClientThatLeavesDoesNotEndItsChange) {
  std::promise<void> release;
  boost::asio::post(io_, [&] { release.get_future().wait(); });
  {
    grpc::ClientContext impatient;
    impatient.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
    v1::LoadModuleRequest request;
    v1::LoadModuleResponse response;
    request.mutable_spec()->set_name("http");
    EXPECT_EQ(Control()->LoadModule(&impatient, request, &response).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  }
  release.set_value();
  v1::GetModuleRequest get;
  v1::GetModuleResponse module;
  get.set_name("http");
  const auto stub = Control();
  EXPECT_TRUE(Eventually([&] {
    return stub->GetModule(Deadline().get(), get, &module).ok() &&
           module.module().status().phase() == v1::MODULE_PHASE_RUNNING;
  }));
}

TEST_F(StreamsTest, ShutdownEndsStreamsAndRemovesTheSocket) {
  const auto stub = Control();
  const auto context = Deadline();
  const auto watch = stub->Watch(context.get(), {});
  v1::WatchResponse event;
  ASSERT_TRUE(watch->Read(&event));
  server_->Shutdown(std::chrono::seconds(5));
  EXPECT_FALSE(watch->Read(&event));
  const grpc::Status status = watch->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(status), "SHUTTING_DOWN");
  EXPECT_FALSE(std::filesystem::exists(socket_));
}

}  // namespace
}  // namespace probed::control
