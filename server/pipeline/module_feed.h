// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// One module in one shard: takes records out of its ring, keeps its streams, calls its decoder, and is what the host
// table's functions work on. Everything [shard] unless noted.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/shared/layout.h"
#include "server/bpf/ring_reader.h"
#include "server/modules/instance.h"
#include "server/pipeline/ledger.h"
#include "server/pipeline/span_output.h"
#include "server/pipeline/stream.h"

/// The module's view of a shard.
struct probe_shard_context {
  probed::pipeline::ModuleFeed* feed = nullptr;
};

namespace probed::pipeline {

struct FeedLimits {
  std::size_t streams = 65536;
  std::uint64_t bytes_per_stream = 1U << 20U;
  std::uint64_t bytes_per_module = 64U << 20U;
};

/// A module gives a stream away: the kernel is to ship it no more of it.
struct StreamRelease {
  std::uint64_t cookie = 0;
  std::uint16_t incarnation = 0;  // of the module
  std::uint64_t offset = 0;       // of the received direction: from here on
  std::string_view heir;          // module that takes over; empty: whoever claims it
};
/// PROBE_INVALID: there is no such heir. [shard]
using ReleaseStream = std::function<probe_result_t(const StreamRelease&)>;
/// The module cannot look into what this process does. [shard]
using ReportUnread = std::function<void(std::uint32_t tgid)>;

class ModuleFeed {
 public:
  ModuleFeed(const ModuleOutput& module, bpf::RingReader ring, SpanOutput& output, ReleaseStream release,
             FeedLimits limits = {});
  ~ModuleFeed();
  ModuleFeed(const ModuleFeed&) = delete;

  /// Each process is reported once, and once more if it is met again some seconds later. Before Start.
  void OnUnread(ReportUnread report) { report_unread_ = std::move(report); }

  /// Gives the module its shard; nothing is fed before.
  Status Start(modules::ModuleInstance& instance, std::uint32_t shard);
  /// Ends what is open, closes all streams, stops the module's shard.
  void Stop(std::uint64_t deadline_ns);

  /// Decodes what is in the ring, at most `limit` records and none from the first on that is younger than `until_ns`.
  /// Returns how many.
  std::size_t Drain(std::size_t limit, std::uint64_t until_ns = UINT64_MAX);
  /// Time of the record that is decoded next; UINT64_MAX: there is none.
  std::uint64_t NextKtimeNs();
  bool PublishAll() { return ring_.PublishAll(); }
  void Tick(std::uint64_t now_ns);

  /// What is open may be overdue some day; what came last may have left something that is no exchange yet.
  bool wants_ticks() const {
    return shard_ && (ledger_.in_flight > 0 || idle_ticks_ < kIdleTicks || ring_.position() != ticked_position_);
  }
  std::uint64_t ring_position() const { return ring_.position(); }
  std::uint64_t ring_producer() const { return ring_.producer_position(); }
  const FeedLedger& ledger() const { return ledger_; }
  std::uint32_t oldest_generation() const { return shard_ ? shard_->OldestGeneration() : UINT32_MAX; }

  // --- what the host table's functions come to; a stream is always one of this feed's ------------------------------
  void* Allocate(probe_stream& stream, std::size_t size);
  void Free(probe_stream& stream, void* memory);
  std::uint64_t BeginExchange(probe_stream& stream, const probe_exchange_t& exchange);
  probe_result_t EmitSpan(probe_stream& stream, const probe_span_t& span);
  void AbortExchange(probe_stream& stream, std::uint64_t exchange, std::uint32_t reason);
  void Count(std::uint32_t reason) { record_reason_ = reason; }
  void NotMine(probe_stream& stream);
  probe_result_t HandOver(probe_stream& stream, std::uint64_t offset, std::string_view heir);
  void Unread(const probe_stream& stream);
  void NamePlaintext(probe_stream& stream, const std::uint8_t* name);
  void EmitMetric(const probe_metric_point_t& point);
  void EmitLog(const probe_log_t& log);
  probe_stream* own_stream() { return &own_stream_; }

 private:
  /// Saves looking a stream up; emptied when the stream goes.
  struct Recent {
    std::uint64_t key = 0;
    probe_stream* stream = nullptr;
  };
  static constexpr std::size_t kRecent = 256;
  static constexpr std::uint32_t kIdleTicks = 2;  // behind the last record, with nothing open

  void Take(std::string_view bytes);
  void Take(const pb_record& record, const std::uint8_t* payload);
  void TakeOther(const pb_record& record, const std::uint8_t* payload);
  void CheckSequence(const pb_record& record);
  void TakeSegment(const pb_record& record, const std::uint8_t* bytes);
  void TakeDatagram(const pb_record& record, const std::uint8_t* bytes);
  void TakeEvent(const pb_record& record, const std::uint8_t* bytes);
  void TakeOpen(const pb_record& record, const std::uint8_t* bytes);
  void TakeClose(const pb_record& record);
  void AnnounceGap(probe_stream& stream, const pb_record& record);
  /// Books the record just decoded: used, or the reason the module gave.
  void Book(bool fed);
  probe_stream& StreamOf(const pb_record& record);
  probe_stream& FindOrAddStream(const pb_record& record, std::uint64_t key);
  probe_stream& AddStream(const pb_record& record, std::unique_ptr<probe_stream>& slot);
  void EndForModule(probe_stream& stream, std::uint32_t reason, std::uint64_t ktime_ns);
  void CloseStream(probe_stream& stream, std::uint32_t reason, std::uint64_t ktime_ns);
  /// Whether the module gave it away; tells the module so when it has returned from the call in which it did.
  bool IsGivenAway(probe_stream& stream);
  void EvictOldest();
  StreamFacts FactsOf(const probe_stream& stream) const;
  std::uint64_t BeginPlain(probe_stream& stream, const probe_exchange_t& exchange);
  probe_result_t Emit(probe_stream& stream, const probe_span_t& span);
  StreamConstants* ConstantsOf(probe_stream& stream, const probe_span_t& span);
  StreamConstants* KeepConstants(probe_stream& stream, const probe_span_t& span);
  void ForgetConstants(probe_stream& stream);

  const ModuleOutput module_;
  bpf::RingReader ring_;
  SpanOutput& output_;
  const ReleaseStream release_;
  const FeedLimits limits_;
  ReportUnread report_unread_;
  /// Processes reported, by when they started: when they were first. 0: and again.
  absl::flat_hash_map<std::uint64_t, std::uint64_t> unread_;
  probe_shard_context context_{};
  std::optional<modules::ModuleShard> shard_;
  absl::flat_hash_map<std::uint64_t, std::unique_ptr<probe_stream>> streams_;  // by cookie, layer in the top bit
  std::array<Recent, kRecent> recent_{};                                       // by the low bits of the key
  std::vector<std::uint64_t> next_sequence_;                                   // by CPU
  probe_stream own_stream_;
  FeedLedger ledger_;
  std::uint64_t memory_ = 0;
  exporter::WireWriter scratch_;
  std::uint64_t segment_offset_ = 0;       // of the record being decoded
  std::uint64_t ticked_position_ = 0;      // of the ring, at the last tick
  std::uint32_t idle_ticks_ = kIdleTicks;  // since the last record
  std::optional<std::uint32_t> record_reason_;
};

}  // namespace probed::pipeline
