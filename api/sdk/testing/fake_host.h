// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A host for unit tests of modules: implements the whole host table, keeps what the module reports as readable values
// and checks the ledger (opened = spans + aborted + in flight) and that constant attributes are. One FakeHost per test;
// one definition of probe_stream per test program, so include it in tests only.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/sdk/host.h"

namespace probed::sdk::testing {
class FakeHost;
}  // namespace probed::sdk::testing

struct probe_stream {
  probed::sdk::testing::FakeHost* host = nullptr;
  probe_open_t open{};
  bool opened = false;
  void* state = nullptr;  // the word a module keeps per stream
  bool not_mine = false;
  bool unread = false;
  std::string plaintext_name;  // of plaintext that is whole
  std::string handed_to;
  std::int64_t counted = -1;                           // reason given in the call now running
  std::map<std::uint32_t, std::string> constant_sets;  // attributes by number, as text
};

namespace probed::sdk::testing {

/// A span as a test wants to read it. Values of attributes are text: "GET", "200", "true", "[a,b]".
struct RecordedSpan {
  std::uint64_t exchange = 0;
  std::uint32_t kind = 0;
  std::string name;
  std::uint64_t start_ns = 0;
  std::uint64_t end_ns = 0;
  std::uint32_t status = 0;
  std::string error_type;
  std::map<std::string, std::string> attributes;
  std::map<std::string, double> measurements;
  std::vector<std::string> links;  // "trace id-span id", in hex

  std::string Get(const std::string& key) const {
    const auto it = attributes.find(key);
    return it == attributes.end() ? "" : it->second;
  }
  bool Has(const std::string& key) const { return attributes.contains(key); }
};

struct RecordedExchange {
  probe_exchange_t raw{};
  std::string tracestate;
  std::int64_t aborted = -1;  // reason; -1: not aborted
  bool spanned = false;
};

struct RecordedPoint {
  std::string instrument;
  double value = 0;
  std::uint32_t tgid = 0;
  std::map<std::string, std::string> attributes;
};

class FakeHost {
 public:
  FakeHost() {
    table_.struct_size = sizeof(table_);
    table_.abi_minor = PROBE_ABI_MINOR;
    table_.context = reinterpret_cast<probe_host_context_t*>(this);
    table_.intern_key = [](probe_host_context_t* c, probe_str_t key) { return Of(c).Intern(FromAbi(key)); };
    table_.intern_instrument = [](probe_host_context_t* c, probe_str_t name) { return Of(c).Intern(FromAbi(name)); };
    table_.log = [](probe_host_context_t* c, std::uint32_t, probe_str_t text) {
      Of(c).logs.emplace_back(FromAbi(text));
    };
    table_.get_extension = [](probe_host_context_t*, probe_str_t id) -> const void* {
      static constexpr probe_clock_t kClock = {sizeof(probe_clock_t), 0,
                                               [](probe_host_context_t* c) { return Of(c).utc_ns; }};
      static constexpr probe_unread_t kUnread = {sizeof(probe_unread_t), 0,
                                                 [](probe_stream_t* s) { s->unread = true; }};
      static constexpr probe_plaintext_t kPlaintext = {
          sizeof(probe_plaintext_t), 0, [](probe_stream_t* s, const std::uint8_t* name) {
            s->plaintext_name.assign(reinterpret_cast<const char*>(name), PROBE_PLAINTEXT_NAME_BYTES);
          }};
      if (FromAbi(id) == PROBE_EXTENSION_PLAINTEXT) return &kPlaintext;
      if (FromAbi(id) == PROBE_EXTENSION_UNREAD) return &kUnread;
      return FromAbi(id) == PROBE_EXTENSION_CLOCK ? &kClock : nullptr;
    };
    table_.stream_alloc = [](probe_stream_t* s, std::size_t size) { return s->host->Alloc(size); };
    table_.stream_free = [](probe_stream_t* s, void* memory, std::size_t size) { s->host->Free(memory, size); };
    table_.exchange_begin = [](probe_stream_t* s, const probe_exchange_t* e) { return s->host->Begin(*e); };
    table_.emit_span = [](probe_stream_t* s, const probe_span_t* span) { return s->host->Emit(*s, *span); };
    table_.exchange_abort = [](probe_stream_t* s, std::uint64_t id, std::uint32_t r) { s->host->AbortExchange(id, r); };
    table_.count = [](probe_stream_t* s, std::uint32_t reason) { s->counted = reason; };
    table_.not_mine = [](probe_stream_t* s) { s->not_mine = true; };
    table_.hand_over = [](probe_stream_t* s, std::uint64_t, probe_str_t name) {
      s->handed_to = std::string(FromAbi(name));
      return probe_result_t{PROBE_OK};
    };
    table_.emit_metric = [](probe_shard_context_t* c, const probe_metric_point_t* p) {
      reinterpret_cast<FakeHost*>(c)->Add(*p);
    };
    table_.emit_log = [](probe_shard_context_t*, const probe_log_t*) {};
    table_.shard_stream = [](probe_shard_context_t* c) { return reinterpret_cast<FakeHost*>(c)->NewStream(); };
    table_.stream_open = [](const probe_stream_t* s) -> const probe_open_t* { return s->opened ? &s->open : nullptr; };
    table_.on_thread = [](probe_host_context_t*, probe_str_t) { return std::int32_t{1}; };
  }
  FakeHost(const FakeHost&) = delete;
  FakeHost& operator=(const FakeHost&) = delete;
  ~FakeHost() {
    for (const auto& [memory, size] : blocks_) std::free(memory);
  }

  const probe_host_t* table() const { return &table_; }
  probe_shard_context_t* shard_context() { return reinterpret_cast<probe_shard_context_t*>(this); }
  probe_stream_t* NewStream() {
    streams_.emplace_back();
    streams_.back().host = this;
    return &streams_.back();
  }

  /// What it was told is gone; interned names and what the test has set stay. No stream may be in use.
  void Forget() {
    exchanges.clear();
    spans.clear();
    points.clear();
    logs.clear();
    counted.clear();
    streams_.clear();
    used = constant_spans = aborted_ = in_flight_ = 0;
    problem_.clear();
  }

  std::uint64_t opened() const { return exchanges.size(); }
  std::uint64_t aborted() const { return aborted_; }
  std::uint64_t in_flight() const { return in_flight_; }
  /// Empty when opened = spans + aborted + in flight and nothing was ended twice or without being opened.
  std::string LedgerProblem() const {
    if (!problem_.empty()) return problem_;
    return opened() == spans.size() + aborted_ + in_flight_ ? "" : "exchanges do not add up";
  }
  std::size_t blocks() const { return blocks_.size(); }
  std::size_t bytes() const { return bytes_; }
  std::uint64_t Aborts(probe_reason reason) const {
    std::uint64_t count = 0;
    for (const RecordedExchange& e : exchanges) count += e.aborted == reason ? 1 : 0;
    return count;
  }
  std::uint64_t Counted(probe_reason reason) const {
    const auto it = counted.find(reason);
    return it == counted.end() ? 0 : it->second;
  }
  std::string KeyName(std::uint32_t key) const { return key == 0 || key > keys_.size() ? "?" : keys_[key - 1]; }

  std::deque<RecordedExchange> exchanges;  // id = index + 1
  std::vector<RecordedSpan> spans;
  std::vector<RecordedPoint> points;
  std::vector<std::string> logs;
  std::uint64_t utc_ns = 1'767'225'600'000'000'000;  // what the clock says: 2026-01-01
  std::map<std::uint32_t, std::uint64_t> counted;    // records by reason; those not counted were used
  std::uint64_t used = 0;
  std::uint64_t constant_spans = 0;  // that said which of their attributes are constant
  std::size_t memory_limit = std::size_t{64} << 20U;
  bool keep_spans = true;  // false: only the ledger (for measuring)

 private:
  static FakeHost& Of(probe_host_context_t* context) { return *reinterpret_cast<FakeHost*>(context); }

  std::uint32_t Intern(std::string_view text) {
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      if (keys_[i] == text) return static_cast<std::uint32_t>(i + 1);
    }
    keys_.emplace_back(text);
    return static_cast<std::uint32_t>(keys_.size());
  }

  void* Alloc(std::size_t size) {
    if (bytes_ + size > memory_limit) return nullptr;
    void* memory = std::calloc(1, size);
    blocks_[memory] = size;
    bytes_ += size;
    return memory;
  }

  void Free(void* memory, std::size_t size) {
    const auto it = blocks_.find(memory);
    if (it == blocks_.end() || it->second != size) {
      problem_ = "stream_free of memory or size that was not given";
      return;
    }
    bytes_ -= size;
    blocks_.erase(it);
    std::free(memory);
  }

  std::uint64_t Begin(const probe_exchange_t& exchange) {
    exchanges.push_back({exchange, std::string(FromAbi(exchange.remote.state))});
    ++in_flight_;
    return exchanges.size();
  }

  bool End(std::uint64_t id) {
    if (id == 0 || id > exchanges.size()) {
      problem_ = "an exchange was ended that was never opened";
      return false;
    }
    if (exchanges[id - 1].spanned || exchanges[id - 1].aborted >= 0) {
      problem_ = "an exchange was ended twice";
      return false;
    }
    --in_flight_;
    return true;
  }

  void AbortExchange(std::uint64_t id, std::uint32_t reason) {
    if (!End(id)) return;
    exchanges[id - 1].aborted = reason;
    ++aborted_;
  }

  probe_result_t Emit(probe_stream& stream, const probe_span_t& span) {
    if (!End(span.exchange)) return PROBE_INVALID;
    if (span.constant_set != 0) CheckConstant(stream, span);
    exchanges[span.exchange - 1].spanned = true;
    spans.push_back(Record(span));
    return PROBE_OK;
  }

  void CheckConstant(probe_stream& stream, const probe_span_t& span) {
    std::string text;
    for (std::uint32_t i = 0; i < span.constant_count && i < span.attribute_count; ++i) {
      text += KeyName(span.attributes[i].key) + "=" + Text(span.attributes[i]) + "\n";
    }
    const auto [known, added] = stream.constant_sets.try_emplace(span.constant_set, text);
    if (known->second != text) problem_ = "constant attributes changed under their number";
    if (span.constant_count > span.attribute_count) problem_ = "more constant attributes than there are";
    ++constant_spans;
  }

  RecordedSpan Record(const probe_span_t& span) const {
    RecordedSpan out;
    out.exchange = span.exchange;
    if (!keep_spans) return out;
    out.kind = span.kind;
    out.name = FromAbi(span.name);
    out.start_ns = span.start_ns;
    out.end_ns = span.end_ns;
    out.status = span.status;
    out.error_type = FromAbi(span.error_type);
    for (std::uint32_t i = 0; i < span.attribute_count; ++i) {
      out.attributes[KeyName(span.attributes[i].key)] = Text(span.attributes[i]);
    }
    for (std::size_t i = 0; i < span.measurement_count; ++i) {
      out.measurements[KeyName(span.measurements[i].instrument)] = span.measurements[i].value;
    }
    for (std::size_t i = 0; i < span.link_count; ++i) {
      out.links.push_back(Hex(span.links[i].trace_id) + "-" + Hex(span.links[i].span_id));
    }
    return out;
  }

  template <std::size_t N>
  static std::string Hex(const std::uint8_t (&bytes)[N]) {
    std::string out;
    for (const std::uint8_t byte : bytes) {
      out += "0123456789abcdef"[byte >> 4U];
      out += "0123456789abcdef"[byte & 0x0fU];
    }
    return out;
  }

  void Add(const probe_metric_point_t& point) {
    if (!keep_spans) return;
    RecordedPoint out{KeyName(point.instrument), point.value, point.tgid, {}};
    for (std::uint32_t i = 0; i < point.attribute_count; ++i) {
      out.attributes[KeyName(point.attributes[i].key)] = Text(point.attributes[i]);
    }
    points.push_back(std::move(out));
  }

  static std::string Text(const probe_attribute_t& attribute) {
    switch (attribute.type) {
      case PROBE_ATTR_STRING: return std::string(FromAbi(attribute.value.string));
      case PROBE_ATTR_INT: return std::to_string(attribute.value.integer);
      case PROBE_ATTR_DOUBLE: return std::to_string(attribute.value.number);
      case PROBE_ATTR_BOOL: return attribute.value.boolean != 0 ? "true" : "false";
      case PROBE_ATTR_STRINGS: break;
      default: return "?";
    }
    std::string out = "[";
    for (std::size_t i = 0; i < attribute.value.strings.count; ++i) {
      out += (i == 0 ? "" : ",") + std::string(FromAbi(attribute.value.strings.items[i]));
    }
    return out + "]";
  }

  probe_host_t table_{};
  std::deque<probe_stream> streams_;
  std::vector<std::string> keys_;
  std::map<void*, std::size_t> blocks_;
  std::size_t bytes_ = 0;
  std::uint64_t aborted_ = 0;
  std::uint64_t in_flight_ = 0;
  std::string problem_;
};

}  // namespace probed::sdk::testing
