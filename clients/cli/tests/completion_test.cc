// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/tests/verb_test.h"
#include "clients/cli/verbs/verbs.h"

namespace probed::cli {
namespace {

using testing::HasSubstr;

TEST_F(VerbTest, CompletesVerbsAndSubcommands) {
  EXPECT_EQ(Out({"__complete", "--", "lo"}), "load\n");
  EXPECT_EQ(Out({"__complete", "--", "sinks", ""}), "delete\nget\nlist\nput\ntest\n");
  EXPECT_THAT(Out({"__complete", "--", ""}), testing::Not(HasSubstr("__complete")));
}

TEST_F(VerbTest, CompletesNamesFromTheDaemon) {
  EXPECT_EQ(Out({"__complete", "--", "load", ""}), "dns\nhttp\nold\n");
  EXPECT_EQ(Out({"__complete", "--", "unload", ""}), "http\n");
  EXPECT_EQ(Out({"__complete", "--", "sinks", "get", "co"}), "collector\n");
  EXPECT_EQ(Out({"__complete", "--", "load", "--set", "a=b", "h"}), "http\n");
}

TEST_F(VerbTest, CompletesOptionsAndTheirValues) {
  EXPECT_EQ(Out({"__complete", "--", "load", "--se"}), "--set\n");
  EXPECT_EQ(Out({"__complete", "--", "tail", "--socket", "/x", "--si"}), "--signal\n");
  EXPECT_EQ(Out({"__complete", "--", "modules", "-o", "j"}), "json\n");
  EXPECT_EQ(Out({"__complete", "--", "tail", "--signal", ""}), "logs\nmetrics\ntraces\n");
}

TEST_F(VerbTest, CompletionNeverOffersWhatAShellWouldRun) {
  daemon.modules["$(reboot)"].set_name("$(reboot)");
  EXPECT_EQ(Out({"__complete", "--", "load", ""}), "dns\nhttp\nold\n");
}

TEST_F(VerbTest, CompletionIsQuietWithoutADaemon) {
  const Ran ran = RunProbectlOn(folder.Path("none"), {"__complete", "--", "load", ""});
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.out + ran.err, "");
}

TEST_F(VerbTest, ScriptsForThreeShells) {
  EXPECT_THAT(Out({"completion", "bash"}), HasSubstr("complete -o filenames -F _probectl probectl"));
  EXPECT_THAT(Out({"completion", "zsh"}), HasSubstr("#compdef probectl"));
  EXPECT_THAT(Out({"completion", "fish"}), HasSubstr("complete -c probectl"));
  EXPECT_EQ(Run({"completion", "csh"}).code, 2);
}

}  // namespace
}  // namespace probed::cli
