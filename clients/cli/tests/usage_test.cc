// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The command line itself: help, mistakes, no daemon.
#include <sys/stat.h>
#include <unistd.h>

#include "clients/cli/tests/verb_test.h"

namespace probed::cli {
namespace {

using testing::HasSubstr;

TEST_F(VerbTest, HelpIsNoFailure) {
  EXPECT_THAT(Out({"--help"}), HasSubstr("6 daemon unreachable"));
  EXPECT_THAT(Out({"load", "--help"}), HasSubstr("--config"));
  EXPECT_THAT(Out({"--version"}), HasSubstr("."));
}

TEST_F(VerbTest, MistakesAreUsageErrors) {
  const Ran ran = Run({"modles"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_EQ(ran.err, "probectl: no such verb: modles, did you mean modules?\n");
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{{},
                                                                                         {"load"},
                                                                                         {"modules", "--no-such"},
                                                                                         {"modules", "-o", "xml"},
                                                                                         {"sinks", "put"},
                                                                                         {"info", "--timeout", "soon"},
                                                                                         {"info", "--timeout", "0"},
                                                                                         {"module"}}) {
    const Ran wrong = Run(arguments);
    EXPECT_EQ(wrong.code, 2) << testing::PrintToString(arguments);
    EXPECT_NE(wrong.err, "");
    EXPECT_EQ(wrong.out, "");
  }
}

TEST_F(VerbTest, GlobalOptionsStandAnywhere) {
  EXPECT_EQ(Out({"-o", "name", "--timeout", "5", "modules"}), Out({"modules", "--timeout", "5s", "-o", "name"}));
  EXPECT_EQ(RunProbectlOn("/nowhere", {"modules", "--socket", socket, "-o", "name"}).code, 0);
}

TEST_F(VerbTest, NoDaemonIsUnreachable) {
  const Ran ran = RunProbectlOn(folder.Path("none"), {"modules"});
  EXPECT_EQ(ran.code, 6);
  EXPECT_THAT(ran.err, HasSubstr("cannot connect to " + folder.Path("none") + ": No such file or directory"));
  EXPECT_THAT(ran.err, HasSubstr("is the daemon running?"));
  EXPECT_EQ(RunProbectlOn(folder.Write("file", ""), {"modules"}).code, 6);
  EXPECT_EQ(RunProbectlOn(std::string(200, 'x'), {"modules"}).code, 6);
}

TEST_F(VerbTest, AClosedSocketIsDenied) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may open every socket";
  ::chmod(socket.c_str(), 0);
  EXPECT_EQ(Run({"modules"}).code, 5);
}

}  // namespace
}  // namespace probed::cli
