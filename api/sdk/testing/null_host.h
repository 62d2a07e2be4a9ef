// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A host that does nothing, for benchmarks: what is left is the module. Every stream is the same connection.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>

#include "api/module/probe_module.h"

namespace probed::sdk::testing {

inline const probe_open_t& NullHostOpen() {
  static const probe_open_t open = [] {
    probe_open_t made{};
    made.struct_size = sizeof(made);
    made.local = {{192, 0, 2, 1}, 8080, PROBE_FAMILY_INET, {}};
    made.peer = {{192, 0, 2, 10}, 4000, PROBE_FAMILY_INET, {}};
    made.transport = 6;
    made.from_start = 1;
    return made;
  }();
  return open;
}

inline probe_host_t NullHost() {
  probe_host_t host{};
  host.struct_size = sizeof(host);
  host.intern_key = [](probe_host_context_t*, probe_str_t) { return std::uint32_t{1}; };
  host.intern_instrument = [](probe_host_context_t*, probe_str_t) { return std::uint32_t{1}; };
  host.log = [](probe_host_context_t*, std::uint32_t, probe_str_t) {};
  host.stream_alloc = [](probe_stream_t*, std::size_t size) { return std::calloc(1, size); };
  host.stream_free = [](probe_stream_t*, void* memory, std::size_t) { std::free(memory); };
  host.stream_open = [](const probe_stream_t*) { return &NullHostOpen(); };
  host.exchange_begin = [](probe_stream_t*, const probe_exchange_t*) { return std::uint64_t{1}; };
  host.emit_span = [](probe_stream_t*, const probe_span_t*) { return probe_result_t{PROBE_OK}; };
  host.exchange_abort = [](probe_stream_t*, std::uint64_t, std::uint32_t) {};
  host.count = [](probe_stream_t*, std::uint32_t) {};
  host.not_mine = [](probe_stream_t*) {};
  return host;
}

/// One connection's records, in the order in which they are asked for. `bytes` must outlive its record.
struct Wire {
  std::uint64_t offset[2] = {};
  std::uint64_t now_ns = 1;

  probe_segment_t Segment(std::uint8_t direction, const std::string& bytes) {
    probe_segment_t segment{};
    segment.struct_size = sizeof(segment);
    segment.generation = 1;
    segment.ktime_ns = now_ns += 1000;
    segment.direction = direction;
    segment.offset = offset[direction];
    segment.bytes = reinterpret_cast<const std::uint8_t*>(bytes.data());
    segment.captured = segment.total = static_cast<std::uint32_t>(bytes.size());
    offset[direction] += bytes.size();
    return segment;
  }
};

/// A module with its default configuration and one shard, on the null host.
class NullModule {
 public:
  explicit NullModule(const probe_module_entry_t& entry) : entry_(entry), host_(NullHost()) {
    probe_config_t* config = nullptr;
    Check(entry_.create(&host_, &module_));
    Check(entry_.prepare(module_, {"{}", 2}, nullptr, &config));
    entry_.commit(module_, config, 1);
    Check(entry_.shard_start(module_, 0, nullptr, &shard_));
  }
  NullModule(const NullModule&) = delete;
  ~NullModule() {
    entry_.shard_stop(shard_);
    entry_.destroy(module_);
  }

  probe_shard_t* shard() const { return shard_; }
  /// A stream is never null, and the null host does not look at it.
  probe_stream_t* stream() { return reinterpret_cast<probe_stream_t*>(this); }

 private:
  static void Check(probe_result_t result) {
    if (result != PROBE_OK) std::abort();
  }

  const probe_module_entry_t& entry_;
  const probe_host_t host_;
  probe_module_t* module_ = nullptr;
  probe_shard_t* shard_ = nullptr;
};

}  // namespace probed::sdk::testing
