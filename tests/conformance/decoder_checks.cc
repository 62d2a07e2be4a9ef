// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Bytes nobody should have to expect: whatever comes, the module neither crashes nor reads beyond it, and every
// exchange it opens it also ends.
#include <fmt/format.h>
#include <malloc.h>

#include <deque>
#include <string>

#include "tests/conformance/check.h"
#include "tests/conformance/rig.h"
#include "tests/conformance/traffic.h"

namespace probed::conformance {
namespace {

enum class Chaos { kNone, kHoles };

void Feed(Feeder& feeder, const Conversation& conversation, Garbage& garbage, Chaos chaos) {
  for (const Stretch& stretch : conversation) {
    const std::uint32_t dice = chaos == Chaos::kHoles ? garbage.Below(6) : 6;
    if (dice == 0) feeder.Hole(stretch.direction, 1 + garbage.Below(100000));
    feeder.Deliver(stretch.direction, stretch.bytes, dice == 1 ? 1 + garbage.Below(100000) : 0);
    if (dice == 2) feeder.Deliver(stretch.direction, "");
  }
}

/// After flush and close nothing may be open, and the module must be in its right mind.
void ExpectSettled(Rig& rig, const std::string& where, Report& report) {
  const auto& host = rig.host();
  report.Expect(host.in_flight() == 0, fmt::format("{}: {} exchanges are still open", where, host.in_flight()));
  report.Expect(host.LedgerProblem().empty(), fmt::format("{}: {}", where, host.LedgerProblem()));
  report.Expect(!rig.instance().faulted(), fmt::format("{}: {}", where, rig.instance().fault()));
}

void ExpectSaneSpans(Rig& rig, const std::string& where, Report& report) {
  for (const auto& span : rig.host().spans) {
    report.Expect(span.end_ns >= span.start_ns, where + ": a span ends before it begins");
    report.Expect(!span.name.empty(), where + ": a span has no name");
    report.Expect(span.kind >= PROBE_SPAN_INTERNAL && span.kind <= PROBE_SPAN_CONSUMER, where + ": an unknown kind");
    report.Expect(!span.attributes.contains("?"), where + ": an attribute has a key that was never interned");
  }
}

bool DecodesStreams(const Rig& rig, Report& report) {
  if (rig.entry().on_segment != nullptr) return true;
  report.Skip("it has no on_segment");
  return false;
}

/// Any but EVICTED: then the host has ended the exchanges itself.
probe_close_reason AnyReason(Garbage& garbage) {
  const std::uint32_t reason = garbage.Below(PROBE_CLOSE_UNLOAD + 1);
  return reason == PROBE_CLOSE_EVICTED ? PROBE_CLOSE_LOCAL : static_cast<probe_close_reason>(reason);
}

void CheckRandomStreams(const Subject& subject, Report& report) {
  const auto rig = Rig::Start(subject, report);
  if (!rig || !DecodesStreams(*rig, report)) return;
  GuardedBytes memory;
  for (std::uint32_t round = 0; round < subject.options.rounds && report.failures().empty(); ++round) {
    const std::uint64_t seed = subject.options.seed + round;
    Garbage garbage(seed);
    Feeder feeder(*rig, memory, garbage.Below(4) != 0);
    Feed(feeder, garbage.Next(), garbage, round % 2 == 0 ? Chaos::kNone : Chaos::kHoles);
    if (garbage.Below(3) == 0) rig->shard().OnTick(2000000);
    feeder.Close(AnyReason(garbage));
    ExpectSettled(*rig, fmt::format("seed {}, after close", seed), report);
  }
  ExpectSaneSpans(*rig, "in all", report);
}

void CheckSplitStreams(const Subject& subject, Report& report) {
  const auto rig = Rig::Start(subject, report);
  if (!rig || !DecodesStreams(*rig, report)) return;
  GuardedBytes memory;
  for (std::uint32_t round = 0; round < subject.options.rounds / 10 && report.failures().empty(); ++round) {
    const std::uint64_t seed = subject.options.seed + round;
    Garbage garbage(seed);
    const Conversation conversation = garbage.Next();
    Feeder feeder(*rig, memory, true);
    for (const Stretch& stretch : conversation) {
      for (const char byte : stretch.bytes) feeder.Deliver(stretch.direction, {&byte, 1});
    }
    feeder.Close(PROBE_CLOSE_PEER);
    ExpectSettled(*rig, fmt::format("seed {}, byte by byte", seed), report);
  }
}

void CheckFlush(const Subject& subject, Report& report) {
  GuardedBytes memory;
  for (std::uint32_t round = 0; round < 20 && report.failures().empty(); ++round) {
    const auto rig = Rig::Start(subject, report);
    if (!rig || !DecodesStreams(*rig, report)) return;
    Garbage garbage(subject.options.seed + round);
    std::deque<Feeder> feeders;
    for (int i = 0; i < 20; ++i) {
      Feed(feeders.emplace_back(*rig, memory, true), garbage.Next(), garbage, Chaos::kHoles);
    }
    rig->shard().Flush(1000000000);
    if (rig->entry().flush != nullptr) ExpectSettled(*rig, fmt::format("round {}, after flush", round), report);
    for (Feeder& feeder : feeders) feeder.Close(PROBE_CLOSE_UNLOAD);
    ExpectSettled(*rig, fmt::format("round {}, after flush and close", round), report);
    report.Expect(rig->shard().OldestGeneration() >= 1, "needs generation 0, which never was");
  }
}

void CheckNoMemory(const Subject& subject, Report& report) {
  GuardedBytes memory;
  for (const std::size_t limit :
       {std::size_t{0}, std::size_t{64}, std::size_t{512}, std::size_t{4096}, std::size_t{40000}}) {
    const auto rig = Rig::Start(subject, report);
    if (!rig || !DecodesStreams(*rig, report)) return;
    rig->host().memory_limit = limit;
    Garbage garbage(subject.options.seed);
    std::deque<Feeder> feeders;
    for (std::uint32_t round = 0; round < subject.options.rounds / 4; ++round) {
      Feed(feeders.emplace_back(*rig, memory, true), garbage.Next(), garbage, Chaos::kHoles);
    }
    for (Feeder& feeder : feeders) feeder.Close(PROBE_CLOSE_TIMEOUT);
    ExpectSettled(*rig, fmt::format("with {} bytes of stream memory", limit), report);
  }
}

/// A message without end must not fill the memory, neither the stream's nor the heap behind the host's back.
void CheckEndlessMessage(const Subject& subject, Report& report) {
  const auto rig = Rig::Start(subject, report);
  if (!rig || !DecodesStreams(*rig, report)) return;
  rig->host().keep_spans = false;
  rig->host().memory_limit = 1U << 20U;
  GuardedBytes memory;
  const std::size_t before = mallinfo2().uordblks;
  for (const char* head : {"", "GET /", "GET / HTTP/1.1\r\nHost: ", "*1000000\r\n$1000000\r\n"}) {
    Feeder feeder(*rig, memory, true);
    feeder.Deliver(PROBE_RECEIVED, head);
    for (int i = 0; i < 512; ++i) feeder.Deliver(PROBE_RECEIVED, std::string(16384, 'a'));
    const std::size_t opened = rig->host().opened();
    const std::size_t now = mallinfo2().uordblks;
    const std::size_t allowed = rig->host().memory_limit + (2U << 20U) + opened * 1024;
    report.Expect(now < before + allowed, fmt::format("holds {} bytes after 8 MiB behind \"{}\"", now - before, head));
    feeder.Close(PROBE_CLOSE_RESET);
  }
  ExpectSettled(*rig, "after endless messages", report);
}

void CheckEviction(const Subject& subject, Report& report) {
  const auto rig = Rig::Start(subject, report);
  if (!rig || !DecodesStreams(*rig, report)) return;
  GuardedBytes memory;
  Garbage garbage(subject.options.seed);
  for (std::uint32_t round = 0; round < subject.options.rounds / 4; ++round) {
    Feeder feeder(*rig, memory, true);
    Feed(feeder, garbage.Next(), garbage, Chaos::kHoles);
    feeder.Close(PROBE_CLOSE_EVICTED);
  }
  rig->shard().Flush(1000000000);
  report.Expect(rig->host().LedgerProblem().empty(), rig->host().LedgerProblem());
  report.Expect(!rig->instance().faulted(), rig->instance().fault());
}

void CheckDatagrams(const Subject& subject, Report& report) {
  const auto rig = Rig::Start(subject, report);
  if (!rig) return;
  if (rig->entry().on_datagram == nullptr) return report.Skip("it has no on_datagram");
  GuardedBytes memory;
  probe_stream_t* stream = rig->host().NewStream();
  Garbage garbage(subject.options.seed);
  for (std::uint32_t i = 0; i < subject.options.rounds * 10; ++i) {
    const std::string bytes = i % 50 == 0 ? "" : garbage.Bytes(600);
    probe_datagram_t datagram{};
    datagram.struct_size = sizeof(datagram);
    datagram.generation = 1;
    datagram.ktime_ns = 1000000 + i;
    datagram.captured = static_cast<std::uint32_t>(bytes.size());
    datagram.total = datagram.captured + garbage.Below(2) * 100;
    datagram.direction = static_cast<std::uint8_t>(garbage.Below(2));
    datagram.bytes = memory.Put(bytes);
    rig->shard().OnDatagram(stream, &stream->state, datagram);
  }
  rig->shard().Flush(1000000000);
  rig->shard().OnClose(stream, &stream->state, PROBE_CLOSE_LOCAL, 3000000);
  ExpectSettled(*rig, "after datagrams", report);
}

void CheckEvents(const Subject& subject, Report& report) {
  const auto rig = Rig::Start(subject, report);
  if (!rig) return;
  if (rig->entry().on_event == nullptr) return report.Skip("it has no on_event");
  GuardedBytes memory;
  Garbage garbage(subject.options.seed);
  for (std::uint32_t i = 0; i < subject.options.rounds * 10; ++i) {
    const std::string bytes = i % 50 == 0 ? "" : garbage.Bytes(200);
    probe_event_t event{};
    event.struct_size = sizeof(event);
    event.generation = 1;
    event.ktime_ns = 1000000 + i;
    event.kind = garbage.Below(4) == 0 ? 0xffffffffU : garbage.Below(8);
    event.size = static_cast<std::uint32_t>(bytes.size());
    event.bytes = memory.Put(bytes);
    rig->shard().OnEvent(event);
  }
  rig->shard().Flush(1000000000);
  ExpectSettled(*rig, "after events", report);
}

/// Names of the spans of one conversation, cut at `at` in each stretch.
std::vector<std::string> SpansOf(Rig& rig, GuardedBytes& memory, const Conversation& conversation, std::size_t at) {
  const std::size_t before = rig.host().spans.size();
  Feeder feeder(rig, memory, true);
  for (const Stretch& stretch : conversation) {
    const std::string_view bytes = stretch.bytes;
    feeder.Deliver(stretch.direction, bytes.substr(0, at));
    if (at < bytes.size()) feeder.Deliver(stretch.direction, bytes.substr(at));
  }
  feeder.Close(PROBE_CLOSE_PEER);
  std::vector<std::string> names;
  for (std::size_t i = before; i < rig.host().spans.size(); ++i) names.push_back(rig.host().spans[i].name);
  return names;
}

void CheckRecorded(const Subject& subject, Report& report) {
  const std::vector<Conversation> corpus = ReadCorpus(subject.options.corpus);
  if (corpus.empty()) return report.Skip("no recorded conversations were given");
  const auto rig = Rig::Start(subject, report);
  if (!rig || !DecodesStreams(*rig, report)) return;
  GuardedBytes memory;
  for (std::size_t i = 0; i < corpus.size(); ++i) {
    std::size_t longest = 0;
    for (const Stretch& stretch : corpus[i]) longest = std::max(longest, stretch.bytes.size());
    const auto whole = SpansOf(*rig, memory, corpus[i], longest);
    for (std::size_t at = 0; at < longest && report.failures().empty(); ++at) {
      report.Expect(SpansOf(*rig, memory, corpus[i], at) == whole,
                    fmt::format("conversation {} gives other spans when split at byte {}", i, at));
      Feeder holed(*rig, memory, true);
      for (const Stretch& stretch : corpus[i]) {
        holed.Deliver(stretch.direction, std::string_view(stretch.bytes).substr(0, at));
        holed.Hole(stretch.direction, 1);
        if (at + 1 < stretch.bytes.size())
          holed.Deliver(stretch.direction, std::string_view(stretch.bytes).substr(at + 1));
      }
      holed.Close(PROBE_CLOSE_PEER);
      ExpectSettled(*rig, fmt::format("conversation {} with a hole at byte {}", i, at), report);
    }
  }
}

}  // namespace

std::vector<Check> DecoderChecks() {
  return {
      {"random-streams", "survives random bytes, holes and cut segments, and ends every exchange", CheckRandomStreams},
      {"split-streams", "survives them byte by byte", CheckSplitStreams},
      {"flush", "ends every exchange when it is flushed", CheckFlush},
      {"no-memory", "copes with a host that gives no stream memory", CheckNoMemory},
      {"endless-message", "holds a bounded part of a message without end", CheckEndlessMessage},
      {"eviction", "forgets a stream that the host evicts", CheckEviction},
      {"datagrams", "survives random datagrams", CheckDatagrams},
      {"events", "survives random events", CheckEvents},
      {"recorded", "gives the same spans for recorded conversations wherever they are split", CheckRecorded},
  };
}

}  // namespace probed::conformance
