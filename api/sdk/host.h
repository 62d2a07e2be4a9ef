// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Thin C++ views of the host table: Host (the whole module), Stream (one stream of a shard), ShardHost. They own
// nothing, are passed by value and add nothing but types; every call means what api/module/probe_host.h says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "api/module/probe_module.h"

namespace probed::sdk {

constexpr probe_str_t ToAbi(std::string_view text) { return {text.data(), text.size()}; }
constexpr std::string_view FromAbi(probe_str_t text) { return {text.ptr, text.len}; }

/// Bytes of a host table of ABI 1.0: the least a module built with this SDK can work with.
inline constexpr std::size_t kHostSizeV10 = offsetof(probe_host_t, on_thread) + sizeof(void*);

/// The host as the module sees it. LIFETIME: until the module is destroyed.
class Host {
 public:
  explicit Host(const probe_host_t* table) : table_(table) {}

  /// [control] 0 when the host's table of keys is full; attributes with key 0 are left out.
  std::uint32_t InternKey(std::string_view key) const { return table_->intern_key(table_->context, ToAbi(key)); }
  /// [control] 0 when the manifest has no such instrument.
  std::uint32_t InternInstrument(std::string_view name) const {
    return table_->intern_instrument(table_->context, ToAbi(name));
  }
  void Log(probe_log_level level, std::string_view text) const { table_->log(table_->context, level, ToAbi(text)); }
  const void* Extension(std::string_view id) const { return table_->get_extension(table_->context, ToAbi(id)); }
  const probe_host_t* table() const { return table_; }

 private:
  const probe_host_t* table_;
};

/// What time it is; for what is compared with dates in the bytes. [any]
class HostClock {
 public:
  explicit HostClock(Host host)
      : table_(host.table()), clock_(static_cast<const probe_clock_t*>(host.Extension(PROBE_EXTENSION_CLOCK))) {}

  /// False: an older host, which does not tell.
  bool known() const { return clock_ != nullptr; }
  std::uint64_t UtcNs() const { return clock_->utc_ns(table_->context); }

 private:
  const probe_host_t* table_;
  const probe_clock_t* clock_;
};

/// One stream, for the time of a call. [shard]
class Stream {
 public:
  Stream(const probe_host_t* table, probe_stream_t* stream) : table_(table), stream_(stream) {}

  void* Alloc(std::size_t size) const { return table_->stream_alloc(stream_, size); }
  void Free(void* memory, std::size_t size) const { table_->stream_free(stream_, memory, size); }
  std::uint64_t Begin(const probe_exchange_t& exchange) const { return table_->exchange_begin(stream_, &exchange); }
  probe_result_t Emit(const probe_span_t& span) const { return table_->emit_span(stream_, &span); }
  void Abort(std::uint64_t exchange, probe_reason reason) const { table_->exchange_abort(stream_, exchange, reason); }
  void Count(probe_reason reason) const { table_->count(stream_, reason); }
  void NotMine() const { table_->not_mine(stream_); }
  probe_result_t HandOver(std::uint64_t offset, std::string_view module) const {
    return table_->hand_over(stream_, offset, ToAbi(module));
  }
  /// nullptr as long as the OPEN record has not come.
  const probe_open_t* Open() const { return table_->stream_open(stream_); }
  probe_stream_t* raw() const { return stream_; }

 private:
  const probe_host_t* table_;
  probe_stream_t* stream_;
};

/// Names processes that the module cannot look into. An older host is not told.
class HostUnread {
 public:
  explicit HostUnread(Host host)
      : unread_(static_cast<const probe_unread_t*>(host.Extension(PROBE_EXTENSION_UNREAD))) {}

  /// [shard]
  void Report(Stream stream) const {
    if (unread_ != nullptr) unread_->process(stream.raw());
  }

 private:
  const probe_unread_t* unread_;
};

/// Tells of plaintext that is seen from its first byte, so that both ends of its connection can be joined. An older
/// host is not told.
class HostPlaintext {
 public:
  explicit HostPlaintext(Host host)
      : plaintext_(static_cast<const probe_plaintext_t*>(host.Extension(PROBE_EXTENSION_PLAINTEXT))) {}

  /// [shard] `stream`: of the raw layer. `name`: PROBE_PLAINTEXT_NAME_BYTES.
  void Whole(Stream stream, std::string_view name) const {
    if (plaintext_ != nullptr && name.size() == PROBE_PLAINTEXT_NAME_BYTES)
      plaintext_->whole(stream.raw(), reinterpret_cast<const std::uint8_t*>(name.data()));
  }

 private:
  const probe_plaintext_t* plaintext_;
};

/// One shard of the module. [shard] LIFETIME: until shard_stop.
class ShardHost {
 public:
  ShardHost(const probe_host_t* table, probe_shard_context_t* shard, std::uint32_t index)
      : table_(table), shard_(shard), index_(index) {}

  void EmitMetric(const probe_metric_point_t& point) const { table_->emit_metric(shard_, &point); }
  void EmitLog(const probe_log_t& log) const { table_->emit_log(shard_, &log); }
  /// Where spans of events without a socket go.
  Stream OwnStream() const { return {table_, table_->shard_stream(shard_)}; }
  Stream Wrap(probe_stream_t* stream) const { return {table_, stream}; }
  std::uint32_t index() const { return index_; }

 private:
  const probe_host_t* table_;
  probe_shard_context_t* shard_;
  std::uint32_t index_;
};

}  // namespace probed::sdk
