// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A feed over a ring in plain memory, and a module that does what the test scripts.
#include "server/pipeline/module_feed.h"

#include <gmock/gmock.h>

#include <array>
#include <functional>
#include <numeric>

#include "api/sdk/host.h"
#include "server/pipeline/host_table.h"
#include "server/pipeline/tests/fake_ring.h"
#include "server/pipeline/tests/output_rig.h"

struct probe_module {};
struct probe_shard {};

namespace probed::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// What the module does with a segment; set by the test.
std::function<void(probe_stream_t*, const probe_segment_t&)> on_segment;
std::vector<std::uint32_t> closes;  // reasons
int ticks = 0;

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
  entry.on_close = [](probe_shard_t*, probe_stream_t*, void**, std::uint32_t reason, std::uint64_t) {
    closes.push_back(reason);
  };
  entry.on_tick = [](probe_shard_t*, std::uint64_t) { ++ticks; };
  return entry;
}

class ModuleFeedTest : public ::testing::Test {
 protected:
  ModuleFeedTest() {
    on_segment = [](probe_stream_t*, const probe_segment_t&) {};
    closes.clear();
    ticks = 0;
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
  void KernelOpens() {
    const pb_open open{};
    ring_.Put(Record(PB_RECORD_OPEN), {reinterpret_cast<const char*>(&open), sizeof(open)});
    feed_.Drain(100);
  }
  void KernelCloses(__u8 reason) {
    pb_record record = Record(PB_RECORD_CLOSE);
    record.hint = reason;
    ring_.Put(record);
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
  std::vector<StreamRelease> released_;
  ModuleFeed feed_{rig_.module, ring_.Reader(), output_, [this](const StreamRelease& release) -> probe_result_t {
                     if (release.heir == "nobody") return PROBE_INVALID;
                     released_.push_back(release);
                     return PROBE_OK;
                   }};
};

TEST_F(ModuleFeedTest, DecodesUpToAMoment) {
  std::vector<std::uint64_t> seen;
  on_segment = [&seen](probe_stream_t*, const probe_segment_t& segment) { seen.push_back(segment.ktime_ns); };
  EXPECT_EQ(feed_.NextKtimeNs(), UINT64_MAX);
  for (const std::uint64_t ktime_ns : {10U, 20U, 30U}) {
    pb_record record = Record(PB_RECORD_SEGMENT);
    record.ktime_ns = ktime_ns;
    ring_.Put(record);
  }
  EXPECT_EQ(feed_.NextKtimeNs(), 10U);
  EXPECT_EQ(feed_.Drain(100, 9), 0U);
  EXPECT_EQ(feed_.Drain(100, 20), 2U);
  EXPECT_THAT(seen, ElementsAre(10, 20));
  EXPECT_EQ(feed_.NextKtimeNs(), 30U);
  EXPECT_TRUE(feed_.PublishAll()) << "there is more";
  EXPECT_EQ(feed_.Drain(100), 1U);
  EXPECT_THAT(seen, ElementsAre(10, 20, 30));
  EXPECT_FALSE(feed_.PublishAll());
  EXPECT_EQ(feed_.ledger().gaps, 0U);
}

TEST_F(ModuleFeedTest, TicksTwiceBehindTheLastRecordAndThenNoMore) {
  EXPECT_FALSE(feed_.wants_ticks());
  feed_.Tick(1);
  EXPECT_EQ(ticks, 0);
  for (int record = 1; record <= 2; ++record) {
    Segment("bytes");
    for (int i = 0; i < 4; ++i) feed_.Tick(1);
    EXPECT_EQ(ticks, 2 * record);
    EXPECT_FALSE(feed_.wants_ticks());
  }
  Segment("bytes");
  feed_.Tick(1);
  Segment("bytes");
  for (int i = 0; i < 4; ++i) feed_.Tick(1);
  EXPECT_EQ(ticks, 4 + 1 + 2);
}

TEST_F(ModuleFeedTest, TicksWhileAnExchangeIsOpen) {
  std::uint64_t exchange = 0;
  probe_stream_t* asked = nullptr;
  on_segment = [&](probe_stream_t* stream, const probe_segment_t&) {
    probe_exchange_t begun{};
    begun.struct_size = sizeof(begun);
    asked = stream;
    exchange = host().exchange_begin(stream, &begun);
  };
  Segment("bytes");
  for (int i = 0; i < 5; ++i) feed_.Tick(1);
  EXPECT_EQ(ticks, 5);
  host().exchange_abort(asked, exchange, PROBE_ABORTED_CLOSE);
  EXPECT_FALSE(feed_.wants_ticks());
}

TEST_F(ModuleFeedTest, WithoutItsModuleNothingTicks) {
  Segment("bytes");
  EXPECT_TRUE(feed_.wants_ticks());
  feed_.Stop(0);
  EXPECT_FALSE(feed_.wants_ticks());
  feed_.Tick(1);
  EXPECT_EQ(ticks, 0);
}

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

/// Spans with two attributes that are said to be constant and one that changes.
class ConstantAttributes : public ModuleFeedTest {
 protected:
  struct Said {
    std::string constant = "same";
    std::uint32_t set = 1;
    std::uint32_t count = 2;
    std::uint32_t struct_size = sizeof(probe_span_t);
    std::uint32_t attributes = 3;
  };

  void Emit(const Said& said, std::int64_t number) {
    on_segment = [&](probe_stream_t* stream, const probe_segment_t& segment) {
      probe_exchange_t exchange{};
      exchange.kind = PROBE_SPAN_SERVER;
      exchange.start_ns = segment.ktime_ns;
      probe_attribute_t attributes[3] = {};
      attributes[0].key = key_;
      attributes[0].type = PROBE_ATTR_STRING;
      attributes[0].value.string = {said.constant.data(), said.constant.size()};
      attributes[1].key = key_ + 1;
      attributes[1].type = attributes[2].type = PROBE_ATTR_INT;
      attributes[1].value.integer = 8080;
      attributes[2].key = key_ + 2;
      attributes[2].value.integer = number;
      probe_span_t span{};
      span.struct_size = said.struct_size;
      span.exchange = host().exchange_begin(stream, &exchange);
      span.attributes = attributes;
      span.attribute_count = said.attributes;
      span.constant_set = said.set;
      span.constant_count = said.count;
      EXPECT_EQ(host().emit_span(stream, &span), PROBE_OK);
    };
    Segment("x", offset_++);
  }

  /// "constant/number of constants/number" of each span, as a sink sees it.
  std::vector<std::string> Sent() {
    output_.FlushBatches();
    std::vector<std::string> spans;
    for (const exporter::BatchPtr& batch : rig_.batches) {
      exporter::ForEachItem(batch->bytes, [&](const exporter::ItemView& item) {
        std::string text;
        for (const exporter::AttributeView& attribute : exporter::ReadSpan(item.item).attributes) {
          if (const auto* value = std::get_if<std::int64_t>(&attribute.value)) text += "/" + std::to_string(*value);
          if (const auto* value = std::get_if<std::string_view>(&attribute.value)) text += *value;
        }
        spans.push_back(text);
      });
    }
    return spans;
  }

  const std::uint32_t key_ = rig_.keys.Intern("constant.text");
  const std::uint32_t more_ = rig_.keys.Intern("constant.number") + rig_.keys.Intern("number");
  std::uint64_t offset_ = 0;
};

TEST_F(ConstantAttributes, AreInEverySpan) {
  Emit({}, 1);
  Emit({}, 2);
  Emit({.constant = "other", .set = 2}, 3);
  Emit({.constant = "other", .set = 2}, 4);
  Emit({.constant = "none", .set = 0}, 5);
  Emit({.constant = "other", .set = 2}, 6);
  EXPECT_THAT(Sent(),
              ElementsAre("same/8080/1", "same/8080/2", "other/8080/3", "other/8080/4", "none/8080/5", "other/8080/6"));
}

TEST_F(ConstantAttributes, OfAModuleBuiltForOneZeroAreNotLookedFor) {
  const auto size = static_cast<std::uint32_t>(offsetof(probe_span_t, constant_set));
  Emit({.struct_size = size}, 1);
  Emit({.constant = "other", .struct_size = size}, 2);
  EXPECT_THAT(Sent(), ElementsAre("same/8080/1", "other/8080/2"));
}

TEST_F(ConstantAttributes, ThatAreTooManyOrTooLongAreNotKept) {
  Emit({.count = 4}, 1);
  Emit({.constant = "other", .count = 4}, 2);  // wrong, but nothing was kept that it could be mixed up with
  const std::string huge(StreamConstants::kMostBytes, 'x');
  Emit({.constant = huge, .set = 2}, 3);
  Emit({.constant = huge, .set = 2}, 4);
  EXPECT_THAT(Sent(), ElementsAre("same/8080/1", "other/8080/2", huge + "/8080/3", huge + "/8080/4"));
}

TEST_F(ConstantAttributes, AModuleThatContradictsItselfReadsNoForeignMemory) {
  Emit({}, 1);
  Emit({.attributes = 1}, 2);
  Emit({.count = 1}, 3);
  EXPECT_THAT(Sent(), ElementsAre("same/8080/1", "same", "same/8080/3"));
}

TEST_F(ConstantAttributes, AreGoneWithTheirStream) {
  Emit({}, 1);
  KernelCloses(PROBE_CLOSE_PEER);
  Emit({.constant = "next"}, 2);  // a new stream counts its sets anew
  EXPECT_THAT(Sent(), ElementsAre("same/8080/1", "next/8080/2"));
}

TEST_F(ModuleFeedTest, ReleasesAStreamThatIsNotTheModules) {
  int fed = 0;
  on_segment = [&](probe_stream_t* stream, const probe_segment_t&) {
    ++fed;
    host().not_mine(stream);
    EXPECT_THAT(closes, IsEmpty()) << "not inside the module's own call";
  };
  Segment("GET ");
  ASSERT_THAT(released_, SizeIs(1));
  EXPECT_EQ(released_[0].cookie, 7U);
  EXPECT_EQ(released_[0].incarnation, 3U);
  EXPECT_EQ(released_[0].heir, "");
  EXPECT_THAT(closes, ElementsAre(PROBE_CLOSE_HANDED_OVER));
  Segment("more", 4);  // was in the ring before the kernel knew
  EXPECT_EQ(fed, 1);
  EXPECT_EQ(feed_.ledger().records[PROBE_IGNORED_AFTER_UPGRADE], 1U);
  EXPECT_EQ(feed_.ledger().consumed, feed_.ledger().used + Sum(feed_.ledger().records));
  KernelCloses(PROBE_CLOSE_HANDED_OVER);
  EXPECT_THAT(closes, SizeIs(1)) << "on_close is the last call for a stream";
  EXPECT_EQ(feed_.ledger().streams, 0U);
}

TEST_F(ModuleFeedTest, HandsAStreamOverFromAnOffset) {
  on_segment = [&](probe_stream_t* stream, const probe_segment_t&) {
    EXPECT_EQ(host().hand_over(stream, 4, {"tls", 3}), PROBE_OK);
    EXPECT_EQ(host().hand_over(stream, 4, {"tls", 3}), PROBE_INVALID) << "it is given away already";
  };
  Segment("STARTTLS");
  ASSERT_THAT(released_, SizeIs(1));
  EXPECT_EQ(released_[0].offset, 4U);
  EXPECT_EQ(released_[0].heir, "tls");
  EXPECT_EQ(feed_.ledger().streams_given_away, 1U);
  EXPECT_THAT(closes, ElementsAre(PROBE_CLOSE_HANDED_OVER));
}

TEST_F(ModuleFeedTest, KeepsAStreamThatNobodyTakes) {
  on_segment = [&](probe_stream_t* stream, const probe_segment_t&) {
    EXPECT_EQ(host().hand_over(stream, 0, {"nobody", 6}), PROBE_INVALID);
  };
  Segment("one");
  Segment("two", 3);
  EXPECT_THAT(closes, IsEmpty());
  EXPECT_EQ(feed_.ledger().used, 2U);
}

TEST_F(ModuleFeedTest, StreamGivenBackIsANewOne) {
  on_segment = [&](probe_stream_t* stream, const probe_segment_t&) { host().not_mine(stream); };
  Segment("one");
  int fed = 0;
  on_segment = [&](probe_stream_t*, const probe_segment_t&) { ++fed; };
  KernelOpens();
  Segment("two", 3);
  EXPECT_EQ(fed, 1);
  EXPECT_THAT(closes, SizeIs(1));
}

/// Two sockets, the ends of one connection, and the plaintext over each.
class PlaintextEnds : public ModuleFeedTest {
 protected:
  static constexpr std::uint64_t kClient = 7;
  static constexpr std::uint64_t kServer = 8;

  void Put(__u64 cookie, __u8 layer, std::uint64_t offset) {
    pb_record record = Record(PB_RECORD_SEGMENT);
    record.cookie = cookie;
    record.layer = layer;
    record.offset = offset;
    record.total = 1;
    ring_.Put(record, "x");
    feed_.Drain(100);
  }
  void Opens(__u64 cookie, __u8 layer) {
    const pb_open open{};
    pb_record record = Record(PB_RECORD_OPEN);
    record.cookie = cookie;
    record.layer = layer;
    ring_.Put(record, {reinterpret_cast<const char*>(&open), sizeof(open)});
    feed_.Drain(100);
  }
  /// The handshake was seen at this end.
  void Name(__u64 cookie, std::uint8_t number) {
    on_segment = [this, number](probe_stream_t* stream, const probe_segment_t&) {
      const std::array<std::uint8_t, PROBE_PLAINTEXT_NAME_BYTES> name{number};
      const auto* plaintext = static_cast<const probe_plaintext_t*>(
          host().get_extension(host().context, sdk::ToAbi(PROBE_EXTENSION_PLAINTEXT)));
      plaintext->whole(stream, name.data());
    };
    Put(cookie, PROBE_LAYER_RAW, 0);
  }
  void NameBoth(std::uint8_t number = 1) {
    for (const std::uint64_t cookie : {kClient, kServer}) {
      Name(cookie, number);
      Opens(cookie, PROBE_LAYER_PLAINTEXT);
    }
  }
  void Request(__u64 cookie, std::uint64_t offset) {
    on_segment = [this](probe_stream_t* stream, const probe_segment_t& segment) {
      probe_exchange_t exchange{};
      exchange.struct_size = sizeof(exchange);
      exchange.kind = segment.cookie == kClient ? PROBE_SPAN_CLIENT : PROBE_SPAN_SERVER;
      exchange.cookie = segment.cookie;
      exchange.layer = segment.layer;
      exchange.offset = segment.offset;
      exchange.start_ns = 1;
      probe_span_t span{};
      span.struct_size = sizeof(span);
      span.exchange = host().exchange_begin(stream, &exchange);
      span.end_ns = 2;
      EXPECT_EQ(host().emit_span(stream, &span), PROBE_OK);
    };
    Put(cookie, PROBE_LAYER_PLAINTEXT, offset);
  }
  std::uint64_t joined() const { return rig_.links.counters().linked_pair; }
};

TEST_F(PlaintextEnds, AreJoinedByOffsets) {
  NameBoth();
  for (const std::uint64_t offset : {0U, 100U, 200U}) Request(kClient, offset);
  for (const std::uint64_t offset : {0U, 100U, 200U}) Request(kServer, offset);
  EXPECT_EQ(joined(), 3U);
  Request(kServer, 201);
  EXPECT_EQ(joined(), 3U);
}

TEST_F(PlaintextEnds, OfDifferentConnectionsAreNot) {
  Name(kClient, 1);
  Name(kServer, 2);
  Request(kClient, 0);
  Request(kServer, 0);
  EXPECT_EQ(joined(), 0U);
}

TEST_F(PlaintextEnds, OfWhichOneWasNotSeenWholeAreNot) {
  Name(kClient, 1);
  Request(kClient, 0);
  Request(kServer, 0);
  EXPECT_EQ(joined(), 0U);
}

TEST_F(PlaintextEnds, CountedAnewAreNoLongerJoined) {
  NameBoth();
  Request(kClient, 0);
  Request(kServer, 0);
  EXPECT_EQ(joined(), 1U);
  Opens(kServer, PROBE_LAYER_PLAINTEXT);
  Request(kClient, 100);
  Request(kServer, 100);
  EXPECT_EQ(joined(), 1U);
}

TEST_F(PlaintextEnds, AreForgottenWithTheirSocket) {
  NameBoth();
  pb_record record = Record(PB_RECORD_CLOSE);
  record.cookie = kServer;
  ring_.Put(record);
  feed_.Drain(100);
  Request(kClient, 0);
  Request(kServer, 0);
  EXPECT_EQ(joined(), 0U);
}

/// As the entries of one message, of which each is an exchange.
TEST_F(PlaintextEnds, OnlyTheFirstOfSeveralAtOneByteIsJoined) {
  NameBoth();
  Request(kClient, 0);
  Request(kClient, 0);
  Request(kServer, 0);
  Request(kServer, 0);
  EXPECT_EQ(joined(), 1U);
}

}  // namespace
}  // namespace probed::pipeline
