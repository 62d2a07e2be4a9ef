// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A loaded module with a fake host around it: what the checks that run code share.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/sdk/testing/fake_host.h"
#include "server/modules/instance.h"
#include "server/modules/library.h"
#include "server/modules/manifest.h"
#include "tests/conformance/check.h"

namespace probed::conformance {

/// Manifest and code of the subject, checked the way the daemon does. Reports what is wrong and gives nothing then.
struct LoadedModule {
  modules::Manifest manifest;
  modules::Library library;
};
std::optional<LoadedModule> LoadSubject(const Subject& subject, Report& report);

/// The defaults of the manifest's schema, which must be a configuration by themselves; reports otherwise.
std::optional<std::string> DefaultConfig(const modules::Manifest& manifest, Report& report);

/// A running instance with one shard under the default configuration, generation 1.
class Rig {
 public:
  static std::unique_ptr<Rig> Start(const Subject& subject, Report& report);
  ~Rig();

  sdk::testing::FakeHost& host() { return host_; }
  modules::ModuleInstance& instance() { return *instance_; }
  modules::ModuleShard& shard() { return *shard_; }
  const modules::Manifest& manifest() const { return module_->manifest; }
  const probe_module_entry_t& entry() const { return module_->library.entry(); }
  const std::string& default_config() const { return default_config_; }

  /// Stops shard and instance and unloads the code.
  modules::UnloadOutcome Stop();

 private:
  Rig() = default;

  sdk::testing::FakeHost host_;
  std::optional<LoadedModule> module_;
  std::unique_ptr<modules::ModuleInstance> instance_;
  std::optional<modules::ModuleShard> shard_;
  std::string default_config_;
};

/// Bytes that end where the memory ends: reading one further is a crash, not luck.
class GuardedBytes {
 public:
  GuardedBytes() : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
    memory_ = static_cast<std::uint8_t*>(
        mmap(nullptr, kRoom + page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(memory_ + kRoom, page_, PROT_NONE);
  }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;
  ~GuardedBytes() { munmap(memory_, kRoom + page_); }

  /// A copy of `bytes` (at most kRoom) at the end of the memory. LIFETIME: until the next Put.
  std::uint8_t* Put(std::string_view bytes) {
    std::uint8_t* start = memory_ + kRoom - bytes.size();
    std::copy(bytes.begin(), bytes.end(), start);
    return start;
  }

  static constexpr std::size_t kRoom = 1U << 17U;

 private:
  std::size_t page_;
  std::uint8_t* memory_ = nullptr;
};

}  // namespace probed::conformance
