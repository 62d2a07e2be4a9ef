// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/lib/table.h"

#include <gmock/gmock.h>

#include <sstream>

#include "clients/cli/lib/escape.h"

namespace probed::cli {
namespace {

std::vector<std::string> Lines(const Table& table, const Terminal& terminal) {
  std::stringstream text;
  table.Print(text, terminal);
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

TEST(Table, AlignsColumns) {
  Table table({"NAME", "TYPE"});
  table.Add({{"a"}, {"x"}});
  table.Add({{"longer"}, {""}});
  EXPECT_THAT(Lines(table, {}), testing::ElementsAre("NAME    TYPE", "a       x", "longer  -"));
}

TEST(Table, CutsTheWidestColumnToFitTheTerminal) {
  Table table({"NAME", "TEXT"});
  table.Add({{"short"}, {std::string(200, 'x')}});
  for (const std::string& line : Lines(table, {40, false})) EXPECT_LE(DisplayWidth(line), 40U);
  EXPECT_THAT(Lines(table, {40, false})[1], testing::StartsWith("short  xxx"));
  EXPECT_EQ(DisplayWidth(Lines(table, {0, false})[1]), 207U);
}

TEST(Table, EscapesCells) {
  Table table({"NAME"});
  table.Add({{"a\x1b[2J"}});
  EXPECT_EQ(Lines(table, {})[1], "a\\x1b[2J");
}

TEST(Table, PaintsOnlyWhereThereIsColor) {
  Table table({"NAME"});
  table.Add({{"bad", Paint::kBad}});
  EXPECT_EQ(Lines(table, {80, false})[1], "bad");
  EXPECT_EQ(Lines(table, {80, true})[1], "\033[31mbad\033[0m");
}

}  // namespace
}  // namespace probed::cli
