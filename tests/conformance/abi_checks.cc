// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The entry of the module and the table of the host, also when one side is older or newer than the other.
#include <fmt/format.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

#include "tests/conformance/check.h"
#include "tests/conformance/rig.h"

namespace probed::conformance {
namespace {

void CheckEntry(const Subject& subject, Report& report) { LoadSubject(subject, report); }

/// Goes through a whole life with this table; whether create accepted it.
bool LiveWith(const probe_host_t& table, sdk::testing::FakeHost& host, const LoadedModule& module,
              const std::string& config, Report& report) {
  auto instance = modules::ModuleInstance::Create(module.manifest.name, 1, module.library.entry(), table);
  if (!instance.ok()) {
    report.Expect(GetErrorDetails(instance.status()).reason != "MODULE_INTERNAL", Message(instance.status()));
    return false;
  }
  auto prepared = (*instance)->Prepare(config);
  if (!report.Expect(prepared.ok(), Message(prepared.status()))) return true;
  (*instance)->Commit(std::move(prepared).value(), 1);
  auto shard = (*instance)->StartShard(0, host.shard_context());
  if (!report.Expect(shard.ok(), Message(shard.status()))) return true;
  shard->Flush(1);
  return true;
}

void CheckLongerHost(const Subject& subject, Report& report) {
  auto module = LoadSubject(subject, report);
  const auto config = module ? DefaultConfig(module->manifest, report) : std::nullopt;
  if (!config) return;
  // A daemon of a later minor: functions after those the module knows, which it must not touch.
  struct {
    probe_host_t table;
    char tail[256];
  } later;
  sdk::testing::FakeHost host;
  std::memset(&later, 0xff, sizeof(later));
  later.table = *host.table();
  later.table.struct_size = sizeof(later);
  later.table.abi_minor = PROBE_ABI_MINOR + 9;
  report.Expect(LiveWith(later.table, host, *module, *config, report), "refuses a host with a longer table");
}

void CheckShorterHost(const Subject& subject, Report& report) {
  auto module = LoadSubject(subject, report);
  const auto config = module ? DefaultConfig(module->manifest, report) : std::nullopt;
  if (!config) return;
  // A daemon without the last function. The table ends where the memory ends: a read beyond what it says is a crash.
  // To refuse it is right; to live with it is, too.
  sdk::testing::FakeHost host;
  GuardedBytes memory;
  constexpr std::size_t kShort = offsetof(probe_host_t, on_thread);
  std::uint8_t* start = memory.Put({reinterpret_cast<const char*>(host.table()), kShort});
  const auto size = static_cast<std::uint32_t>(kShort);
  std::memcpy(start + offsetof(probe_host_t, struct_size), &size, sizeof(size));
  LiveWith(*reinterpret_cast<const probe_host_t*>(start), host, *module, *config, report);
}

/// Create under a host that can remember no key and no instrument.
void CheckFullHost(const Subject& subject, Report& report) {
  auto module = LoadSubject(subject, report);
  const auto config = module ? DefaultConfig(module->manifest, report) : std::nullopt;
  if (!config) return;
  sdk::testing::FakeHost host;
  probe_host_t table = *host.table();
  table.intern_key = [](probe_host_context_t*, probe_str_t) { return std::uint32_t{0}; };
  table.intern_instrument = [](probe_host_context_t*, probe_str_t) { return std::uint32_t{0}; };
  LiveWith(table, host, *module, *config, report);
}

void CheckExtensions(const Subject& subject, Report& report) {
  const auto rig = Rig::Start(subject, report);
  if (!rig) return;
  report.Expect(rig->instance().Extension("probed.no_such_extension/1") == nullptr,
                "claims an extension that does not exist");
  report.Expect(rig->instance().Extension("") == nullptr, "claims an extension without a name");
  const auto* attach = static_cast<const probe_attach_t*>(rig->instance().Extension(PROBE_EXTENSION_ATTACH));
  if (attach != nullptr) {
    report.Expect(attach->struct_size >= sizeof(probe_attach_t),
                  PROBE_EXTENSION_ATTACH " has a table that is too short");
    report.Expect(attach->plan != nullptr, PROBE_EXTENSION_ATTACH " has no plan");
  }
  report.Expect(!rig->instance().faulted(), rig->instance().fault());
}

}  // namespace

std::vector<Check> AbiChecks() {
  return {
      {"entry", "has an entry of this ABI, with every function that must be there", CheckEntry},
      {"longer-host", "works with a host that knows more than it does", CheckLongerHost},
      {"shorter-host", "reads no more of the host's table than there is", CheckShorterHost},
      {"full-host", "copes with a host that takes no more keys", CheckFullHost},
      {"extensions", "claims only extensions it has", CheckExtensions},
  };
}

}  // namespace probed::conformance
