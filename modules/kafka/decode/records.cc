// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/kafka/decode/records.h"

#include <algorithm>
#include <limits>

#include "api/sdk/trace_context.h"

namespace probed::mod::kafka {
namespace {

//  0 base offset (8) | 8 length of what follows (4) | 12 leader epoch (4) | 16 magic (1) | 17 crc (4)
// 21 attributes (2) | 23 last offset delta (4) | 27 first and largest time (16) | 43 producer id (8)
// 51 producer epoch (2) | 53 base sequence (4) | 57 number of records (4) | 61 records
constexpr std::size_t kBeforeLength = 12;  // what a batch's length does not count
constexpr std::size_t kHeadSize = 61;
constexpr std::int8_t kMagic = 2;
constexpr std::uint16_t kCompression = 0x07;
constexpr std::uint16_t kControl = 0x20;  // markers of transactions, no messages

struct BatchHead {
  std::int64_t base_offset = 0;
  std::uint64_t size = 0;  // of the whole batch
  std::uint16_t attributes = 0;
  std::int32_t records = 0;
};

bool ReadHead(std::string_view bytes, BatchHead* out) {
  WireReader r(bytes, false);
  out->base_offset = r.Int64();
  const std::int32_t length = r.Int32();
  r.Skip(4);
  const std::int8_t magic = r.Int8();
  r.Skip(4);
  out->attributes = static_cast<std::uint16_t>(r.Int16());
  r.Skip(kHeadSize - 23 - 4);
  out->records = r.Int32();
  if (!r.ok() || magic != kMagic || length < 0 || out->records < 0) return false;
  out->size = kBeforeLength + static_cast<std::uint64_t>(length);
  return out->size >= kHeadSize;
}

struct Record {
  std::int64_t offset_delta = 0;
  bool has_key = false;
  bool has_value = false;
  std::string_view key;
};

void AddLink(std::string_view traceparent, std::string_view tracestate, Topics& topics, Batches* out) {
  if (topics.link_count == Topics::kMostLinks) return;
  probe_trace_context_t& link = topics.links[topics.link_count];
  link = {};
  if (!sdk::ParseTraceparent(traceparent, &link)) return;
  if (sdk::IsTracestate(tracestate)) link.state = {tracestate.data(), tracestate.size()};
  ++topics.link_count;
  ++out->links;
}

std::string_view VarintText(WireReader& r, bool* is_null) {
  const std::int64_t length = r.SignedVarint();
  return r.Take(length, is_null);
}

void ReadHeaders(WireReader& r, Topics& topics, Batches* out) {
  std::string_view traceparent;
  std::string_view tracestate;
  const std::int64_t count = r.SignedVarint();
  for (std::int64_t i = 0; i < count && r.ok(); ++i) {
    const std::string_view key = VarintText(r, nullptr);
    const std::string_view value = VarintText(r, nullptr);
    if (key == "traceparent") traceparent = value;
    if (key == "tracestate") tracestate = value;
  }
  if (r.ok() && !traceparent.empty()) AddLink(traceparent, tracestate, topics, out);
}

/// False: it does not read to its end.
bool ReadRecord(WireReader& r, Topics& topics, Batches* out, Record* record) {
  bool null_key = false;
  bool null_value = false;
  const std::int64_t size = r.SignedVarint();
  WireReader body(r.Take(size < 0 ? 0 : size, nullptr), false);
  if (!r.ok()) return false;
  body.Skip(1);
  body.SignedVarint();
  record->offset_delta = body.SignedVarint();
  record->key = VarintText(body, &null_key);
  VarintText(body, &null_value);
  ReadHeaders(body, topics, out);
  record->has_key = !null_key;
  record->has_value = !null_value;
  return body.ok();
}

/// No offset is negative, and within a batch they are counted in 32 bits from its base on.
bool HasOffset(const BatchHead& head, const Record& record) {
  constexpr std::int64_t kMostDelta = std::numeric_limits<std::int32_t>::max();
  constexpr std::int64_t kMostBase = std::numeric_limits<std::int64_t>::max() - kMostDelta;
  return head.base_offset >= 0 && head.base_offset <= kMostBase && record.offset_delta >= 0 &&
         record.offset_delta <= kMostDelta;
}

void ReadBody(std::string_view bytes, const BatchHead& head, Topics& topics, Batches* out) {
  WireReader r(bytes, false);
  Record record;
  std::int32_t read = 0;
  while (read < head.records && ReadRecord(r, topics, out, &record)) ++read;
  if (head.records != 1 || read != 1) return;
  out->has_offset = HasOffset(head, record);
  if (out->has_offset) out->offset = head.base_offset + record.offset_delta;
  out->has_key = record.has_key;
  out->key = record.key;
  out->tombstone = !record.has_value;
}

}  // namespace

void ReadRecords(WireReader& r, std::uint64_t length, Topics& topics, Batches* out) {
  std::uint64_t left = length;
  while (left >= kHeadSize && r.ok()) {  // the broker cuts a fetch anywhere: clients drop the rest
    BatchHead head;
    const std::string_view there =
        r.rest().substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left, r.remaining())));
    if (!ReadHead(there, &head)) {
      out->counted = false;  // an older format, or in a hole
      break;
    }
    if (head.size > left) break;
    const bool messages = (head.attributes & kControl) == 0;
    if (messages) out->messages += static_cast<std::uint64_t>(head.records);
    if (messages && (head.attributes & kCompression) == 0)
      ReadBody(there.substr(kHeadSize, static_cast<std::size_t>(head.size) - kHeadSize), head, topics, out);
    r.Pass(head.size);
    left -= head.size;
  }
  if (!r.ok() && left >= kHeadSize) out->counted = false;
  r.Pass(left);
}

}  // namespace probed::mod::kafka
