// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/host_table.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <string>

#include "server/base/clock.h"
#include "server/base/thread_tags.h"
#include "server/pipeline/module_feed.h"

namespace probed::pipeline {
namespace {

constexpr std::uint64_t kLogIntervalNs = 1'000'000'000;
constexpr std::uint32_t kLogBurst = 20;
constexpr std::size_t kLongestLogLine = 1024;

std::string_view View(probe_str_t text) { return {text.ptr, text.len}; }

/// A module's log lines per second, over all modules: a decoder fed with hostile bytes must not fill the disk.
bool MayLog() {
  static std::atomic<std::uint64_t> window{0};
  static std::atomic<std::uint32_t> lines{0};
  const std::uint64_t now = SystemClock().KtimeNs() / kLogIntervalNs;
  if (window.exchange(now, std::memory_order_relaxed) != now) lines.store(0, std::memory_order_relaxed);
  return lines.fetch_add(1, std::memory_order_relaxed) < kLogBurst;
}

std::uint32_t InternKey(probe_host_context_t* context, probe_str_t key) { return context->keys->Intern(View(key)); }

std::uint32_t InternInstrument(probe_host_context_t* context, probe_str_t name) {
  const auto found = context->instruments.find(View(name));
  return found == context->instruments.end() ? 0 : found->second;
}

void Log(probe_host_context_t* context, std::uint32_t level, probe_str_t text) {
  if (!MayLog()) return;
  static constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::debug, spdlog::level::info,
                                                          spdlog::level::warn, spdlog::level::err};
  std::string line(View(text).substr(0, kLongestLogLine));
  std::replace_if(line.begin(), line.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  spdlog::log(kLevels[std::min<std::uint32_t>(level, 3)], "module {}: {}", context->module, line);
}

const void* GetExtension(probe_host_context_t* /*context*/, probe_str_t id) {
  static constexpr probe_clock_t kClock = {sizeof(probe_clock_t), 0,
                                           [](probe_host_context_t*) { return SystemClock().UtcNs(); }};
  static constexpr probe_unread_t kUnread = {sizeof(probe_unread_t), 0,
                                             [](probe_stream_t* stream) { stream->feed->Unread(*stream); }};
  static constexpr probe_plaintext_t kPlaintext = {
      sizeof(probe_plaintext_t), 0,
      [](probe_stream_t* stream, const std::uint8_t* name) { stream->feed->NamePlaintext(*stream, name); }};
  if (View(id) == PROBE_EXTENSION_UNREAD) return &kUnread;
  if (View(id) == PROBE_EXTENSION_PLAINTEXT) return &kPlaintext;
  return View(id) == PROBE_EXTENSION_CLOCK ? &kClock : nullptr;
}

void* StreamAlloc(probe_stream_t* stream, std::size_t size) { return stream->feed->Allocate(*stream, size); }
void StreamFree(probe_stream_t* stream, void* memory, std::size_t /*size*/) { stream->feed->Free(*stream, memory); }

std::uint64_t ExchangeBegin(probe_stream_t* stream, const probe_exchange_t* exchange) {
  return stream->feed->BeginExchange(*stream, *exchange);
}

probe_result_t EmitSpan(probe_stream_t* stream, const probe_span_t* span) {
  return stream->feed->EmitSpan(*stream, *span);
}

void ExchangeAbort(probe_stream_t* stream, std::uint64_t exchange, std::uint32_t reason) {
  stream->feed->AbortExchange(*stream, exchange, reason);
}

void Count(probe_stream_t* stream, std::uint32_t reason) { stream->feed->Count(reason); }
void NotMine(probe_stream_t* stream) { stream->feed->NotMine(*stream); }

probe_result_t HandOver(probe_stream_t* stream, std::uint64_t offset, probe_str_t module) {
  return stream->feed->HandOver(*stream, offset, View(module));
}

void EmitMetric(probe_shard_context_t* shard, const probe_metric_point_t* point) { shard->feed->EmitMetric(*point); }
void EmitLog(probe_shard_context_t* shard, const probe_log_t* log) { shard->feed->EmitLog(*log); }
probe_stream_t* ShardStream(probe_shard_context_t* shard) { return shard->feed->own_stream(); }
const probe_open_t* StreamOpen(const probe_stream_t* stream) { return stream->has_open ? &stream->open : nullptr; }

std::int32_t OnThread(probe_host_context_t* /*context*/, probe_str_t tag) {
  return ThreadTagName(CurrentThreadTag()) == View(tag) ? 1 : 0;
}

}  // namespace

HostTable::HostTable(std::string module, exporter::KeyTable& keys,
                     std::map<std::string, std::uint32_t, std::less<>> instruments)
    : context_{.module = std::move(module), .keys = &keys, .instruments = std::move(instruments)} {
  table_.struct_size = sizeof(table_);
  table_.abi_minor = PROBE_ABI_MINOR;
  table_.context = &context_;
  table_.intern_key = InternKey;
  table_.intern_instrument = InternInstrument;
  table_.log = Log;
  table_.get_extension = GetExtension;
  table_.stream_alloc = StreamAlloc;
  table_.stream_free = StreamFree;
  table_.exchange_begin = ExchangeBegin;
  table_.emit_span = EmitSpan;
  table_.exchange_abort = ExchangeAbort;
  table_.count = Count;
  table_.not_mine = NotMine;
  table_.hand_over = HandOver;
  table_.emit_metric = EmitMetric;
  table_.emit_log = EmitLog;
  table_.shard_stream = ShardStream;
  table_.stream_open = StreamOpen;
  table_.on_thread = OnThread;
}

}  // namespace probed::pipeline
