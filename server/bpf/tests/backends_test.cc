// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/bpf/backends.h"

#include <gmock/gmock.h>

namespace probed::bpf {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<std::string> PrototypesOn(const KernelFunctions& functions) {
  std::vector<std::string> names;
  for (const Prototype& prototype : PrototypesOf(Backend::kFexit, functions)) names.emplace_back(prototype.name);
  return names;
}

TEST(Backends, TheTracepointsComeFirstUnlessPagesPassByThem) {
  EXPECT_THAT(Candidates("", {}), ElementsAre(Backend::kSock, Backend::kFexit));
  EXPECT_THAT(Candidates("", {kTcpSendpage}), ElementsAre(Backend::kFexit, Backend::kSock));
  EXPECT_THAT(Candidates("sock", {kTcpSendpage}), ElementsAre(Backend::kSock));
  EXPECT_THAT(Candidates("fexit", {}), ElementsAre(Backend::kFexit));
}

TEST(Backends, FunctionsAKernelLacksAreNotHooked) {
  EXPECT_THAT(PrototypesOn({}), ElementsAre("fexit_rx", "fexit_tx", "fexit_udp_tx"));
  EXPECT_THAT(PrototypesOn({kTcpSendpage}), Contains("fexit_page"));
  EXPECT_THAT(PrototypesOn({"unix_stream_sendmsg"}), Contains("fexit_unix_tx"));
  EXPECT_THAT(PrototypesOn({"unix_stream_sendmsg"}), Not(Contains("fexit_unix_page")));
  const auto hooks = [](const KernelFunctions& functions) { return HooksOf(Backend::kFexit, functions).size(); };
  EXPECT_EQ(hooks({kTcpSendpage}), hooks({}) + 1);
}

TEST(Backends, APrototypeTakesTheProgramsItHas) {
  const std::vector<std::string> stream = {"line_classify", "line_rx", "line_tx"};
  const auto programs = [&](const char* name, const std::vector<std::string>& of) {
    for (const Prototype& prototype : PrototypesOf(Backend::kFexit, {kTcpSendpage}))
      if (std::string_view(prototype.name) == name) return ProgramsFor(prototype, of);
    return std::vector<std::string>{"no such prototype"};
  };
  EXPECT_THAT(programs("fexit_rx", stream), ElementsAre("line_classify", "line_rx"));
  EXPECT_THAT(programs("fexit_page", stream), ElementsAre("line_tx"));
  EXPECT_THAT(programs("fexit_udp_tx", stream), IsEmpty()) << "it would only classify";
  EXPECT_TRUE(IsInChain(stream, PB_CHAIN_STREAMS));
  EXPECT_FALSE(IsInChain(stream, PB_CHAIN_DATAGRAMS));
}

}  // namespace
}  // namespace probed::bpf
