// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/otlp_response.h"

#include <time.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <protozero/pbf_reader.hpp>

#include "server/export/utf8.h"

namespace probed::exporter {
namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;
using std::chrono::milliseconds;

constexpr std::uint32_t Bytes(std::uint32_t field) {
  return protozero::tag_and_type(field, pbf_wire_type::length_delimited);
}
constexpr std::uint32_t Varint(std::uint32_t field) { return protozero::tag_and_type(field, pbf_wire_type::varint); }

constexpr std::size_t kMaxMessage = 1024;  // of what a receiver says about itself
// No receiver may silence us for longer than this.
constexpr std::int64_t kMaxDelaySeconds = 24 * 3600;

template <typename Visit>
void ForEachField(std::string_view message, Visit visit) {
  try {
    pbf_reader reader{message.data(), message.size()};
    while (reader.next()) visit(reader);
  } catch (const protozero::exception&) {
    return;  // the fields before the fault count
  }
}

std::string_view View(pbf_reader& reader) {
  const protozero::data_view view = reader.get_view();
  return {view.data(), view.size()};
}

milliseconds Bounded(std::int64_t seconds, std::int64_t nanos) {
  const std::int64_t whole = std::clamp<std::int64_t>(seconds, 0, kMaxDelaySeconds);
  return milliseconds(whole * 1000 + std::clamp<std::int64_t>(nanos, 0, 999'999'999) / 1'000'000);
}

// google.protobuf.Duration{1: seconds, 2: nanos}
milliseconds ReadDuration(std::string_view duration) {
  std::int64_t seconds = 0;
  std::int64_t nanos = 0;
  ForEachField(duration, [&](pbf_reader& reader) {
    switch (reader.tag_and_type()) {
      case Varint(1): seconds = reader.get_int64(); return;
      case Varint(2): nanos = reader.get_int32(); return;
      default: reader.skip();
    }
  });
  return Bounded(seconds, nanos);
}

// google.protobuf.Any{1: type_url, 2: value} around google.rpc.RetryInfo{1: retry_delay}
std::optional<milliseconds> ReadRetryInfo(std::string_view any) {
  std::string_view type;
  std::string_view value;
  ForEachField(any, [&](pbf_reader& reader) {
    switch (reader.tag_and_type()) {
      case Bytes(1): type = View(reader); return;
      case Bytes(2): value = View(reader); return;
      default: reader.skip();
    }
  });
  if (!type.ends_with("/google.rpc.RetryInfo")) return std::nullopt;
  std::optional<milliseconds> delay = milliseconds(0);
  ForEachField(value, [&](pbf_reader& reader) {
    if (reader.tag_and_type() == Bytes(1)) {
      delay = ReadDuration(View(reader));
    } else {
      reader.skip();
    }
  });
  return delay;
}

std::string Printable(std::string_view message) { return ToValidUtf8(message.substr(0, kMaxMessage)); }

void ReadPartialSuccess(std::string_view partial, AttemptResult& result) {
  ForEachField(partial, [&](pbf_reader& reader) {
    switch (reader.tag_and_type()) {
      case Varint(1):
        result.rejected = static_cast<std::uint64_t>(std::max<std::int64_t>(0, reader.get_int64()));
        return;
      case Bytes(2): result.message = Printable(View(reader)); return;
      default: reader.skip();
    }
  });
  if (result.rejected > 0 || !result.message.empty()) result.kind = AttemptResult::Kind::kPartial;
}

std::optional<std::int64_t> ParseHttpDate(const std::string& text) {
  for (const char* format : {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"}) {
    tm parts{};
    const char* end = strptime(text.c_str(), format, &parts);
    if (end != nullptr && *end == '\0') return timegm(&parts);
  }
  return std::nullopt;
}

}  // namespace

AttemptResult ParseExportResponse(std::string_view response) {
  AttemptResult result;
  ForEachField(response, [&](pbf_reader& reader) {
    if (reader.tag_and_type() == Bytes(1)) {
      ReadPartialSuccess(View(reader), result);
    } else {
      reader.skip();
    }
  });
  return result;
}

std::optional<milliseconds> ParseRetryInfo(std::string_view rpc_status) {
  std::optional<milliseconds> delay;
  ForEachField(rpc_status, [&](pbf_reader& reader) {
    if (reader.tag_and_type() != Bytes(3)) return reader.skip();
    if (const auto found = ReadRetryInfo(View(reader))) delay = found;
  });
  return delay;
}

std::string ParseRpcMessage(std::string_view rpc_status) {
  std::string message;
  ForEachField(rpc_status, [&](pbf_reader& reader) {
    if (reader.tag_and_type() == Bytes(2)) {
      message = Printable(View(reader));
    } else {
      reader.skip();
    }
  });
  return message;
}

std::optional<milliseconds> ParseRetryAfter(std::string_view value, std::int64_t now_utc_seconds) {
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (error == std::errc() && end == value.data() + value.size()) return Bounded(seconds, 0);
  const std::optional<std::int64_t> date = ParseHttpDate(std::string(value));
  if (!date) return std::nullopt;
  return Bounded(*date - now_utc_seconds, 0);
}

}  // namespace probed::exporter
