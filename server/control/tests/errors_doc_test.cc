// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// docs/errors.md is part of the contract: every reason the server's sources give has its sentence there.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

namespace probed::control {
namespace {

const std::filesystem::path kRoot = SOURCE_ROOT;

std::string TextOf(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// Reasons in one source file: `.reason = "X"`, and constants of a reasons.h.
std::set<std::string> ReasonsIn(const std::filesystem::path& path) {
  static const std::regex kAssigned(R"re(\.reason = "([A-Z]+(?:_[A-Z]+)*)")re");
  static const std::regex kConstant(R"re(std::string_view k\w+ = "([A-Z]+(?:_[A-Z]+)+)")re");
  static const std::regex kHelper(
      R"re((?:StateError|Simple|Refuse|CannotResume|InvalidAs|Invalid)\([^;]*?"([A-Z]+(?:_[A-Z]+)+)")re");
  const std::string text = TextOf(path);
  std::set<std::string> reasons;
  for (const std::regex& form : {kAssigned, kConstant, kHelper}) {
    for (std::sregex_iterator match(text.begin(), text.end(), form), end; match != end; ++match) {
      reasons.insert((*match)[1]);
    }
  }
  return reasons;
}

TEST(ErrorsDoc, HasASentenceForEveryReason) {
  const std::string doc = TextOf(kRoot / "docs" / "errors.md");
  ASSERT_FALSE(doc.empty());
  std::size_t found = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kRoot / "server")) {
    const std::string path = entry.path().string();
    const bool source = path.ends_with(".cc") || path.ends_with(".h");
    if (!source || path.find("/tests/") != std::string::npos) continue;
    for (const std::string& reason : ReasonsIn(entry.path())) {
      ++found;
      EXPECT_NE(doc.find("| `" + reason + "` |"), std::string::npos) << reason << " of " << path;
    }
  }
  EXPECT_GT(found, 40U) << "the search itself works";
}

}  // namespace
}  // namespace probed::control
