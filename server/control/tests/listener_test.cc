// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/listener.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "server/base/error_details.h"
#include "server/control/unix_socket.h"

namespace probed::control {
namespace {

Fd ConnectTo(const std::string& path) {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return Fd();
  return fd;
}

class TempSocket : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "probed_socket_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    path_ = (directory_ / "p.sock").string();
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::filesystem::path directory_;
  std::string path_;
};

using UnixSocket = TempSocket;

TEST_F(UnixSocket, IsOpenToOwnerAndGroupOnly) {
  const auto fd = ListenUnix(path_, ::getegid());
  ASSERT_TRUE(fd.ok()) << fd.status();
  struct stat info{};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0660U);
  EXPECT_EQ(info.st_gid, ::getegid());
}

TEST_F(UnixSocket, ReplacesAFileNobodyAnswersOn) {
  ASSERT_TRUE(ListenUnix(path_, std::nullopt).ok());
  EXPECT_TRUE(std::filesystem::exists(path_)) << "the first listener is gone, its file is not";
  EXPECT_TRUE(ListenUnix(path_, std::nullopt).ok());
}

TEST_F(UnixSocket, LeavesALivingDaemonAlone) {
  const auto first = ListenUnix(path_, std::nullopt);
  ASSERT_TRUE(first.ok());
  const Status refused = ListenUnix(path_, std::nullopt).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(GetErrorDetails(refused).reason, "SOCKET_UNAVAILABLE");
  EXPECT_TRUE(ConnectTo(path_).valid());
}

TEST_F(UnixSocket, LeavesOtherFilesAlone) {
  std::ofstream(path_) << "precious";
  EXPECT_EQ(ListenUnix(path_, std::nullopt).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(std::filesystem::file_size(path_), 8U);
}

TEST_F(UnixSocket, RefusesPathsThatDoNotFit) {
  EXPECT_EQ(ListenUnix("/tmp/" + std::string(200, 'x'), std::nullopt).status().code(),
            absl::StatusCode::kInvalidArgument);
}

class Recorder final : public ConnectionHandler {
 public:
  bool OnConnection(std::uint64_t, const Fd&, const Peer& peer) override {
    Note([&] { ++opened, last = peer; });
    return take;
  }
  void OnClosed(std::uint64_t) override {
    Note([&] { ++closed; });
  }
  bool OnIdle() override {
    Note([&] { ++idle; });
    return idle > 1;  // the first time it is not ready yet
  }

  template <typename Ready>
  bool Wait(Ready ready) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(20), ready);
  }

  bool take = true;
  std::mutex mutex;
  std::condition_variable changed;
  int opened = 0;
  int closed = 0;
  int idle = 0;
  Peer last;

 private:
  template <typename Change>
  void Note(Change change) {
    const std::lock_guard lock(mutex);
    change();
    changed.notify_all();
  }
};

TEST_F(TempSocket, TheListenerTellsWhoCameAndWent) {
  Recorder recorder;
  Listener listener(std::move(*ListenUnix(path_, std::nullopt)), std::chrono::milliseconds(1), recorder);
  Fd first = ConnectTo(path_);
  const Fd second = ConnectTo(path_);
  ASSERT_TRUE(recorder.Wait([&] { return recorder.opened == 2; }));
  EXPECT_EQ(recorder.last.uid, ::geteuid());
  EXPECT_EQ(recorder.last.pid, ::getpid());
  first = Fd();
  ASSERT_TRUE(recorder.Wait([&] { return recorder.closed == 1; }));
  EXPECT_EQ(recorder.idle, 0) << "one is still connected";
}

TEST_F(TempSocket, TheListenerAsksUntilItMayRest) {
  Recorder recorder;
  Listener listener(std::move(*ListenUnix(path_, std::nullopt)), std::chrono::milliseconds(1), recorder);
  {
    const Fd client = ConnectTo(path_);
  }
  EXPECT_TRUE(recorder.Wait([&] { return recorder.idle == 2; }));
}

TEST_F(TempSocket, AConnectionNobodyTakesIsClosed) {
  Recorder recorder;
  recorder.take = false;
  Listener listener(std::move(*ListenUnix(path_, std::nullopt)), std::chrono::milliseconds(1), recorder);
  const Fd client = ConnectTo(path_);
  char byte = 0;
  EXPECT_EQ(::recv(client.get(), &byte, 1, 0), 0);
  EXPECT_TRUE(recorder.Wait([&] { return recorder.idle > 0; }));
  EXPECT_EQ(recorder.closed, 0);
}

TEST_F(TempSocket, TooManyConnectionsAreRefused) {
  Recorder recorder;
  Listener listener(std::move(*ListenUnix(path_, std::nullopt)), std::chrono::milliseconds(1), recorder);
  std::vector<Fd> clients;
  for (std::size_t i = 0; i <= Listener::kMostConnections; ++i) clients.push_back(ConnectTo(path_));
  char byte = 0;
  EXPECT_EQ(::recv(clients.back().get(), &byte, 1, 0), 0) << "the last one is closed at once";
  EXPECT_TRUE(recorder.Wait([&] { return recorder.opened == static_cast<int>(Listener::kMostConnections); }));
}

TEST(Admission, LetsInRootTheDaemonsUserAndTheGroup) {
  const Admission admission{500, 42};
  EXPECT_TRUE(admission.Admits({0, 0, 1, {}}));
  EXPECT_TRUE(admission.Admits({500, 7, 1, {}}));
  EXPECT_TRUE(admission.Admits({501, 42, 1, {}}));
  EXPECT_TRUE(admission.Admits({501, 7, 1, {1, 42}}));
  EXPECT_FALSE(admission.Admits({501, 7, 1, {1, 2}}));
  EXPECT_FALSE((Admission{500, std::nullopt}).Admits({501, 0, 1, {0}}));
}

TEST(PeerTable, ForgetsWhoIsGone) {
  PeerTable peers;
  peers.Add(1030, {7, 7, 99, {}});
  ASSERT_TRUE(peers.Find("fd:1030").has_value());
  EXPECT_EQ(peers.Find("fd:1030")->uid, 7U);
  peers.Remove(1030);
  EXPECT_FALSE(peers.Find("fd:1030").has_value());
}

}  // namespace
}  // namespace probed::control
