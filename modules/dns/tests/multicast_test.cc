// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Multicast DNS from port 5353: which questions are lookups, and what answers them.
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "api/sdk/testing/drive.h"
#include "modules/dns/decode/stitch.h"
#include "modules/dns/tests/messages.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace probed::mod::dns {
namespace {

using namespace testing;  // NOLINT: the messages of this folder
using sdk::testing::Driver;
using sdk::testing::RecordedSpan;
using sdk::testing::StreamDriver;
using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr std::uint64_t kMs = 1'000'000;
constexpr unsigned kSrv = 33;
constexpr unsigned kNsec = 47;
constexpr unsigned kAny = 255;
constexpr unsigned kUnicast = 0x8000;  // of a question's class: QU. Of a record's: it is the only one

struct Asked {
  std::string name;
  unsigned type = kA;
  unsigned class_ = kInternet;
};

std::string Questions(const std::vector<Asked>& asked, Header header = {.id = 0, .flags = 0}) {
  header.questions = static_cast<unsigned>(asked.size());
  std::string out = header.Bytes();
  for (const Asked& one : asked) out += Name(one.name) + U16(one.type) + U16(one.class_);
  return out;
}

std::string Told(const std::string& name, unsigned type, const std::string& data, unsigned ttl = 120) {
  return Name(name) + U16(type) + U16(kInternet | kUnicast) + U16(0) + U16(ttl) +
         U16(static_cast<unsigned>(data.size())) + data;
}

std::string Answer(const std::vector<std::string>& records, unsigned additional = 0, unsigned flags = 0x8400) {
  const auto count = static_cast<unsigned>(records.size());
  std::string out =
      Header{.id = 0, .flags = flags, .questions = 0, .answers = count - additional, .additional = additional}.Bytes();
  for (const std::string& record : records) out += record;
  return out;
}

/// The types up to 31 that there are.
std::string Bitmap(const std::string& next, std::uint32_t types) {
  std::string out = next + std::string("\0\x04", 2);
  for (const unsigned shift : {24U, 16U, 8U, 0U}) out += static_cast<char>(types >> shift & 0xffU);
  return out;
}

class DnsMulticast : public ::testing::Test {
 public:
  DnsMulticast() : stream(NewSocket()) {}
  ~DnsMulticast() override { EXPECT_EQ(driver.host.LedgerProblem(), ""); }

  StreamDriver NewSocket() {
    StreamDriver made = driver.NewStream();
    probe_open_t open{};
    open.struct_size = sizeof(open);
    open.tgid = 1234;
    open.local.port = 5353;
    open.local.family = PROBE_FAMILY_INET;
    open.transport = 17;
    made.OpenWith(open);
    return made;
  }
  void Ask(const std::string& bytes) { stream.Datagram(PROBE_SENT, bytes, kGroup); }
  void Hear(const std::string& bytes) { stream.Datagram(PROBE_RECEIVED, bytes, Peer4(7, 5353)); }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    names.reserve(driver.host.spans.size());
    for (const RecordedSpan& span : driver.host.spans) names.push_back(span.name);
    return names;
  }

  const probe_endpoint_t kGroup = {{224, 0, 0, 251}, 5353, PROBE_FAMILY_INET, {}};
  Driver driver{probe_module_entry};
  StreamDriver stream;
};

TEST_F(DnsMulticast, AQuestionThatIsAnsweredIsALookup) {
  stream.cause = {5, 6, 0, {}};
  Ask(Questions({{"Host.local"}}));
  const std::uint64_t asked = stream.now_ns;
  Hear(Answer({Told("host.local", kA, kAddress4)}));
  ASSERT_THAT(driver.host.spans, SizeIs(1));
  const RecordedSpan& span = driver.host.spans.front();
  EXPECT_EQ(span.name, "DNS lookup Host.local");
  EXPECT_EQ(span.kind, static_cast<std::uint32_t>(PROBE_SPAN_CLIENT));
  EXPECT_EQ(span.start_ns, asked);
  EXPECT_EQ(span.end_ns, stream.now_ns);
  EXPECT_EQ(span.error_type, "");
  EXPECT_EQ(span.Get("dns.answers"), "[192.0.2.1]");
  EXPECT_EQ(span.Get("server.address"), "224.0.0.251");
  EXPECT_EQ(span.Get("server.port"), "5353");
  EXPECT_EQ(span.Get("network.peer.address"), "192.0.2.7");
  EXPECT_EQ(span.Get("network.transport"), "udp");
  EXPECT_EQ(span.Get("network.type"), "ipv4");
  EXPECT_EQ(driver.host.exchanges.at(0).raw.cause.offset, 6U);
  stream.Close(PROBE_CLOSE_LOCAL);
  EXPECT_EQ(driver.host.bytes(), 0U);
}

TEST_F(DnsMulticast, ManyQuestionsOfOneMessageAreAnsweredOneByOne) {
  Ask(Questions({{"a.local"}, {"a.local", kAaaa, kInternet | kUnicast}, {"_x._tcp.local", kPtr}}));
  Hear(Answer({Told("_x._tcp.local", kPtr, Name("one._x._tcp.local"))}));
  EXPECT_THAT(Names(), ElementsAre("DNS lookup _x._tcp.local"));
  Hear(
      Answer({Told("a.local", kSrv, "unasked"), Told("a.local", kAaaa, kAddress6), Told("a.local", kA, kAddress4)}, 2));
  ASSERT_THAT(driver.host.spans, SizeIs(3));
  EXPECT_EQ(driver.host.spans[1].Get("dns.answers"), "[192.0.2.1]");
  EXPECT_EQ(driver.host.spans[2].Get("dns.answers"), "[2001:db8::1]");
  EXPECT_EQ(driver.host.Counted(PROBE_IGNORED_CONFIGURED), 0U);
}

TEST_F(DnsMulticast, AnAnswerMayComeOnAnotherSocketOfTheProcess) {
  StreamDriver other = NewSocket();
  StreamDriver stranger = NewSocket();
  stranger.tgid = 99;
  Ask(Questions({{"a.local"}}));
  stranger.Datagram(PROBE_RECEIVED, Answer({Told("a.local", kA, kAddress4)}), Peer4(7, 5353));
  EXPECT_THAT(driver.host.spans, SizeIs(0));
  other.Datagram(PROBE_RECEIVED, Answer({Told("a.local", kA, kAddress4)}), Peer4(7, 5353));
  EXPECT_THAT(driver.host.spans, SizeIs(1));
}

TEST_F(DnsMulticast, OneThatNobodyAnswersIsNoError) {
  Ask(Questions({{"a.local"}, {"b.local"}}));
  Ask(Questions({{"a.local"}}));  // again: one lookup
  const std::uint64_t again = stream.now_ns;
  driver.Tick(again + 5000 * kMs - 1);
  EXPECT_EQ(driver.host.Aborts(PROBE_ABORTED_UNMATCHED), 1U);
  driver.Tick(again + 5000 * kMs);
  EXPECT_EQ(driver.host.Aborts(PROBE_ABORTED_UNMATCHED), 2U);
  Ask(Questions({{"c.local"}}));
  stream.Close(PROBE_CLOSE_LOCAL);
  EXPECT_EQ(driver.host.Aborts(PROBE_ABORTED_UNMATCHED), 3U);
  EXPECT_THAT(driver.host.spans, SizeIs(0));
  EXPECT_EQ(driver.host.bytes(), 0U);
  EXPECT_EQ(driver.OldestGeneration(), sdk::Pins::kNone);
}

TEST_F(DnsMulticast, AskedAgainItIsTheSameLookup) {
  Ask(Questions({{"a.local"}}));
  const std::uint64_t first = stream.now_ns;
  Ask(Questions({{"a.local"}}));
  Hear(Answer({Told("a.local", kA, kAddress4)}));
  ASSERT_THAT(driver.host.spans, SizeIs(1));
  EXPECT_EQ(driver.host.spans.front().start_ns, first);
  EXPECT_FALSE(driver.host.spans.front().Has("probed.dns.retransmissions"));
}

/// Known answers, here or in what follows; a name that is to be taken; who is not from the port.
TEST_F(DnsMulticast, WhatIsNoLookupIsCounted) {
  Ask(Questions({{"_x._tcp.local", kPtr}}, {.id = 0, .flags = 0, .answers = 1}) +
      Told("_x._tcp.local", kPtr, Name("one._x._tcp.local")));
  Ask(Questions({{"_x._tcp.local", kPtr}}, {.id = 0, .flags = 0x0200}));
  Ask(Questions({}, {.id = 0, .flags = 0, .answers = 1}) + Told("_x._tcp.local", kPtr, Name("two._x._tcp.local")));
  Ask(Questions({{"mine.local", kAny}}, {.id = 0, .flags = 0, .authority = 1}) + Told("mine.local", kA, kAddress4));
  Hear(Questions({{"theirs.local"}}));
  stream.Datagram(PROBE_SENT, Answer({Told("mine.local", kA, kAddress4)}), kGroup);
  Hear(Answer({Told("_x._tcp.local", kPtr, Name("three._x._tcp.local"))}));
  EXPECT_EQ(driver.host.Counted(PROBE_IGNORED_CONFIGURED), 7U);
  EXPECT_EQ(driver.host.opened(), 0U);
}

TEST_F(DnsMulticast, SomeResponsesAnswerNothing) {
  Ask(Questions({{"a.local"}}));
  stream.Datagram(PROBE_RECEIVED, Answer({Told("a.local", kA, kAddress4)}), Peer4(7, 40000));
  Hear(Answer({Told("a.local", kA, kAddress4)}, 0, 0x8403));  // an error
  Hear(Answer({Told("a.local", kA, kAddress4, 0)}));          // taken back
  Hear(Answer({Told("b.local", kA, kAddress4)}));
  Hear(Answer({Told("a.local", kAaaa, kAddress6)}));
  EXPECT_EQ(driver.host.Counted(PROBE_IGNORED_CONFIGURED), 5U);
  EXPECT_THAT(driver.host.spans, SizeIs(0));
  Hear(Answer({Told("a.local", kA, kAddress4)}));
  EXPECT_THAT(driver.host.spans, SizeIs(1));
}

TEST_F(DnsMulticast, ThatThereIsNoneIsAnAnswer) {
  Ask(Questions({{"a.local"}, {"a.local", kAaaa}}));
  Hear(Answer({Told("a.local", kA, kAddress4), Told("a.local", kNsec, Bitmap(Name("a.local"), 0x40000000))}, 1));
  ASSERT_THAT(driver.host.spans, SizeIs(2));
  EXPECT_EQ(driver.host.spans[0].Get("dns.answers"), "[192.0.2.1]");
  EXPECT_FALSE(driver.host.spans[1].Has("dns.answers"));
  EXPECT_EQ(driver.host.spans[1].error_type, "");
}

TEST_F(DnsMulticast, AnyTypeMayBeAskedFor) {
  Ask(Questions({{"a.local", kAny}}));
  Hear(Answer({Told("a.local", kTxt, "x")}));
  EXPECT_THAT(driver.host.spans, SizeIs(1));
}

TEST_F(DnsMulticast, CutMessagesAreReadAsFarAsTheyGo) {
  const std::string asked = Questions({{"a.local"}, {"b.local"}});
  const std::string told = Answer({Told("a.local", kA, kAddress4), Told("b.local", kA, kAddress4)});
  for (std::size_t size = 0; size <= asked.size(); ++size) Ask(asked.substr(0, size));
  for (std::size_t size = 0; size <= told.size(); ++size) Hear(told.substr(0, size));
  EXPECT_THAT(Names(), ElementsAre("DNS lookup a.local", "DNS lookup b.local"));
}

TEST_F(DnsMulticast, UnknownSocketsAreLeftAlone) {
  StreamDriver unknown = driver.NewStream();
  unknown.Datagram(PROBE_SENT, Questions({{"a.local"}}), kGroup);
  EXPECT_EQ(driver.host.opened(), 0U);
}

}  // namespace
}  // namespace probed::mod::dns
