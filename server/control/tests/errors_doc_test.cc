// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// docs/errors.md is part of the contract: every reason the server's sources give has its sentence there, none has one
// that they do not give, and each is in a test.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace probed::control {
namespace {

const std::filesystem::path kRoot = SOURCE_ROOT;

std::string TextOf(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// Calls `visit` with the path of each file below a folder that ends so.
void EachFile(const std::filesystem::path& folder, std::initializer_list<const char*> endings,
              const std::function<void(const std::string&)>& visit) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string path = entry.path().string();
    for (const char* ending : endings)
      if (path.ends_with(ending)) visit(path);
  }
}

/// All first groups of a pattern in a text.
std::set<std::string> Found(const std::string& text, const std::regex& form) {
  std::set<std::string> found;
  for (std::sregex_iterator match(text.begin(), text.end(), form), end; match != end; ++match)
    found.insert((*match)[1]);
  return found;
}

/// Reasons in one source file: `.reason = "X"`, constants of a reasons.h, arguments of helpers, conditions.
std::set<std::string> ReasonsIn(const std::string& text) {
  static const std::regex kAssigned(R"re(\.reason = "([A-Z]+(?:_[A-Z]+)*)")re");
  static const std::regex kConstant(R"re(std::string_view k\w+ = "([A-Z]+(?:_[A-Z]+)+)")re");
  static const std::regex kHelper(
      R"re((?:StateError|Simple|Refuse|CannotResume|InvalidAs|Invalid|Remember)\([^;]*?"([A-Z]+(?:_[A-Z]+)*)")re");
  static const std::regex kCondition(R"re(\{"[A-Z][a-z]\w*", "([A-Z]+(?:_[A-Z]+)*)")re");
  std::set<std::string> reasons;
  for (const std::regex* form : {&kAssigned, &kConstant, &kHelper, &kCondition}) reasons.merge(Found(text, *form));
  return reasons;
}

/// By reason, a file that gives it.
std::map<std::string, std::string> GivenReasons() {
  std::map<std::string, std::string> given;
  EachFile(kRoot / "server", {".cc", ".h"}, [&](const std::string& path) {
    if (path.find("/tests/") != std::string::npos) return;
    for (const std::string& reason : ReasonsIn(TextOf(path))) given.emplace(reason, path);
  });
  return given;
}

std::set<std::string> DocumentedReasons() {
  static const std::regex kRow(R"re(\n\| `([A-Z_]+)` \|)re");
  return Found(TextOf(kRoot / "docs" / "errors.md"), kRow);
}

TEST(ErrorsDoc, HasASentenceForEveryReason) {
  const std::set<std::string> documented = DocumentedReasons();
  const std::map<std::string, std::string> given = GivenReasons();
  for (const auto& [reason, path] : given) EXPECT_TRUE(documented.contains(reason)) << reason << " of " << path;
  EXPECT_GT(given.size(), 40U) << "the search itself works";
}

TEST(ErrorsDoc, HasNoReasonThatNobodyGives) {
  const std::map<std::string, std::string> given = GivenReasons();
  for (const std::string& reason : DocumentedReasons()) EXPECT_TRUE(given.contains(reason)) << reason;
}

/// In tests of the daemon, not of its clients: those make up their errors. A constant stands for its reason.
TEST(ErrorsDoc, EveryReasonIsInATest) {
  std::string tests;
  const auto add = [&](const std::string& path) {
    if (!path.ends_with("errors_doc_test.cc")) tests += TextOf(path);
  };
  EachFile(kRoot / "server", {"_test.cc"}, add);
  EachFile(kRoot / "tests" / "e2e", {".py"}, add);
  std::map<std::string, std::string> constants;
  static const std::regex kConstant(R"re(std::string_view (k\w+) = "([A-Z_]+)")re");
  const std::string header = TextOf(kRoot / "server" / "modules" / "reasons.h");
  for (std::sregex_iterator match(header.begin(), header.end(), kConstant), end; match != end; ++match)
    constants[(*match)[2]] = (*match)[1];
  EXPECT_FALSE(constants.empty());
  for (const std::string& reason : DocumentedReasons()) {
    const auto constant = constants.find(reason);
    const std::string names = reason + (constant == constants.end() ? "" : "|" + constant->second);
    EXPECT_TRUE(std::regex_search(tests, std::regex(R"(\b(?:)" + names + R"()\b)"))) << reason;
  }
}

}  // namespace
}  // namespace probed::control
