// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/metrics_aggregator.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

#include "server/pipeline/ids.h"

namespace probed::pipeline {
namespace {

// Default explicit buckets of the OpenTelemetry SDK specification.
const std::vector<double> kDefaultBounds = {0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000};

exporter::MetricKind SnapshotKind(InstrumentKind kind) {
  switch (kind) {
    case InstrumentKind::kHistogram: return exporter::MetricKind::kHistogram;
    case InstrumentKind::kGauge: return exporter::MetricKind::kGauge;
    case InstrumentKind::kCounter:
    case InstrumentKind::kUpDownCounter: break;
  }
  return exporter::MetricKind::kSum;
}

std::vector<double> BoundsOf(const InstrumentSpec& spec) {
  if (spec.kind != InstrumentKind::kHistogram) return {};
  return spec.bounds.empty() ? kDefaultBounds : spec.bounds;
}

Status Check(const InstrumentSpec& spec) {
  const auto refuse = [&spec](std::string_view what) {
    return MakeStatus(absl::StatusCode::kInvalidArgument, fmt::format("instrument '{}': {}", spec.name, what));
  };
  if (spec.name.empty()) return refuse("has no name");
  if (spec.attributes.size() > kMaxMetricAttributes) {
    return refuse(
        fmt::format("keeps {} attributes, at most {} are possible", spec.attributes.size(), kMaxMetricAttributes));
  }
  const auto no_step_up = [](double a, double b) { return !(a < b); };
  const bool ascending =
      std::adjacent_find(spec.bounds.begin(), spec.bounds.end(), no_step_up) == spec.bounds.end() &&
      std::all_of(spec.bounds.begin(), spec.bounds.end(), [](double bound) { return std::isfinite(bound); });
  if (!ascending) return refuse("bounds must be finite and ascending");
  return OkStatus();
}

bool SameMetric(const InstrumentSpec& a, const InstrumentSpec& b) {
  return a.name == b.name && a.unit == b.unit && a.kind == b.kind && BoundsOf(a) == BoundsOf(b);
}

bool IsRecorded(InstrumentKind kind, double value) {
  return std::isfinite(value) && (kind != InstrumentKind::kCounter || value >= 0);
}

std::uint64_t GroupKey(std::uint32_t family, std::uint64_t resource_id) { return resource_id << 10U | family; }

}  // namespace

MetricsAggregator::MetricsAggregator(MetricsOptions options, std::uint64_t start_utc_ns)
    : options_(options), hash_seed_(IdGenerator().Next()), drained_utc_ns_(start_utc_ns) {
  for (std::uint32_t i = 0; i < options.shards; ++i) shards_.push_back(std::make_unique<Shard>());
}

// --- declaring --------------------------------------------------------------------------------------------------

const MetricsAggregator::Family* MetricsAggregator::FindOrAddFamily(const InstrumentSpec& spec) {
  for (const auto& family : families_) {
    if (family->spec.name == spec.name) return SameMetric(family->spec, spec) ? family.get() : nullptr;
  }
  auto family = std::make_unique<Family>();
  family->index = static_cast<std::uint32_t>(families_.size());
  family->spec = spec;
  family->spec.attributes.clear();
  family->spec.bounds = BoundsOf(spec);
  families_.push_back(std::move(family));
  return families_.back().get();
}

const AllowList* MetricsAggregator::FindOrAddAllowList(const std::vector<MetricAttribute>& attributes) {
  auto made = std::make_unique<AllowList>(attributes);
  for (const auto& allow : allow_lists_) {
    if (allow->attributes() == made->attributes()) return allow.get();
  }
  allow_lists_.push_back(std::move(made));
  return allow_lists_.back().get();
}

Result<InstrumentId> MetricsAggregator::Declare(const InstrumentSpec& spec) {
  RETURN_IF_ERROR(Check(spec));
  const std::lock_guard lock(mutex_);
  if (instruments_.size() + 1 >= kMaxInstruments) {
    return MakeStatus(absl::StatusCode::kResourceExhausted, "too many instruments");
  }
  const Family* family = FindOrAddFamily(spec);
  if (family == nullptr) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition,
                      fmt::format("instrument '{}' is declared with another unit, kind or bounds already", spec.name));
  }
  const AllowList* allow = FindOrAddAllowList(spec.attributes);
  for (const auto& known : instruments_) {
    if (known->family == family && known->allow == allow) return known->id;
  }
  const auto id = static_cast<InstrumentId>(instruments_.size() + 1);
  instruments_.push_back(std::make_unique<Instrument>(Instrument{family, allow, id}));
  by_id_[id].store(instruments_.back().get(), std::memory_order_release);
  return id;
}

// --- recording --------------------------------------------------------------------------------------------------

inline void MetricsAggregator::AddValue(Shard& shard, Series& series, double value) {
  const InstrumentSpec& spec = series.instrument->family->spec;
  if (!IsRecorded(spec.kind, value)) return;
  if (!series.dirty) MarkDirty(shard, series);
  series.values.Add(value, spec.bounds);
}

[[gnu::noinline]] void MetricsAggregator::MarkDirty(Shard& shard, Series& series) {
  series.dirty = true;
  shard.dirty.push_back(&series);
}

// What the memo says of this span. When it was about another one, it is emptied for Record to fill: with instruments
// that keep what the first one keeps.
inline std::size_t MetricsAggregator::RecordRepeated(Shard& shard, std::uint64_t resource_id, const Measured& span) {
  Memo& memo = *span.memo;
  const Instrument* first = span.measurements.empty() ? nullptr : InstrumentOf(span.measurements[0]);
  if (first == nullptr) {  // nothing says what the memo would be about
    memo = Memo();
    return 0;
  }
  const MetricDigest digest =
      DigestOf(*first->allow, span.attributes.subspan(span.constant), span.error_type, hash_seed_);
  const bool same = memo.epoch_ == shard.epoch && memo.allow_ == first->allow && memo.resource_id_ == resource_id &&
                    memo.hash_ == digest.hash() && memo.check_ == digest.check();
  if (!same) {
    memo = Memo();
    memo.allow_ = first->allow;
    memo.epoch_ = shard.epoch;
    memo.resource_id_ = resource_id;
    memo.hash_ = digest.hash();
    memo.check_ = digest.check();
    return 0;
  }
  std::size_t i = 0;
  for (; i < span.measurements.size() && i < Memo::kMost; ++i) {
    const Memo::Place& place = memo.places_[i];
    if (place.series == nullptr || place.instrument != span.measurements[i].instrument) break;
    AddValue(shard, *place.series, span.measurements[i].value);
  }
  return i;
}

/// Flattened: of small steps, each taken for every span.
[[gnu::flatten]] void MetricsAggregator::Record(std::uint32_t shard_index, const ResourcePtr& resource,
                                                const Measured& span) {
  if (shard_index >= shards_.size() || !resource) return;
  Shard& shard = *shards_[shard_index];
  const std::lock_guard lock(shard.mutex);
  const std::size_t done = span.memo != nullptr ? RecordRepeated(shard, resource->id, span) : 0;
  if (done < span.measurements.size()) RecordFrom(done, shard, resource, span);
}

// Instruments that keep the same attributes (durations and sizes of one protocol do) share the work of the key.
[[gnu::noinline]] void MetricsAggregator::RecordFrom(std::size_t i, Shard& shard, const ResourcePtr& resource,
                                                     const Measured& span) {
  while (i < span.measurements.size()) {
    const Instrument* first = InstrumentOf(span.measurements[i]);
    if (first == nullptr) {
      ++i;
      continue;
    }
    const MetricKey key(*first->allow, span.attributes, span.error_type, hash_seed_);
    const Instrument* instrument = first;
    while (instrument != nullptr && instrument->allow == first->allow) {
      Series* series = RecordOne(shard, *instrument, resource, key, span.measurements[i].value);
      if (span.memo != nullptr) span.memo->Note(i, *instrument, series);
      if (++i == span.measurements.size()) return;
      instrument = InstrumentOf(span.measurements[i]);
    }
  }
}

MetricsAggregator::Series* MetricsAggregator::RecordOne(Shard& shard, const Instrument& instrument,
                                                        const ResourcePtr& resource, const MetricKey& key,
                                                        double value) {
  if (!IsRecorded(instrument.family->spec.kind, value)) return nullptr;
  Series& series = FindOrAddSeries(shard, instrument, resource, key);
  AddValue(shard, series, value);
  return &series;
}

bool MetricsAggregator::Is(const Series& series, SeriesHash hash, std::uint32_t family, std::uint64_t resource_id) {
  return series.hash == hash.hash && series.check == hash.check && series.name.resource_id == resource_id &&
         series.name.family == family;
}

MetricsAggregator::Series* MetricsAggregator::FindInChain(Shard& shard, SeriesHash hash, std::uint32_t family,
                                                          std::uint64_t resource_id) {
  const auto it = shard.series.find(hash.hash);
  if (it == shard.series.end()) return nullptr;
  for (Series* series = it->second.get(); series != nullptr; series = series->next.get()) {
    if (Is(*series, hash, family, resource_id)) return series;
  }
  return nullptr;
}

MetricsAggregator::Series& MetricsAggregator::FindOrAddSeries(Shard& shard, const Instrument& instrument,
                                                              const ResourcePtr& resource, const MetricKey& key) {
  const std::uint32_t family = instrument.family->index;
  const SeriesHash hash{Mix(key.hash(), GroupKey(family, resource->id)), key.check()};
  Series*& recent = shard.recent[instrument.id % shard.recent.size()];
  if (recent != nullptr && Is(*recent, hash, family, resource->id)) return *recent;
  Series* known = FindInChain(shard, hash, family, resource->id);
  recent = known != nullptr ? known : &AddSeries(shard, instrument, resource, key, hash);
  return *recent;
}

MetricsAggregator::Series& MetricsAggregator::Insert(Shard& shard, SeriesHash hash, const Instrument& instrument,
                                                     const ResourcePtr& resource, SeriesName name) {
  auto made = std::make_unique<Series>();
  made->name = std::move(name);
  made->hash = hash.hash;
  made->check = hash.check;
  made->instrument = &instrument;
  made->resource = resource;
  const InstrumentSpec& spec = instrument.family->spec;
  if (spec.kind == InstrumentKind::kHistogram) made->values.buckets.resize(spec.bounds.size() + 1);
  std::unique_ptr<Series>& head = shard.series[hash.hash];
  made->next = std::move(head);
  head = std::move(made);
  ++shard.total;
  return *head;
}

// One place per metric and resource is kept free for the overflow series.
MetricsAggregator::Series& MetricsAggregator::AddSeries(Shard& shard, const Instrument& instrument,
                                                        const ResourcePtr& resource, const MetricKey& key,
                                                        SeriesHash hash) {
  const std::uint32_t family = instrument.family->index;
  const std::uint64_t group = GroupKey(family, resource->id);
  std::uint32_t& count = shard.counts[group];
  if (count + 1 < options_.series_limit && shard.total < options_.total_series_limit) {
    ++count;
    return Insert(shard, hash, instrument, resource, {family, resource->id, false, key.Encode()});
  }
  overflowed_.fetch_add(1, std::memory_order_relaxed);
  const SeriesHash overflow{Mix(hash_seed_, ~group), ~hash_seed_};
  if (Series* known = FindInChain(shard, overflow, family, resource->id)) return *known;
  return Insert(shard, overflow, instrument, resource, {family, resource->id, true, {}});
}

// --- collecting -------------------------------------------------------------------------------------------------

ReaderId MetricsAggregator::AddReader(config::Temporality temporality) {
  const std::lock_guard lock(mutex_);
  DrainShards(drained_utc_ns_);
  const ReaderId id = next_reader_++;
  readers_[id] = {temporality, drained_utc_ns_};
  return id;
}

void MetricsAggregator::RemoveReader(ReaderId reader) {
  const std::lock_guard lock(mutex_);
  readers_.erase(reader);
  for (auto& [name, total] : totals_) total->unseen.erase(reader);
}

MetricsAggregator::Total& MetricsAggregator::TotalOf(Series& series) {
  std::unique_ptr<Total>& total = totals_[series.name];
  if (!total) {
    total = std::make_unique<Total>();
    total->family = series.instrument->family;
    total->resource = series.resource;
    total->attributes = DecodeMetricKey(series.name.attributes, *series.instrument->allow);
    total->overflow = series.name.overflow;
    total->start_utc_ns = drained_utc_ns_;
  }
  return *total;
}

// What was recorded since the last drain began, at the latest, when the last drain was.
void MetricsAggregator::DrainShards(std::uint64_t now_utc_ns) {
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    for (Series* series : shard->dirty) {
      if (series->total == nullptr) series->total = &TotalOf(*series);
      series->total->values.Merge(series->values);
      for (const auto& [id, reader] : readers_) {
        if (reader.temporality == config::Temporality::kDelta) series->total->unseen[id].Merge(series->values);
      }
      series->values.Clear();
      series->dirty = false;
    }
    shard->dirty.clear();
  }
  drained_utc_ns_ = std::max(drained_utc_ns_, now_utc_ns);
}

exporter::MetricPoint MetricsAggregator::MakePoint(const Total& total, const MetricValues& values,
                                                   std::uint64_t start_utc_ns, std::uint64_t now_utc_ns) const {
  exporter::MetricPoint point;
  point.attributes = total.attributes;
  point.overflow = total.overflow;
  point.start_utc_ns = start_utc_ns;
  point.time_utc_ns = now_utc_ns;
  const InstrumentKind kind = total.family->spec.kind;
  if (kind != InstrumentKind::kHistogram) {
    point.value = kind == InstrumentKind::kGauge ? values.last : values.sum;
    return point;
  }
  point.count = values.count;
  point.sum = values.sum;
  point.min = values.min;
  point.max = values.max;
  point.bounds = total.family->spec.bounds;
  point.bucket_counts = values.buckets;
  return point;
}

exporter::MetricSnapshot MetricsAggregator::Collect(ReaderId id, std::uint64_t now_utc_ns) {
  const std::lock_guard lock(mutex_);
  const auto reader = readers_.find(id);
  if (reader == readers_.end()) return {};
  DrainShards(now_utc_ns);
  const bool delta = reader->second.temporality == config::Temporality::kDelta;
  std::map<std::pair<std::uint64_t, std::uint32_t>, exporter::Metric> metrics;
  for (auto& [name, total] : totals_) {
    const auto unseen = total->unseen.find(id);
    if (delta && (unseen == total->unseen.end() || unseen->second.count == 0)) continue;
    exporter::Metric& metric = metrics[{name.resource_id, name.family}];
    if (metric.points.empty()) {
      const InstrumentSpec& spec = total->family->spec;
      metric.resource = total->resource;
      metric.scope = spec.scope;
      metric.name = spec.name;
      metric.description = spec.description;
      metric.unit = spec.unit;
      metric.kind = SnapshotKind(spec.kind);
      metric.temporality = reader->second.temporality;
      metric.monotonic = spec.kind == InstrumentKind::kCounter;
    }
    const std::uint64_t start = delta ? reader->second.since_utc_ns : total->start_utc_ns;
    metric.points.push_back(MakePoint(*total, delta ? unseen->second : total->values, start, now_utc_ns));
    if (delta) unseen->second.Clear();
  }
  reader->second.since_utc_ns = now_utc_ns;
  DropDeparted(now_utc_ns);
  exporter::MetricSnapshot snapshot;
  for (auto& [key, metric] : metrics) snapshot.metrics.push_back(std::move(metric));
  return snapshot;
}

// --- forgetting -------------------------------------------------------------------------------------------------

void MetricsAggregator::ForgetResource(std::uint64_t resource_id, std::uint64_t now_utc_ns) {
  const std::lock_guard lock(mutex_);
  departures_.push_back({resource_id, now_utc_ns});
}

void MetricsAggregator::DropSeriesOf(Shard& shard, std::uint64_t resource_id) {
  const std::lock_guard lock(shard.mutex);
  shard.recent.fill(nullptr);
  ++shard.epoch;
  std::erase_if(shard.dirty, [resource_id](const Series* series) { return series->name.resource_id == resource_id; });
  absl::erase_if(shard.series, [&shard, resource_id](auto& slot) {
    for (std::unique_ptr<Series>* link = &slot.second; *link;) {
      if ((*link)->name.resource_id != resource_id) {
        link = &(*link)->next;
        continue;
      }
      *link = std::move((*link)->next);
      --shard.total;
    }
    return slot.second == nullptr;
  });
  absl::erase_if(shard.counts, [resource_id](const auto& count) { return count.first >> 10U == resource_id; });
}

void MetricsAggregator::DropDeparted(std::uint64_t now_utc_ns) {
  const auto keep = static_cast<std::uint64_t>(options_.keep_after_exit.count());
  std::erase_if(departures_, [this, now_utc_ns, keep](const Departure& departure) {
    if (departure.at_utc_ns + keep > now_utc_ns) return false;
    for (const auto& shard : shards_) DropSeriesOf(*shard, departure.resource_id);
    absl::erase_if(totals_,
                   [&departure](const auto& total) { return total.first.resource_id == departure.resource_id; });
    return true;
  });
}

std::size_t MetricsAggregator::series() const {
  const std::lock_guard lock(mutex_);
  return totals_.size();
}

}  // namespace probed::pipeline
