// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Load, create, configure, stop, unload: once, wrongly, and many times over.
#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "server/base/error_details.h"
#include "tests/conformance/check.h"
#include "tests/conformance/rig.h"

namespace probed::conformance {
namespace {

void CheckLife(const Subject& subject, Report& report) {
  const auto rig = Rig::Start(subject, report);
  if (!rig) return;
  auto again = rig->instance().Prepare(rig->default_config());
  if (!report.Expect(again.ok(), Message(again.status()))) return;
  const std::uint32_t capture = again->kernel_settings().capture_bytes;
  report.Expect(capture == 0 || (capture >= 64 && capture <= 16384),
                fmt::format("kernel_settings asks for {} bytes, 64 to 16384 are possible", capture));
  rig->instance().Commit(std::move(again).value(), 2);
  report.Expect(rig->shard().OldestGeneration() >= 1, "needs generation 0, which never was");
  rig->shard().Flush(1);
  report.Expect(rig->shard().OldestGeneration() >= 2, "still needs generation 1 after flush");
  rig->instance().Retire(2);
  report.Expect(!rig->instance().faulted(), rig->instance().fault());
}

void CheckTwoShards(const Subject& subject, Report& report) {
  const auto rig = Rig::Start(subject, report);
  if (!rig) return;
  sdk::testing::FakeHost other;
  auto second = rig->instance().StartShard(1, other.shard_context());
  if (!report.Expect(second.ok(), Message(second.status()))) return;
  second->Flush(1);
  second->Stop();
  report.Expect(!rig->instance().faulted(), rig->instance().fault());
}

void CheckAbort(const Subject& subject, Report& report) {
  const auto rig = Rig::Start(subject, report);
  if (!rig) return;
  for (int i = 0; i < 10; ++i) {
    auto prepared = rig->instance().Prepare(rig->default_config());
    if (!report.Expect(prepared.ok(), Message(prepared.status()))) return;
    rig->instance().Abort(std::move(prepared).value());
  }
}

/// A configuration must be refused with the field that is wrong.
void ExpectRefused(Rig& rig, const std::string& text, const std::string& what, Report& report) {
  const auto prepared = rig.instance().Prepare(text);
  if (!report.Expect(!prepared.ok(), "accepts " + what)) return;
  const ErrorDetails details = GetErrorDetails(prepared.status());
  report.Expect(details.reason == "CONFIG_INVALID", fmt::format("{}: {}", what, Message(prepared.status())));
  const bool said_why = std::any_of(details.fields.begin(), details.fields.end(),
                                    [](const auto& field) { return !field.description.empty(); });
  report.Expect(said_why, what + " is refused without a field");
}

/// A value that no schema of that type takes.
nlohmann::json WrongValue(const nlohmann::json& schema) {
  const std::string type = schema.is_object() ? schema.value("type", "") : "";
  return type == "string" ? nlohmann::json(17) : nlohmann::json("seventeen");
}

void CheckGarbageConfig(const Subject& subject, Report& report) {
  const auto rig = Rig::Start(subject, report);
  if (!rig) return;
  const auto schema = nlohmann::json::parse(rig->manifest().config_schema);
  const auto properties = schema.value("properties", nlohmann::json::object());
  if (properties.empty()) return report.Skip("the schema has no properties");
  for (const char* text : {"", "{", "[]", "nonsense", "{\"a\":", "\"text\"", "17", "{]", "\xff\xfe"}) {
    ExpectRefused(*rig, text, fmt::format("the text \"{}\"", text), report);
  }
  ExpectRefused(*rig, std::string(100000, '['), "100000 open brackets", report);
  for (const auto& property : properties.items()) {
    auto config = nlohmann::json::parse(rig->default_config());
    config[property.key()] = WrongValue(property.value());
    ExpectRefused(*rig, config.dump(), fmt::format("{} for {}", config[property.key()].dump(), property.key()), report);
  }
  auto cut = rig->default_config();
  while (cut.size() > 1) {
    cut.pop_back();
    ExpectRefused(*rig, cut, "the cut text " + cut, report);
  }
  report.Expect(rig->instance().Prepare(rig->default_config()).ok(), "refuses the defaults after all that");
}

bool RunCycle(const Subject& subject, Report& report) {
  const auto rig = Rig::Start(subject, report);
  if (!rig) return false;
  rig->shard().Flush(1);
  const modules::UnloadOutcome outcome = rig->Stop();
  for (const std::string& line : outcome.left_behind) report.Fail("is still mapped after unload: " + line);
  return report.failures().empty();
}

#ifndef PROBED_SANITIZED
/// What a process holds that a module could leave behind.
struct Holdings {
  std::ptrdiff_t descriptors = 0;
  std::ptrdiff_t mappings = 0;
  std::ptrdiff_t resident_bytes = 0;
  std::ptrdiff_t heap_bytes = 0;
};

Holdings Take() {
  Holdings now;
  now.descriptors = std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  std::ifstream maps("/proc/self/maps");
  now.mappings = std::count(std::istreambuf_iterator<char>(maps), {}, '\n');
  std::ifstream pages("/proc/self/statm");
  std::ptrdiff_t total = 0;
  pages >> total >> now.resident_bytes;
  now.resident_bytes *= sysconf(_SC_PAGESIZE);
  now.heap_bytes = static_cast<std::ptrdiff_t>(mallinfo2().uordblks);
  return now;
}

constexpr std::uint32_t kWarmUp = 5;
constexpr std::uint32_t kWindows = 3;
constexpr std::ptrdiff_t kRssSlack = 1 << 20;
constexpr std::ptrdiff_t kLeastLeak = 16;    // what the smallest allocation takes
constexpr std::ptrdiff_t kHeapNoise = 2048;  // what the allocator's caches hold now and then

/// Heap gained in a run of cycles; nothing when a cycle failed.
std::optional<std::ptrdiff_t> HeapGrowth(const Subject& subject, std::uint32_t cycles, Report& report) {
  const Holdings before = Take();
  for (std::uint32_t i = 0; i < cycles; ++i) {
    if (!RunCycle(subject, report)) return std::nullopt;
  }
  return Take().heap_bytes - before.heap_bytes;
}

void CheckCycles(const Subject& subject, Report& report) {
  if (!HeapGrowth(subject, kWarmUp, report)) return;
  const Holdings before = Take();
  const std::uint32_t window = std::max(subject.options.cycles / kWindows, 1U);
  // The allocator's caches come and go with a few hundred bytes; a leak grows in every window.
  std::ptrdiff_t least_growth = std::numeric_limits<std::ptrdiff_t>::max();
  for (std::uint32_t i = 0; i < kWindows; ++i) {
    const auto growth = HeapGrowth(subject, window, report);
    if (!growth) return;
    least_growth = std::min(least_growth, *growth);
  }
  const Holdings after = Take();
  const std::uint32_t cycles = window * kWindows;
  report.Expect(least_growth < kHeapNoise + kLeastLeak * static_cast<std::ptrdiff_t>(window),
                fmt::format("at least {} bytes of heap lost in every {} cycles", least_growth, window));
  report.Expect(after.descriptors == before.descriptors,
                fmt::format("{} descriptors more after {} cycles", after.descriptors - before.descriptors, cycles));
  report.Expect(after.mappings <= before.mappings + 1,
                fmt::format("{} mappings more after {} cycles", after.mappings - before.mappings, cycles));
  report.Expect(
      after.resident_bytes - before.resident_bytes <= kRssSlack,
      fmt::format("{} bytes more resident after {} cycles", after.resident_bytes - before.resident_bytes, cycles));
}
#else
void CheckCycles(const Subject& subject, Report& report) {
  RunCycle(subject, report);
  report.Skip("a sanitizer build unloads nothing");
}
#endif

}  // namespace

std::vector<Check> LifecycleChecks() {
  return {
      {"life", "is created, configured twice, flushed and destroyed", CheckLife},
      {"two-shards", "runs in two shards", CheckTwoShards},
      {"abort", "takes back configurations that nobody commits", CheckAbort},
      {"garbage-config", "refuses a wrong configuration and names the field", CheckGarbageConfig},
      {"cycles", "leaves no memory, descriptor or mapping behind", CheckCycles},
  };
}

}  // namespace probed::conformance
