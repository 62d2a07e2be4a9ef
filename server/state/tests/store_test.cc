// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/state/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "server/base/error_details.h"
#include "server/state/snapshot.h"
#include "server/state/tests/fakes.h"

namespace probed::state {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Store : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "probed_store_XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    store_.emplace((directory_ / "state").string());
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string Text() const {
    std::ostringstream text;
    text << std::ifstream(store_->path()).rdbuf();
    return text.str();
  }
  void Overwrite(const std::string& text) const { std::ofstream(store_->path()) << text; }

  static StoredState Example() {
    StoredState stored{7, 1234, "abc", {}};
    stored.state.modules = {{"http", R"({"a":"${env:NOT_ME}"})"}};
    stored.state.sinks = {OtlpSink("collector")};
    stored.state.sinks[0].headers["authorization"] = "secret$";
    return stored;
  }

  std::filesystem::path directory_;
  std::optional<StateStore> store_;
};

TEST_F(Store, NoFileIsNoState) {
  const auto loaded = store_->Load();
  ASSERT_TRUE(loaded.ok());
  EXPECT_FALSE(loaded->has_value());
}

TEST_F(Store, ReadsBackWhatItSaved) {
  ASSERT_TRUE(store_->Save(Example()).ok());
  const auto loaded = store_->Load();
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ((*loaded)->generation, 7U);
  EXPECT_EQ((*loaded)->changed_at_utc_ns, 1234U);
  EXPECT_EQ((*loaded)->file_hash, "abc");
  EXPECT_EQ((*loaded)->state, Example().state);
}

TEST_F(Store, KeepsSecretsFromOthers) {
  ASSERT_TRUE(store_->Save(Example()).ok());
  struct stat info{};
  ASSERT_EQ(stat(store_->path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(Store, AnyFlippedByteIsNoticedAndTheFileKept) {
  ASSERT_TRUE(store_->Save(Example()).ok());
  const std::string good = Text();
  for (std::size_t i = 0; i < good.size(); i += 7) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    Overwrite(bad);
    const auto loaded = store_->Load();
    ASSERT_FALSE(loaded.ok()) << "byte " << i;
    EXPECT_EQ(Text(), bad);
  }
}

TEST_F(Store, ATruncatedFileIsRefused) {
  ASSERT_TRUE(store_->Save(Example()).ok());
  const std::string good = Text();
  for (std::size_t size = 0; size < good.size(); size += 11) {
    Overwrite(good.substr(0, size));
    const auto loaded = store_->Load();
    ASSERT_EQ(GetErrorDetails(loaded.status()).reason, "STATE_CORRUPT") << size;
    EXPECT_THAT(std::string(Message(loaded.status())), HasSubstr("is kept"));
  }
}

TEST_F(Store, AFileThatCannotBeReadIsNotTakenForNone) {
  std::filesystem::remove(store_->path());
  std::filesystem::create_symlink(store_->path(), store_->path());  // one that leads to itself: for root too
  EXPECT_EQ(GetErrorDetails(store_->Load().status()).reason, "STATE_UNREADABLE");
}

TEST_F(Store, ANewerSchemaIsRefusedNotDeleted) {
  const std::string newer = "{\"probed_state\":2,\"checksum\":\"whatever\"}\nnobody: knows\n";
  Overwrite(newer);
  EXPECT_EQ(GetErrorDetails(store_->Load().status()).reason, "STATE_TOO_NEW");
  EXPECT_EQ(Text(), newer);
}

TEST_F(Store, AFailedSaveLeavesTheOldFile) {
  ASSERT_TRUE(store_->Save(Example()).ok());
  std::filesystem::create_directory(store_->path() + ".new");
  StoredState other = Example();
  other.generation = 8;
  EXPECT_EQ(GetErrorDetails(store_->Save(other)).reason, "STATE_NOT_SAVED");
  EXPECT_EQ((*store_->Load())->generation, 7U);
}

TEST(ChooseStart, WithoutAStoreTheFileIsTheState) {
  config::State file;
  file.modules = {{"http"}};
  const StartState start = ChooseStart(std::nullopt, file);
  EXPECT_EQ(start.stored.state, file);
  EXPECT_EQ(start.stored.file_hash, StateHash(file));
}

TEST(ChooseStart, WhatTheApiChangedSurvivesWhenTheFileIsTheSame) {
  config::State file;
  StoredState stored{5, 1, StateHash(file), {}};
  stored.state.modules = {{"http"}};
  const StartState start = ChooseStart(stored, file);
  EXPECT_EQ(start.stored.state.modules.size(), 1U);
  EXPECT_THAT(start.differences, IsEmpty());
}

TEST(ChooseStart, AChangedFileWinsAndTheDifferenceIsSaid) {
  config::State file;
  file.modules = {{"dns"}};
  StoredState stored{5, 1, "hash of another file", {}};
  stored.state.modules = {{"http"}};
  const StartState start = ChooseStart(stored, file);
  EXPECT_EQ(start.stored.state, file);
  EXPECT_EQ(start.stored.generation, 5U);
  EXPECT_THAT(start.differences, ElementsAre(HasSubstr("load module dns"), HasSubstr("unload module http")));
}

TEST(ChooseStart, WithoutAFileTheStoredStateGoesOn) {
  StoredState stored{5, 1, "", {}};
  stored.state.modules = {{"http"}};
  EXPECT_EQ(ChooseStart(stored, std::nullopt).stored.state, stored.state);
}

}  // namespace
}  // namespace probed::state
