// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/peers.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>

#include "server/base/fd.h"

namespace probed::control {
namespace {

constexpr PeerIdentity kAlice{.uid = 1000, .gid = 100, .pid = 7, .allowed = true};
constexpr PeerIdentity kBob{.uid = 1001, .gid = 100, .pid = 8, .allowed = false};

struct Pair {
  Fd ours;
  Fd theirs;
};

Pair SocketPair() {
  int fds[2] = {-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  return {Fd(fds[0]), Fd(fds[1])};
}

std::string Name(const Fd& fd) { return "fd:" + std::to_string(fd.get()); }

TEST(Peers, KnowWhoIsBehindADescriptor) {
  Peers peers;
  const Pair pair = SocketPair();
  peers.Add(pair.ours.get(), kAlice);
  EXPECT_EQ(peers.Find(Name(pair.ours)), kAlice);
  EXPECT_EQ(peers.Find(Name(pair.theirs)), std::nullopt);
}

TEST(Peers, KnowNobodyOnOtherTransports) {
  Peers peers;
  const Pair pair = SocketPair();
  peers.Add(pair.ours.get(), kAlice);
  const std::string number = std::to_string(pair.ours.get());
  for (const std::string& peer : {std::string(), std::string("fd:"), "ipv4:127.0.0.1:" + number, "unix:" + number,
                                  "fd:" + number + "x", "fd:-" + number, "fd:99999999999", "fd: " + number}) {
    EXPECT_EQ(peers.Find(peer), std::nullopt) << peer;
  }
}

TEST(Peers, ForgetAConnectionThatWasClosed) {
  Peers peers;
  Pair pair = SocketPair();
  const std::string name = Name(pair.ours);
  peers.Add(pair.ours.get(), kAlice);
  pair.ours = Fd();
  EXPECT_EQ(peers.Find(name), std::nullopt);
}

TEST(Peers, GiveNobodyTheIdentityOfANumbersFormerHolder) {
  Peers peers;
  Pair former = SocketPair();
  const int number = former.ours.get();
  peers.Add(number, kAlice);
  former.ours = Fd();
  // The kernel gives the lowest free number first: the one that was just closed, or we put it there.
  Pair later = SocketPair();
  if (later.ours.get() != number) later.ours = Fd(::dup3(later.ours.get(), number, O_CLOEXEC));
  ASSERT_EQ(later.ours.get(), number);
  EXPECT_EQ(peers.Find("fd:" + std::to_string(number)), std::nullopt);
  peers.Add(number, kBob);
  EXPECT_EQ(peers.Find("fd:" + std::to_string(number)), kBob);
}

TEST(Peers, IgnoreWhatIsNoSocket) {
  Peers peers;
  const Fd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  peers.Add(file.get(), kAlice);
  EXPECT_EQ(peers.Find(Name(file)), std::nullopt);
  EXPECT_EQ(peers.RemoveClosed(), 0U);
}

TEST(Peers, CountTheOpenConnections) {
  Peers peers;
  Pair first = SocketPair();
  const Pair second = SocketPair();
  peers.Add(first.ours.get(), kAlice);
  peers.Add(second.ours.get(), kBob);
  EXPECT_EQ(peers.RemoveClosed(), 2U);
  first.ours = Fd();
  EXPECT_EQ(peers.RemoveClosed(), 1U);
  EXPECT_EQ(peers.Find(Name(second.ours)), kBob);
}

}  // namespace
}  // namespace probed::control
