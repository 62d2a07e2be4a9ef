// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The table PROBE_MODULE makes: which callbacks it has, and that nothing escapes it.
#include "api/sdk/module.h"

#include <gmock/gmock.h>

#include <stdexcept>

#include "api/sdk/testing/drive.h"

namespace probed::sdk {
namespace {

struct Thrower {
  struct Config {};
  struct StreamState {
    int calls;
  };
  struct Shard {
    Shard(Thrower&, const Generations<Config>&, ShardHost) {}
    void OnSegment(Stream, StreamState& state, const probe_segment_t&) {
      if (++state.calls > 1) throw std::runtime_error("second call");
    }
  };
  explicit Thrower(Host) {
    if (refuse) throw std::runtime_error("refused");
  }
  std::unique_ptr<Config> Prepare(std::string_view json, FieldErrors&) {
    if (json == "throw") throw 1;
    if (json == "null") return nullptr;
    return std::make_unique<Config>();
  }
  static inline bool refuse = false;
};

constinit const probe_module_entry_t kEntry = ModuleEntry<Thrower>::Table();

TEST(ModuleEntry, HasOnlyTheCallbacksTheClassHas) {
  EXPECT_NE(kEntry.on_segment, nullptr);
  EXPECT_NE(kEntry.on_close, nullptr);
  EXPECT_EQ(kEntry.on_gap, nullptr);
  EXPECT_EQ(kEntry.on_datagram, nullptr);
  EXPECT_EQ(kEntry.on_tick, nullptr);
  EXPECT_EQ(kEntry.magic, PROBE_MODULE_MAGIC);
}

TEST(ModuleEntry, TurnsExceptionsIntoResults) {
  testing::FakeHost host;
  probe_module_t* module = nullptr;
  Thrower::refuse = true;
  EXPECT_EQ(kEntry.create(host.table(), &module), PROBE_INTERNAL);
  Thrower::refuse = false;
  EXPECT_THAT(host.logs, ::testing::ElementsAre("refused"));
  ASSERT_EQ(kEntry.create(host.table(), &module), PROBE_OK);
  probe_config_t* config = nullptr;
  EXPECT_EQ(kEntry.prepare(module, ToAbi("throw"), nullptr, &config), PROBE_INTERNAL);
  EXPECT_EQ(kEntry.prepare(module, ToAbi("null"), nullptr, &config), PROBE_INVALID);
  EXPECT_EQ(config, nullptr);
  kEntry.destroy(module);
}

TEST(ModuleEntry, CountsTheRecordADecoderThrewOn) {
  testing::Driver driver(kEntry);
  testing::StreamDriver stream = driver.NewStream();
  stream.Receive("a");
  stream.Receive("b");
  EXPECT_EQ(driver.host.used, 1U);
  EXPECT_EQ(driver.host.Counted(PROBE_UNDECODABLE_MALFORMED), 1U);
  stream.Close(PROBE_CLOSE_PEER);
  EXPECT_EQ(driver.host.bytes(), 0U);
}

TEST(ModuleEntry, RefusesAHostThatIsTooOld) {
  probe_host_t old{};
  old.struct_size = 64;
  probe_module_t* module = nullptr;
  EXPECT_EQ(kEntry.create(&old, &module), PROBE_UNSUPPORTED);
}

}  // namespace
}  // namespace probed::sdk
