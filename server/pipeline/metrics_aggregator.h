// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Metrics from spans: modules declare instruments, shards record, readers collect. A series is an instrument's name, a
// resource and the values of the attributes the instrument keeps. Shards accumulate on their own; a collection drains
// them into totals (cumulative) and into what each delta reader has not seen yet.
//
// Threads: Declare on [control]; Record on [shard:i] with that shard's index; the rest on any. A shard's lock is held
// for one span's measurements, and by a collection for one pass over the shard's series.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/status.h"
#include "server/export/metrics_snapshot.h"
#include "server/pipeline/fast_mutex.h"
#include "server/pipeline/metric_key.h"
#include "server/pipeline/metric_values.h"
#include "server/pipeline/mix.h"
#include "server/pipeline/resource_cache.h"

namespace probed::pipeline {

enum class InstrumentKind : std::uint8_t { kCounter, kUpDownCounter, kGauge, kHistogram };

struct InstrumentSpec {
  std::string name;
  std::string unit;
  std::string description;
  InstrumentKind kind = InstrumentKind::kCounter;
  std::vector<double> bounds;  // histograms: ascending; empty: the defaults of the OpenTelemetry SDK
  std::vector<MetricAttribute> attributes;
  std::shared_ptr<const exporter::Scope> scope;  // of merged instruments the first one's stands
};

/// Never reused. 0: none.
using InstrumentId = std::uint32_t;
using ReaderId = std::uint32_t;

struct MetricsOptions {
  std::uint32_t shards = 1;
  std::uint32_t series_limit = 2000;          // per metric and resource, the overflow series included
  std::uint32_t total_series_limit = 50'000;  // per shard, over all metrics; above it only overflow series are made
  std::chrono::nanoseconds keep_after_exit = std::chrono::minutes(5);
};

class MetricsAggregator {
 public:
  static constexpr std::size_t kMaxInstruments = 1024;

  /// `start_utc_ns`: the start time of series that appear before the first collection.
  explicit MetricsAggregator(MetricsOptions options, std::uint64_t start_utc_ns);
  MetricsAggregator(const MetricsAggregator&) = delete;
  MetricsAggregator& operator=(const MetricsAggregator&) = delete;

  /// Instruments of equal name, unit, kind and bounds are one metric, whoever declares them; an equal one has an equal
  /// id. Errors: FailedPrecondition when the name is taken by a different one; InvalidArgument; ResourceExhausted.
  Result<InstrumentId> Declare(const InstrumentSpec& spec);

  /// Where the measurements of spans with the same constant attributes went last. Belongs to one shard; a new one for
  /// other constant attributes.
  class Memo;

  struct Measured {
    std::span<const probe_measurement_t> measurements;
    std::span<const probe_attribute_t> attributes;
    std::string_view error_type = {};  // stands for the attribute error.type
    Memo* memo = nullptr;              // of the first `constant` attributes: only saves looking for the series again
    std::size_t constant = 0;
  };
  /// Records one span's measurements with those attributes that each instrument keeps. Unknown instruments, values that
  /// are no number and negative counts are ignored.
  void Record(std::uint32_t shard, const ResourcePtr& resource, const Measured& span);

  /// A new delta reader sees what is recorded from now on; a cumulative one everything.
  ReaderId AddReader(config::Temporality temporality);
  void RemoveReader(ReaderId reader);

  /// Everything a cumulative reader, or what is new for a delta reader. Unknown readers get nothing.
  exporter::MetricSnapshot Collect(ReaderId reader, std::uint64_t now_utc_ns);

  /// The process is gone: its series are kept for the readers' last look, then dropped.
  void ForgetResource(std::uint64_t resource_id, std::uint64_t now_utc_ns);

  /// Measurements that went to an overflow series. [any]
  std::uint64_t overflowed() const { return overflowed_.load(std::memory_order_relaxed); }
  /// Series in the totals. [any]
  std::size_t series() const;

 private:
  /// One metric as readers see it.
  struct Family {
    std::uint32_t index = 0;
    InstrumentSpec spec;  // without attributes
  };
  struct Instrument {
    const Family* family = nullptr;
    const AllowList* allow = nullptr;
    InstrumentId id = 0;
  };
  struct SeriesName {
    std::uint32_t family = 0;
    std::uint64_t resource_id = 0;
    bool overflow = false;
    std::string attributes;  // MetricKey::Encode
    bool operator==(const SeriesName&) const = default;
    template <typename H>
    friend H AbslHashValue(H h, const SeriesName& name) {
      return H::combine(std::move(h), name.family, name.resource_id, name.overflow, name.attributes);
    }
  };
  struct Reader {
    config::Temporality temporality = config::Temporality::kCumulative;
    std::uint64_t since_utc_ns = 0;  // end of what a delta reader has seen
  };
  struct Total {
    const Family* family = nullptr;
    ResourcePtr resource;
    exporter::AttributeList attributes;
    bool overflow = false;
    std::uint64_t start_utc_ns = 0;
    MetricValues values;
    std::map<ReaderId, MetricValues> unseen;  // by delta reader
  };
  struct Series {
    SeriesName name;
    std::uint64_t hash = 0;  // of name, 128 bits
    std::uint64_t check = 0;
    const Instrument* instrument = nullptr;  // the first that fed it
    ResourcePtr resource;
    MetricValues values;
    Total* total = nullptr;        // once drained; owned by totals_
    std::unique_ptr<Series> next;  // of the same hash
    bool dirty = false;
  };
  using SeriesIndex = absl::flat_hash_map<std::uint64_t, std::unique_ptr<Series>, SameHash>;
  /// Where a series is looked for: by 128 bits, of which `hash` indexes.
  struct SeriesHash {
    std::uint64_t hash = 0;
    std::uint64_t check = 0;
  };
  struct Shard {
    FastMutex mutex;
    std::array<Series*, 16> recent{};  // last hit, by instrument
    SeriesIndex series;
    std::vector<Series*> dirty;
    std::uint64_t epoch = 1;  // series were dropped: pointers to them are good for one
    absl::flat_hash_map<std::uint64_t, std::uint32_t, MixHash> counts;  // series per (metric, resource)
    std::uint32_t total = 0;
  };
  struct Departure {
    std::uint64_t resource_id = 0;
    std::uint64_t at_utc_ns = 0;
  };

  const Family* FindOrAddFamily(const InstrumentSpec& spec);
  const AllowList* FindOrAddAllowList(const std::vector<MetricAttribute>& attributes);

  void RecordFrom(std::size_t first, Shard& shard, const ResourcePtr& resource, const Measured& span);
  std::size_t RecordRepeated(Shard& shard, std::uint64_t resource_id, const Measured& span);
  Series* RecordOne(Shard& shard, const Instrument& instrument, const ResourcePtr& resource, const MetricKey& key,
                    double value);
  static void AddValue(Shard& shard, Series& series, double value);
  static void MarkDirty(Shard& shard, Series& series);
  const Instrument* InstrumentOf(const probe_measurement_t& measurement) const {
    const std::uint32_t id = measurement.instrument;
    return id < kMaxInstruments ? by_id_[id].load(std::memory_order_acquire) : nullptr;
  }
  Series& FindOrAddSeries(Shard& shard, const Instrument& instrument, const ResourcePtr& resource,
                          const MetricKey& key);
  Series& AddSeries(Shard& shard, const Instrument& instrument, const ResourcePtr& resource, const MetricKey& key,
                    SeriesHash hash);
  static bool Is(const Series& series, SeriesHash hash, std::uint32_t family, std::uint64_t resource_id);
  static Series* FindInChain(Shard& shard, SeriesHash hash, std::uint32_t family, std::uint64_t resource_id);
  static Series& Insert(Shard& shard, SeriesHash hash, const Instrument& instrument, const ResourcePtr& resource,
                        SeriesName name);

  void DrainShards(std::uint64_t now_utc_ns);
  Total& TotalOf(Series& series);
  void DropDeparted(std::uint64_t now_utc_ns);
  void DropSeriesOf(Shard& shard, std::uint64_t resource_id);
  exporter::MetricPoint MakePoint(const Total& total, const MetricValues& values, std::uint64_t start_utc_ns,
                                  std::uint64_t now_utc_ns) const;

  const MetricsOptions options_;
  const std::uint64_t hash_seed_;  // secret: attribute values come from the network
  std::array<std::atomic<const Instrument*>, kMaxInstruments> by_id_{};
  std::atomic<std::uint64_t> overflowed_{0};
  std::vector<std::unique_ptr<Shard>> shards_;

  mutable std::mutex mutex_;  // all below; taken before a shard's
  std::vector<std::unique_ptr<Family>> families_;
  std::vector<std::unique_ptr<AllowList>> allow_lists_;
  std::vector<std::unique_ptr<Instrument>> instruments_;
  absl::flat_hash_map<SeriesName, std::unique_ptr<Total>> totals_;
  std::map<ReaderId, Reader> readers_;
  ReaderId next_reader_ = 1;
  std::vector<Departure> departures_;
  std::uint64_t drained_utc_ns_;
};

class MetricsAggregator::Memo {
 private:
  friend class MetricsAggregator;
  static constexpr std::size_t kMost = 4;
  struct Place {
    InstrumentId instrument = 0;
    Series* series = nullptr;
  };

  // An overflow series is none to be remembered: each measurement that goes there is counted.
  void Note(std::size_t index, const Instrument& instrument, Series* series) {
    if (series == nullptr || series->name.overflow || instrument.allow != allow_ || index >= kMost) return;
    places_[index] = {instrument.id, series};
  }

  const AllowList* allow_ = nullptr;  // of all instruments here
  std::uint64_t epoch_ = 0;
  std::uint64_t resource_id_ = 0;
  std::uint64_t hash_ = 0;  // DigestOf the attributes that are not constant
  std::uint64_t check_ = 0;
  std::array<Place, kMost> places_{};  // by the order of measurements
};

}  // namespace probed::pipeline
