// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/unix_socket.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "server/base/error_details.h"

namespace probed::control {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class ListenAtTest : public ::testing::Test {
 protected:
  ListenAtTest() {
    std::string pattern = (fs::temp_directory_path() / "probed_socket_XXXXXX").string();
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  ~ListenAtTest() override { fs::remove_all(directory_); }

  std::string Path() const { return directory_ / "p.sock"; }

  static mode_t ModeOf(const fs::path& path) {
    struct stat facts{};
    EXPECT_EQ(::stat(path.c_str(), &facts), 0);
    return facts.st_mode & 07777U;
  }

  static Fd Connect(const std::string& path) {
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return Fd();
    return fd;
  }

  fs::path directory_;
};

TEST_F(ListenAtTest, MakesDirectoryAndSocketWithTheirModes) {
  const fs::path path = directory_ / "run" / "p.sock";
  const mode_t before = ::umask(0077);
  const Result<Fd> listening = ListenAt(path, std::nullopt);
  ::umask(before);
  ASSERT_TRUE(listening.ok()) << listening.status();
  EXPECT_EQ(ModeOf(path), 0660U);
  EXPECT_EQ(ModeOf(path.parent_path()), 0755U);
  EXPECT_TRUE(Connect(path).valid());
}

TEST_F(ListenAtTest, GivesTheSocketToItsGroup) {
  const Result<Fd> listening = ListenAt(Path(), ::getegid());
  ASSERT_TRUE(listening.ok()) << listening.status();
  struct stat facts{};
  ASSERT_EQ(::stat(Path().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_gid, ::getegid());
}

TEST_F(ListenAtTest, ReplacesAFileNobodyAnswersOn) {
  {
    ASSERT_TRUE(ListenAt(Path(), std::nullopt).ok());
  }
  ASSERT_TRUE(fs::exists(Path()));
  ASSERT_FALSE(Connect(Path()).valid());
  const Result<Fd> again = ListenAt(Path(), std::nullopt);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(Connect(Path()).valid());
}

TEST_F(ListenAtTest, LeavesALivingListenerAlone) {
  const Result<Fd> living = ListenAt(Path(), std::nullopt);
  ASSERT_TRUE(living.ok());
  const Status status = ListenAt(Path(), std::nullopt).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(GetErrorDetails(status).reason, "SOCKET_IN_USE");
  EXPECT_THAT(std::string(Message(status)), HasSubstr(Path()));
  EXPECT_TRUE(Connect(Path()).valid());
}

TEST_F(ListenAtTest, LeavesOtherFilesAlone) {
  std::ofstream(Path()) << "precious";
  EXPECT_EQ(ListenAt(Path(), std::nullopt).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(fs::file_size(Path()), 8U);
}

TEST_F(ListenAtTest, WaitsForNobodyWhoIsStartingToo) {
  const Fd other(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_EQ(::flock(other.get(), LOCK_EX), 0);
  EXPECT_EQ(ListenAt(Path(), std::nullopt).status().code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(ListenAtTest, RefusesPathsNoSocketCanHave) {
  for (const std::string& path : {std::string(), std::string("relative.sock"), "/" + std::string(108, 'x')}) {
    EXPECT_EQ(ListenAt(path, std::nullopt).status().code(), absl::StatusCode::kInvalidArgument) << path;
  }
  EXPECT_EQ(ListenAt(directory_ / "a" / "b" / "c.sock", std::nullopt).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ListenAtTest, TellsWhoConnected) {
  const Result<Fd> listening = ListenAt(Path(), std::nullopt);
  ASSERT_TRUE(listening.ok());
  const Fd client = Connect(Path());
  const Fd accepted(::accept4(listening->get(), nullptr, nullptr, SOCK_CLOEXEC));
  const Result<PeerCredentials> peer = ReadPeerCredentials(accepted);
  ASSERT_TRUE(peer.ok()) << peer.status();
  EXPECT_EQ(peer->uid, ::geteuid());
  EXPECT_EQ(peer->gid, ::getegid());
  EXPECT_EQ(peer->pid, ::getpid());
  std::vector<gid_t> groups(static_cast<std::size_t>(::getgroups(0, nullptr)));
  ASSERT_GE(::getgroups(static_cast<int>(groups.size()), groups.data()), 0);
  EXPECT_EQ(peer->groups, groups);
}

TEST_F(ListenAtTest, FailsToIdentifyWhatIsNoSocket) {
  EXPECT_FALSE(ReadPeerCredentials(Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC))).ok());
}

TEST(FindGroup, FindsThoseThereAre) {
  EXPECT_EQ(FindGroup("root"), 0U);
  EXPECT_EQ(FindGroup("no-such-group-here"), std::nullopt);
}

TEST(MayChange, IsForRootOwnUserAndGroup) {
  constexpr uid_t kOwn = 500;
  constexpr gid_t kGroup = 600;
  const auto peer = [](uid_t uid, gid_t gid, std::vector<gid_t> groups) {
    return PeerCredentials{uid, gid, 1, std::move(groups)};
  };
  EXPECT_TRUE(MayChange(peer(0, 0, {}), kOwn, std::nullopt));
  EXPECT_TRUE(MayChange(peer(kOwn, 1, {}), kOwn, std::nullopt));
  EXPECT_TRUE(MayChange(peer(1000, kGroup, {}), kOwn, kGroup));
  EXPECT_TRUE(MayChange(peer(1000, 1, {5, kGroup}), kOwn, kGroup));
  EXPECT_FALSE(MayChange(peer(1000, 1, {5}), kOwn, kGroup));
  EXPECT_FALSE(MayChange(peer(1000, 0, {0}), kOwn, kGroup));
  EXPECT_FALSE(MayChange(peer(1000, kGroup, {kGroup}), kOwn, std::nullopt));
}

}  // namespace
}  // namespace probed::control
