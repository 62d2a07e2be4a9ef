// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A feed over a ring in plain memory, and a module that does what the test scripts.
#include "server/pipeline/module_feed.h"

#include <gmock/gmock.h>

#include <functional>
#include <numeric>

#include "server/pipeline/host_table.h"
#include "server/pipeline/tests/fake_ring.h"
#include "server/pipeline/tests/output_rig.h"

struct probe_module {};
struct probe_shard {};

namespace probed::pipeline {
namespace {

/// What the module does with a segment; set by the test.
std::function<void(probe_stream_t*, const probe_segment_t&)> on_segment;

probe_module_entry_t ToyEntry() {
  static probe_module module;
  static probe_shard shard;
  probe_module_entry_t entry{};
  entry.struct_size = sizeof(entry);
  entry.abi_major = PROBE_ABI_MAJOR;
  entry.abi_minor = PROBE_ABI_MINOR;
  entry.magic = PROBE_MODULE_MAGIC;
  entry.create = [](const probe_host_t*, probe_module_t** out) {
    *out = &module;
    return static_cast<probe_result_t>(PROBE_OK);
  };
  entry.destroy = [](probe_module_t*) {};
  entry.shard_start = [](probe_module_t*, std::uint32_t, probe_shard_context_t*, probe_shard_t** out) {
    *out = &shard;
    return static_cast<probe_result_t>(PROBE_OK);
  };
  entry.shard_stop = [](probe_shard_t*) {};
  entry.on_segment = [](probe_shard_t*, probe_stream_t* stream, void**, const probe_segment_t* segment) {
    on_segment(stream, *segment);
  };
  return entry;
}

class ModuleFeedTest : public ::testing::Test {
 protected:
  ModuleFeedTest() {
    on_segment = [](probe_stream_t*, const probe_segment_t&) {};
    EXPECT_TRUE(feed_.Start(*instance_, 0).ok());
  }
  static pb_record Record(__u8 type) {
    pb_record record{};
    record.type = type;
    record.cookie = 7;
    record.incarnation = 3;
    return record;
  }
  void Segment(std::string_view bytes, std::uint64_t offset = 0) {
    pb_record record = Record(PB_RECORD_SEGMENT);
    record.offset = offset;
    record.total = static_cast<__u32>(bytes.size());
    ring_.Put(record, bytes);
    feed_.Drain(100);
  }
  const probe_host_t& host() const { return host_.table(); }
  static std::uint64_t Sum(const ReasonCounts& counts) {
    return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
  }

  OutputRig rig_;
  FakeRing ring_;
  SpanOutput output_{0, rig_.shared};
  HostTable host_{"toy", rig_.keys, {}};
  const probe_module_entry_t entry_ = ToyEntry();
  std::unique_ptr<modules::ModuleInstance> instance_ =
      *modules::ModuleInstance::Create("toy", 1, entry_, host_.table());
  ModuleFeed feed_{rig_.module, ring_.Reader(), output_};
};

TEST_F(ModuleFeedTest, BooksARecordUnderTheReasonGiven) {
  on_segment = [this](probe_stream_t* stream, const probe_segment_t&) { host().count(stream, PROBE_IGNORED_BODY); };
  Segment("body");
  EXPECT_EQ(feed_.ledger().records[PROBE_IGNORED_BODY], 1U);
  EXPECT_EQ(feed_.ledger().used, 0U);
}

TEST_F(ModuleFeedTest, BooksReasonsItDoesNotKnowAsUnknown) {
  on_segment = [this](probe_stream_t* stream, const probe_segment_t&) { host().count(stream, 4711); };
  Segment("what");
  Segment("ever", 4);
  const FeedLedger& ledger = feed_.ledger();
  EXPECT_EQ(ledger.used, 0U);
  EXPECT_EQ(ledger.records[kUnknownReason], 2U);
  EXPECT_EQ(ledger.consumed, ledger.used + ledger.unfed + Sum(ledger.records));
  EXPECT_EQ(ReasonName(kUnknownReason), "unknown");
}

TEST_F(ModuleFeedTest, BooksExchangesAbortedForUnknownReasonsAsUnknown) {
  on_segment = [this](probe_stream_t* stream, const probe_segment_t& segment) {
    probe_exchange_t exchange{};
    exchange.kind = PROBE_SPAN_SERVER;
    exchange.start_ns = segment.ktime_ns;
    host().exchange_abort(stream, host().exchange_begin(stream, &exchange), PROBE_REASON_COUNT);
  };
  Segment("half");
  const FeedLedger& ledger = feed_.ledger();
  EXPECT_EQ(ledger.aborted[PROBE_EVICTED_MEMORY], 0U);
  EXPECT_EQ(ledger.aborted[kUnknownReason], 1U);
  EXPECT_EQ(ledger.opened, ledger.spans + ledger.in_flight + Sum(ledger.aborted));
}

}  // namespace
}  // namespace probed::pipeline
