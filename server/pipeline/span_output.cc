// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/span_output.h"

#include <algorithm>
#include <cstring>

#include "server/discovery/exe_matcher.h"

namespace probed::pipeline {
namespace {

constexpr std::size_t kMostSources = 8192;         // processes a shard remembers
constexpr std::size_t kMostWaiting = 16384;        // spans
constexpr std::uint64_t kAskAgainNs = 5'000'000;   // a drain interval
constexpr std::uint64_t kTimeIsOver = UINT64_MAX;  // the link table's answer to a second question is then final

SpanFate FateOf(Unrouted reason) {
  switch (reason) {
    case Unrouted::kNone: return SpanFate::kRouted;
    case Unrouted::kDropped: return SpanFate::kDropped;
    case Unrouted::kNoRoute: return SpanFate::kNoRoute;
    case Unrouted::kNoSink: return SpanFate::kNoSink;
  }
  return SpanFate::kNoSink;
}

exporter::SpanRecord Fill(const probe_span_t& span, const SpanContext& context, const StreamConstants* constants) {
  exporter::SpanRecord record;
  std::memcpy(record.trace_id, context.trace_id.data(), sizeof(record.trace_id));
  std::memcpy(record.span_id, context.span_id.data(), sizeof(record.span_id));
  std::memcpy(record.parent_span_id, context.parent_span_id.data(), sizeof(record.parent_span_id));
  const UtcTimes times = ToUtc(context, span.start_ns, span.end_ns);
  record.flags = context.flags;
  record.kind = span.kind;
  record.status = span.status;
  record.start_utc_ns = times.start_ns;
  record.end_utc_ns = times.end_ns;
  record.name = {span.name.ptr, span.name.len};
  if (context.trace_state) record.trace_state = *context.trace_state;
  record.error_type = {span.error_type.ptr, span.error_type.len};
  record.attributes = {span.attributes, span.attribute_count};
  if (constants != nullptr) {
    record.constant = constants->encoded();
    record.attributes = record.attributes.subspan(constants->count());
  }
  record.links = {span.links, span.link_count};
  return record;
}

/// Of what has no stream.
StreamFacts FactsOf(std::uint32_t tgid) {
  StreamFacts facts;
  facts.tgid = tgid;
  facts.rule = discovery::kNoRule;
  return facts;
}

}  // namespace

SpanOutput::SpanOutput(std::uint32_t shard, Shared shared)
    : shard_(shard), shared_(std::move(shared)), utc_(*shared_.clock) {
  BeginRound();
}

void SpanOutput::BeginRound() {
  utc_.Sample();
  now_ns_ = shared_.clock->KtimeNs();
  routes_ = shared_.routes();
  std::shared_ptr<const std::vector<std::string>> names = shared_.service_names();
  if (names == service_names_) return;
  service_names_ = std::move(names);
  sources_.clear();
  last_source_ = nullptr;
}

inline const SpanOutput::Source& SpanOutput::SourceOf(const StreamFacts& facts) {
  const std::uint64_t start = facts.open != nullptr && facts.open->tgid == facts.tgid ? facts.open->tgid_start_ns : 0;
  // An exec leaves pid and start time as they were.
  const std::uint32_t epoch = shared_.processes->ExecEpoch(facts.tgid);
  const bool again = last_source_ != nullptr && last_key_.first == facts.tgid && last_key_.second == start &&
                     last_source_->IsFor(facts.rule, epoch);
  return again ? *last_source_ : FindSource({facts.tgid, start}, facts.rule, epoch);
}

const SpanOutput::Source& SpanOutput::FindSource(const SourceKey& key, std::uint32_t rule, std::uint32_t epoch) {
  if (sources_.size() > kMostSources) sources_.clear();
  const auto [at, inserted] = sources_.try_emplace(key);
  Source& source = at->second;
  last_key_ = key;
  last_source_ = &source;
  if (!inserted && source.IsFor(rule, epoch)) return source;
  source.exec_epoch = epoch;
  source.process = shared_.processes->Find(key.first, key.second);
  source.rule = rule;
  const std::string_view name = rule < service_names_->size() ? (*service_names_)[rule] : std::string_view();
  source.resource = shared_.resources->Get(*source.process, name);
  return source;
}

void SpanOutput::NamePlaintext(std::uint64_t cookie, const PairKey& key) {
  if (key.valid())
    plaintexts_.insert_or_assign(cookie, key);
  else
    plaintexts_.erase(cookie);
}

PairKey SpanOutput::PlaintextKeyOf(std::uint64_t cookie) const {
  const auto found = plaintexts_.find(cookie);
  return found == plaintexts_.end() ? PairKey{} : found->second;
}

std::uint64_t SpanOutput::Begin(const StreamFacts& facts, const probe_exchange_t& exchange) {
  // A goroutine moves between threads, so the thread's request need not be its own: no parent is better than a wrong
  // one.
  const bool threads_carry_requests = exchange.cause.cookie == 0 || !SourceOf(facts).process->info.is_go;
  return shared_.links->Begin(
      MakeExchangeInfo(exchange, facts.pair, facts.segment_offset, threads_carry_requests, utc_.offset_ns()), ids_);
}

bool SpanOutput::Abort(std::uint64_t exchange) {
  if (exchange == 0) return false;
  shared_.links->Abort(exchange);
  return true;
}

inline exporter::BatchBuilder& SpanOutput::BuilderOf(SinkMask sinks) {
  for (auto& [mask, builder] : builders_)
    if (mask == sinks) return *builder;
  return *builders_.emplace_back(sinks, std::make_unique<exporter::BatchBuilder>(*shared_.keys)).second;
}

exporter::LogBatchBuilder& SpanOutput::LogBuilderOf(SinkMask sinks) {
  for (auto& [mask, builder] : log_builders_)
    if (mask == sinks) return *builder;
  return *log_builders_.emplace_back(sinks, std::make_unique<exporter::LogBatchBuilder>(*shared_.keys)).second;
}

inline void SpanOutput::NoteBatched() {
  if (due_ns_ == 0) due_ns_ = shared_.clock->KtimeNs() + static_cast<std::uint64_t>(shared_.limits.delay.count());
}

inline void SpanOutput::Append(SinkMask sinks, const exporter::Resource& resource, const exporter::Scope& scope,
                               const exporter::SpanRecord& record) {
  exporter::BatchBuilder& builder = BuilderOf(sinks);
  builder.Append(resource, scope, record);
  NoteBatched();
  if (builder.items() >= shared_.limits.spans || builder.bytes() >= shared_.limits.bytes)
    shared_.deliver(sinks, builder.Seal());
}

SpanFate SpanOutput::Emit(const ModuleOutput& module, const StreamFacts& facts, const probe_span_t& span) {
  SpanContext context;
  const Resolution parent = shared_.links->End(span.exchange, span.end_ns, now_ns_, ids_, context);
  if (parent == Resolution::kUnknown) return SpanFate::kUnknownExchange;
  const Source& source = SourceOf(facts);
  MetricsAggregator::Measured measured{.measurements = {span.measurements, span.measurement_count},
                                       .attributes = {span.attributes, span.attribute_count},
                                       .error_type = {span.error_type.ptr, span.error_type.len}};
  if (facts.constants != nullptr) {
    measured.memo = &facts.constants->metrics();
    measured.constant = facts.constants->count();
  }
  shared_.metrics->Record(shard_, source.resource, measured);
  const RouteDecision& route =
      route_cache_.Get(*routes_, module.id, module.name, source.resource->id, source.resource->service_name)
          .ForSpan(span.kind);
  if (route.reason == Unrouted::kDropped) return SpanFate::kDropped;
  if (parent == Resolution::kPending)
    Wait({KeptSpan(span), source.resource, module.scope, route.sinks});
  else
    Append(route.sinks, *source.resource, *module.scope, Fill(span, context, facts.constants));
  return FateOf(route.reason);
}

void SpanOutput::Wait(Waiting waiting) {
  if (waiting_.empty()) asked_ns_ = now_ns_;
  waiting_.push_back(std::move(waiting));
  if (waiting_.size() > kMostWaiting) AskAgain(kTimeIsOver);
}

// The span is in the ledger as routed, so it goes out even if the table had to drop its exchange meanwhile.
void SpanOutput::AskAgain(std::uint64_t now_ns) {
  std::deque<Waiting> asked;
  asked.swap(waiting_);
  for (Waiting& one : asked) {
    SpanContext context;
    switch (shared_.links->Resolve(one.span.span().exchange, now_ns, ids_, context)) {
      case Resolution::kPending: waiting_.push_back(std::move(one)); continue;
      case Resolution::kUnknown: context = NewTrace(); break;
      case Resolution::kReady: break;
    }
    Append(one.sinks, *one.resource, *one.scope, Fill(one.span.span(), context, nullptr));
  }
  asked_ns_ = now_ns;
}

SpanContext SpanOutput::NewTrace() {
  SpanContext context;
  context.trace_id = ids_.NewTraceId();
  context.span_id = ids_.NewSpanId();
  context.flags = kHasIsRemote | kNewTraceFlags;
  context.utc_offset_ns = utc_.offset_ns();
  return context;
}

std::uint64_t SpanOutput::due_ns() const {
  if (waiting_.empty()) return due_ns_;
  const std::uint64_t ask = asked_ns_ + kAskAgainNs;
  return due_ns_ == 0 ? ask : std::min(due_ns_, ask);
}

void SpanOutput::FlushIfDue(std::uint64_t now_ns) {
  if (!waiting_.empty() && now_ns >= asked_ns_ + kAskAgainNs) AskAgain(now_ns);
  if (due_ns_ != 0 && now_ns >= due_ns_) SealAll();
}

void SpanOutput::FlushBatches() {
  if (!waiting_.empty()) AskAgain(kTimeIsOver);
  SealAll();
}

void SpanOutput::SealAll() {
  due_ns_ = 0;
  for (auto& [mask, builder] : builders_)
    if (exporter::BatchPtr batch = builder->Seal()) shared_.deliver(mask, std::move(batch));
  for (auto& [mask, builder] : log_builders_)
    if (exporter::BatchPtr batch = builder->Seal()) shared_.deliver(mask, std::move(batch));
}

void SpanOutput::EmitMetric(const probe_metric_point_t& point) {
  const ResourcePtr resource = point.tgid == 0 ? shared_.resources->ForHost() : SourceOf(FactsOf(point.tgid)).resource;
  probe_measurement_t measurement{};
  measurement.instrument = point.instrument;
  measurement.value = point.value;
  shared_.metrics->Record(shard_, resource, {{&measurement, 1}, {point.attributes, point.attribute_count}});
}

void SpanOutput::EmitLog(const ModuleOutput& module, const probe_log_t& log) {
  const Source& source = SourceOf(FactsOf(log.tgid));
  const RouteDecision& route =
      route_cache_.Get(*routes_, module.id, module.name, source.resource->id, source.resource->service_name).ForLogs();
  if (route.reason == Unrouted::kDropped) return;
  exporter::LogRecord record;
  record.time_utc_ns = utc_.ToUtc(log.ktime_ns);
  record.observed_utc_ns = utc_.ToUtc(shared_.clock->KtimeNs());
  record.severity = log.severity;
  record.event_name = {log.event_name.ptr, log.event_name.len};
  record.body = {log.body.ptr, log.body.len};
  record.attributes = {log.attributes, log.attribute_count};
  SpanContext context;
  // A log line does not wait: the first question may be answered "ask again", the second never is.
  Resolution known = Resolution::kUnknown;
  if (log.exchange != 0) known = shared_.links->Resolve(log.exchange, now_ns_, ids_, context);
  if (known == Resolution::kPending) known = shared_.links->Resolve(log.exchange, kTimeIsOver, ids_, context);
  if (known == Resolution::kReady) {
    std::memcpy(record.trace_id, context.trace_id.data(), sizeof(record.trace_id));
    std::memcpy(record.span_id, context.span_id.data(), sizeof(record.span_id));
    record.trace_flags = context.flags & 0xffU;
  }
  LogBuilderOf(route.sinks).Append(*source.resource, *module.scope, record);
  NoteBatched();
}

}  // namespace probed::pipeline
