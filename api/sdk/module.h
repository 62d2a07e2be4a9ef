// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Turns a C++ class into a module. The author writes
//
//   struct Foo {                                          one instance per load
//     using Config = ...;                                 a prepared configuration, immutable once committed
//     struct StreamState { ... };                         optional: one per stream, zero-initialised or constructed
//     class Shard {                                       one per shard, called by that shard's thread alone
//       Shard(Foo&, const probed::sdk::Generations<Config>&, probed::sdk::ShardHost);
//       void OnSegment(probed::sdk::Stream, StreamState&, const probe_segment_t&);
//       ... any of OnOpen OnGap OnClose OnDatagram OnEvent OnTick Flush OldestGeneration
//     };
//     explicit Foo(probed::sdk::Host);
//     std::unique_ptr<Config> Prepare(std::string_view json, probed::sdk::FieldErrors&);
//     void KernelSettings(const Config&, probe_kernel_settings_t*);      optional
//     const void* GetExtension(std::string_view id);                     optional
//     probe_result_t Plan(int fd, std::string_view path, auto emit);      optional: probed.attach/1; emit(probe_site_t)
//   };
//   PROBE_MODULE(Foo)
//
// and gets the exported table: callbacks the class lacks are NULL, sizes of host structs are checked, and an exception
// never leaves a function (it becomes PROBE_INTERNAL, or a line in the log and PROBE_UNDECODABLE_MALFORMED for the
// record). StreamState lives in the stream's memory; OnClose is followed by its destructor.
#pragma once

#include <exception>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

#include "api/module/probe_module.h"
#include "api/sdk/config_reader.h"
#include "api/sdk/generations.h"
#include "api/sdk/host.h"

#ifndef PROBED_MODULE_BUILD_ID
#define PROBED_MODULE_BUILD_ID "unset"
#endif

namespace probed::sdk {

namespace detail {

struct NoState {};

template <class M>
struct StateOf {
  using Type = NoState;
};
template <class M>
  requires requires { typename M::StreamState; }
struct StateOf<M> {
  using Type = typename M::StreamState;
};

/// Runs `call`; what it throws becomes PROBE_INTERNAL (PROBE_NO_MEMORY for bad_alloc) and a line in the log.
template <class Call>
probe_result_t Barrier(const probe_host_t* host, Call&& call) noexcept {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    Host(host).Log(PROBE_LOG_ERROR, "out of memory");
    return PROBE_NO_MEMORY;
  } catch (const std::exception& error) {
    Host(host).Log(PROBE_LOG_ERROR, error.what());
  } catch (...) {
    Host(host).Log(PROBE_LOG_ERROR, "unknown exception");
  }
  return PROBE_INTERNAL;
}

}  // namespace detail

/// The functions behind the table of module M.
template <class M>
class ModuleEntry {
  using Config = typename M::Config;
  using Shard = typename M::Shard;
  using State = typename detail::StateOf<M>::Type;
  using Node = typename Generations<Config>::Node;

  struct Instance {
    explicit Instance(const probe_host_t* table) : host(table), module(Host(table)) {}
    const probe_host_t* host;
    M module;
    Generations<Config> configs;
  };

  struct ShardInstance {
    ShardInstance(Instance& owner, ShardHost context) : host(owner.host), shard(owner.module, owner.configs, context) {}
    const probe_host_t* host;
    Shard shard;
  };

  static Instance& Of(probe_module_t* module) { return *reinterpret_cast<Instance*>(module); }
  static ShardInstance& Of(probe_shard_t* shard) { return *reinterpret_cast<ShardInstance*>(shard); }

  // --- [control] ------------------------------------------------------------------------------------------------

  static probe_result_t Create(const probe_host_t* host, probe_module_t** out) noexcept {
    if (host->struct_size < kHostSizeV10) return PROBE_UNSUPPORTED;
    return detail::Barrier(host, [&] {
      *out = reinterpret_cast<probe_module_t*>(std::make_unique<Instance>(host).release());
      return PROBE_OK;
    });
  }

  static void Destroy(probe_module_t* module) noexcept { const std::unique_ptr<Instance> owner(&Of(module)); }

  struct SiteSink {
    void* context;
    void (*emit)(void* context, const probe_site_t* site);
    void operator()(const probe_site_t& site) const { emit(context, &site); }
  };
  static constexpr bool kHasPlan = requires(M& m, SiteSink emit) { m.Plan(0, std::string_view{}, emit); };

  static probe_result_t Plan(probe_module_t* module, std::int32_t fd, probe_str_t path, void* context,
                             void (*emit)(void* context, const probe_site_t* site)) noexcept {
    if constexpr (kHasPlan) {
      return detail::Barrier(Of(module).host,
                             [&] { return Of(module).module.Plan(fd, FromAbi(path), SiteSink{context, emit}); });
    } else {
      return PROBE_UNSUPPORTED;
    }
  }

  static const void* GetExtension(probe_module_t* module, probe_str_t id) noexcept {
    const void* found = nullptr;
    if constexpr (kHasPlan) {
      static constexpr probe_attach_t kAttach = {sizeof(probe_attach_t), 0, Plan};
      if (FromAbi(id) == PROBE_EXTENSION_ATTACH) return &kAttach;
    }
    if constexpr (requires(M& m) { m.GetExtension(std::string_view{}); }) {
      detail::Barrier(Of(module).host, [&] {
        found = Of(module).module.GetExtension(FromAbi(id));
        return PROBE_OK;
      });
    }
    return found;
  }

  static probe_result_t Prepare(probe_module_t* module, probe_str_t json, const probe_error_sink_t* sink,
                                probe_config_t** out) noexcept {
    return detail::Barrier(Of(module).host, [&]() -> probe_result_t {
      FieldErrors errors(sink);
      std::unique_ptr<Config> config = Of(module).module.Prepare(FromAbi(json), errors);
      if (config == nullptr && errors.empty()) errors.Add("", "was refused by the module");
      if (!errors.empty()) return PROBE_INVALID;
      *out = reinterpret_cast<probe_config_t*>(std::make_unique<Node>(std::move(config)).release());
      return PROBE_OK;
    });
  }

  static void KernelSettings(const probe_config_t* config, probe_kernel_settings_t* out) noexcept {
    if constexpr (requires(const Config& c) { M::KernelSettings(c, out); }) {
      M::KernelSettings(*reinterpret_cast<const Node*>(config)->value, out);
    }
  }

  static void Commit(probe_module_t* module, probe_config_t* config, std::uint32_t generation) noexcept {
    Of(module).configs.Commit(reinterpret_cast<Node*>(config), generation);
  }

  static void Abort(probe_module_t*, probe_config_t* config) noexcept {
    const std::unique_ptr<Node> owner(reinterpret_cast<Node*>(config));
  }

  static void Retire(probe_module_t* module, std::uint32_t generation) noexcept {
    Of(module).configs.Retire(generation);
  }

  // --- [shard] --------------------------------------------------------------------------------------------------

  static probe_result_t ShardStart(probe_module_t* module, std::uint32_t index, probe_shard_context_t* context,
                                   probe_shard_t** out) noexcept {
    Instance& owner = Of(module);
    return detail::Barrier(owner.host, [&] {
      auto shard = std::make_unique<ShardInstance>(owner, ShardHost(owner.host, context, index));
      *out = reinterpret_cast<probe_shard_t*>(shard.release());
      return PROBE_OK;
    });
  }

  static void ShardStop(probe_shard_t* shard) noexcept { const std::unique_ptr<ShardInstance> owner(&Of(shard)); }

  /// The stream's state, made at its first record; nullptr when the stream has no memory left.
  static State* StateFor(Stream stream, void** word) {
    if constexpr (std::is_empty_v<State>) {
      static State none;
      return &none;
    } else {
      if (*word == nullptr) {
        void* memory = stream.Alloc(sizeof(State));
        if (memory == nullptr) return nullptr;
        *word = ::new (memory) State();
      }
      return static_cast<State*>(*word);
    }
  }

  /// Calls `call(shard, stream, state)` behind the barrier. Without memory for the state the record is counted lost.
  template <class Call>
  static void OnStream(probe_shard_t* raw, probe_stream_t* handle, void** word, Call&& call) noexcept {
    ShardInstance& self = Of(raw);
    const Stream stream(self.host, handle);
    const probe_result_t result = detail::Barrier(self.host, [&]() -> probe_result_t {
      State* state = StateFor(stream, word);
      if (state == nullptr) return PROBE_NO_MEMORY;
      call(self.shard, stream, *state);
      return PROBE_OK;
    });
    if (result != PROBE_OK)
      stream.Count(result == PROBE_NO_MEMORY ? PROBE_UNDECODABLE_GAP : PROBE_UNDECODABLE_MALFORMED);
  }

  static void OnOpen(probe_shard_t* shard, probe_stream_t* stream, void** word, const probe_open_t* open) noexcept {
    OnStream(shard, stream, word, [&](Shard& s, Stream h, State& state) { s.OnOpen(h, state, *open); });
  }
  static void OnSegment(probe_shard_t* shard, probe_stream_t* stream, void** word,
                        const probe_segment_t* segment) noexcept {
    OnStream(shard, stream, word, [&](Shard& s, Stream h, State& state) { s.OnSegment(h, state, *segment); });
  }
  static void OnGap(probe_shard_t* shard, probe_stream_t* stream, void** word, std::uint8_t direction,
                    std::uint64_t offset, std::uint64_t length) noexcept {
    OnStream(shard, stream, word,
             [&](Shard& s, Stream h, State& state) { s.OnGap(h, state, direction, offset, length); });
  }
  static void OnDatagram(probe_shard_t* shard, probe_stream_t* stream, void** word,
                         const probe_datagram_t* datagram) noexcept {
    OnStream(shard, stream, word, [&](Shard& s, Stream h, State& state) { s.OnDatagram(h, state, *datagram); });
  }

  static void OnClose(probe_shard_t* raw, probe_stream_t* handle, void** word, std::uint32_t reason,
                      std::uint64_t ktime_ns) noexcept {
    if (*word == nullptr && !std::is_empty_v<State>) return;
    if constexpr (requires(Shard& s, Stream h, State& state) { s.OnClose(h, state, reason, ktime_ns); }) {
      OnStream(raw, handle, word, [&](Shard& s, Stream h, State& state) { s.OnClose(h, state, reason, ktime_ns); });
    }
    if constexpr (!std::is_empty_v<State>) {
      static_cast<State*>(*word)->~State();
      Stream(Of(raw).host, handle).Free(*word, sizeof(State));
      *word = nullptr;
    }
  }

  static void OnEvent(probe_shard_t* shard, const probe_event_t* event) noexcept {
    detail::Barrier(Of(shard).host, [&] { return Of(shard).shard.OnEvent(*event), PROBE_OK; });
  }
  static void OnTick(probe_shard_t* shard, std::uint64_t now_ns) noexcept {
    detail::Barrier(Of(shard).host, [&] { return Of(shard).shard.OnTick(now_ns), PROBE_OK; });
  }
  static void Flush(probe_shard_t* shard, std::uint64_t deadline_ns) noexcept {
    detail::Barrier(Of(shard).host, [&] { return Of(shard).shard.Flush(deadline_ns), PROBE_OK; });
  }
  static std::uint32_t OldestGeneration(const probe_shard_t* shard) noexcept {
    if constexpr (requires(const Shard& s) { s.OldestGeneration(); }) {
      return reinterpret_cast<const ShardInstance*>(shard)->shard.OldestGeneration();
    } else {
      return Pins::kNone;
    }
  }

 public:
  static constexpr probe_module_entry_t Table() {
    probe_module_entry_t entry{};
    entry.struct_size = sizeof(entry);
    entry.abi_major = PROBE_ABI_MAJOR;
    entry.abi_minor = PROBE_ABI_MINOR;
    entry.magic = PROBE_MODULE_MAGIC;
    entry.build_id = ToAbi(PROBED_MODULE_BUILD_ID);
    entry.create = Create;
    entry.destroy = Destroy;
    entry.get_extension = GetExtension;
    entry.prepare = Prepare;
    entry.kernel_settings = KernelSettings;
    entry.commit = Commit;
    entry.abort = Abort;
    entry.shard_start = ShardStart;
    entry.shard_stop = ShardStop;
    entry.oldest_generation = OldestGeneration;
    entry.retire = Retire;
    entry.on_close = OnClose;
    if constexpr (requires(Shard& s, Stream h, State& t, const probe_open_t& o) { s.OnOpen(h, t, o); }) {
      entry.on_open = OnOpen;
    }
    if constexpr (requires(Shard& s, Stream h, State& t, const probe_segment_t& o) { s.OnSegment(h, t, o); }) {
      entry.on_segment = OnSegment;
    }
    if constexpr (requires(Shard& s, Stream h, State& t) { s.OnGap(h, t, 0, 0, 0); }) entry.on_gap = OnGap;
    if constexpr (requires(Shard& s, Stream h, State& t, const probe_datagram_t& o) { s.OnDatagram(h, t, o); }) {
      entry.on_datagram = OnDatagram;
    }
    if constexpr (requires(Shard& s, const probe_event_t& o) { s.OnEvent(o); }) entry.on_event = OnEvent;
    if constexpr (requires(Shard& s) { s.OnTick(0); }) entry.on_tick = OnTick;
    if constexpr (requires(Shard& s) { s.Flush(0); }) entry.flush = Flush;
    return entry;
  }
};

}  // namespace probed::sdk

/// The module's one exported symbol. At namespace scope, once per module.
#define PROBE_MODULE(ModuleClass)                                                                  \
  extern "C" __attribute__((visibility("default"))) const probe_module_entry_t probe_module_entry; \
  constinit const probe_module_entry_t probe_module_entry = ::probed::sdk::ModuleEntry<ModuleClass>::Table();
