// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/otlp_reader.h"

#include <fmt/format.h>

#include <protozero/pbf_reader.hpp>

namespace probed::exporter {
namespace {

using protozero::pbf_reader;

pbf_reader Reader(std::string_view bytes) { return pbf_reader{bytes.data(), bytes.size()}; }

std::string_view View(pbf_reader& reader) {
  const protozero::data_view view = reader.get_view();
  return {view.data(), view.size()};
}

/// Runs `visit` on each field of a message; false when the bytes are malformed.
template <typename Visit>
bool ForEachField(std::string_view message, Visit visit) {
  try {
    pbf_reader reader = Reader(message);
    while (reader.next()) visit(reader);
    return true;
  } catch (const protozero::exception&) {
    return false;
  }
}

bool IsBytes(const pbf_reader& reader) { return reader.wire_type() == protozero::pbf_wire_type::length_delimited; }

/// The first occurrence of a length-delimited field.
std::string_view FindBytes(std::string_view message, std::uint32_t field) {
  std::string_view found;
  ForEachField(message, [&](pbf_reader& reader) {
    if (reader.tag() == field && IsBytes(reader) && found.data() == nullptr) {
      found = View(reader);
    } else {
      reader.skip();
    }
  });
  return found;
}

// All three signals: request{1: ResourceX{1: resource, 2: ScopeX{1: scope, 2: item}}}.
enum : std::uint32_t { kResourceX = 1, kResource = 1, kScopeX = 2, kScope = 1, kItem = 2 };

bool ForEachBytes(std::string_view message, std::uint32_t field, const std::function<bool(std::string_view)>& visit) {
  bool good = true;
  const bool read = ForEachField(message, [&](pbf_reader& reader) {
    if (reader.tag() == field && IsBytes(reader)) {
      good = visit(View(reader)) && good;
    } else {
      reader.skip();
    }
  });
  return read && good;
}

ValueView ReadValue(std::string_view any) {
  ValueView value;
  ForEachField(any, [&](pbf_reader& reader) {
    switch (reader.tag_and_type()) {
      case protozero::tag_and_type(1, protozero::pbf_wire_type::length_delimited): value = View(reader); return;
      case protozero::tag_and_type(2, protozero::pbf_wire_type::varint): value = reader.get_bool(); return;
      case protozero::tag_and_type(3, protozero::pbf_wire_type::varint): value = reader.get_int64(); return;
      case protozero::tag_and_type(4, protozero::pbf_wire_type::fixed64): value = reader.get_double(); return;
      case protozero::tag_and_type(5, protozero::pbf_wire_type::length_delimited):
        value = NestedValue{View(reader)};
        return;
      default: reader.skip();
    }
  });
  return value;
}

AttributeView ReadPair(std::string_view pair) { return {FindBytes(pair, 1), ReadValue(FindBytes(pair, 2))}; }

std::string NestedText(const NestedValue& nested) {
  std::string text;
  ForEachBytes(nested.encoded, 1, [&](std::string_view any) {
    text += text.empty() ? "" : ", ";
    text += ValueText(ReadValue(any));
    return true;
  });
  return "[" + text + "]";
}

std::uint32_t ReadStatus(std::string_view status) {
  std::uint32_t code = 0;
  ForEachField(status, [&](pbf_reader& reader) {
    if (reader.tag() == 3 && reader.wire_type() == protozero::pbf_wire_type::varint) {
      code = reader.get_uint32();
    } else {
      reader.skip();
    }
  });
  return code;
}

constexpr std::uint32_t Bytes(std::uint32_t field) {
  return protozero::tag_and_type(field, protozero::pbf_wire_type::length_delimited);
}
constexpr std::uint32_t Fixed64(std::uint32_t field) {
  return protozero::tag_and_type(field, protozero::pbf_wire_type::fixed64);
}
constexpr std::uint32_t Varint(std::uint32_t field) {
  return protozero::tag_and_type(field, protozero::pbf_wire_type::varint);
}

}  // namespace

bool ForEachItem(std::string_view request, const std::function<void(const ItemView&)>& visit) {
  return ForEachBytes(request, kResourceX, [&](std::string_view resource_x) {
    const std::string_view resource = FindBytes(resource_x, kResource);
    return ForEachBytes(resource_x, kScopeX, [&](std::string_view scope_x) {
      const std::string_view scope = FindBytes(scope_x, kScope);
      return ForEachBytes(scope_x, kItem, [&](std::string_view item) {
        visit({resource, scope, item});
        return true;
      });
    });
  });
}

std::vector<AttributeView> ReadAttributes(std::string_view message, std::uint32_t field) {
  std::vector<AttributeView> attributes;
  ForEachBytes(message, field, [&](std::string_view pair) {
    attributes.push_back(ReadPair(pair));
    return true;
  });
  return attributes;
}

std::string ValueText(const ValueView& value) {
  struct Printer {
    std::string operator()(std::monostate) const { return ""; }
    std::string operator()(std::string_view text) const { return std::string(text); }
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(double number) const { return fmt::format("{}", number); }
    std::string operator()(const NestedValue& nested) const { return NestedText(nested); }
  };
  return std::visit(Printer{}, value);
}

std::vector<AttributeView> ReadResourceAttributes(std::string_view resource) { return ReadAttributes(resource, 1); }

std::string_view ReadServiceName(std::string_view resource) {
  for (const AttributeView& attribute : ReadResourceAttributes(resource)) {
    if (attribute.key != "service.name") continue;
    if (const auto* name = std::get_if<std::string_view>(&attribute.value)) return *name;
  }
  return {};
}

ScopeView ReadScope(std::string_view scope) { return {FindBytes(scope, 1), FindBytes(scope, 2)}; }

SpanView ReadSpan(std::string_view message) {
  SpanView span;
  ForEachField(message, [&](pbf_reader& reader) {
    switch (reader.tag_and_type()) {
      case Bytes(1): span.trace_id = View(reader); return;
      case Bytes(2): span.span_id = View(reader); return;
      case Bytes(4): span.parent_span_id = View(reader); return;
      case Bytes(5): span.name = View(reader); return;
      case Varint(6): span.kind = reader.get_uint32(); return;
      case Fixed64(7): span.start_utc_ns = reader.get_fixed64(); return;
      case Fixed64(8): span.end_utc_ns = reader.get_fixed64(); return;
      case Bytes(9): span.attributes.push_back(ReadPair(View(reader))); return;
      case Bytes(15): span.status = ReadStatus(View(reader)); return;
      default: reader.skip();
    }
  });
  return span;
}

LogView ReadLog(std::string_view message) {
  LogView log;
  ForEachField(message, [&](pbf_reader& reader) {
    switch (reader.tag_and_type()) {
      case Fixed64(1): log.time_utc_ns = reader.get_fixed64(); return;
      case Varint(2): log.severity = reader.get_uint32(); return;
      case Bytes(5): log.body = ReadValue(View(reader)); return;
      case Bytes(6): log.attributes.push_back(ReadPair(View(reader))); return;
      case Bytes(12): log.event_name = View(reader); return;
      default: reader.skip();
    }
  });
  return log;
}

MetricView ReadMetric(std::string_view message) {
  MetricView metric;
  ForEachField(message, [&](pbf_reader& reader) {
    switch (reader.tag_and_type()) {
      case Bytes(1): metric.name = View(reader); return;
      case Bytes(3): metric.unit = View(reader); return;
      case Bytes(5):
      case Bytes(7):
      case Bytes(9): ForEachBytes(View(reader), 1, [&](std::string_view) { return ++metric.points > 0; }); return;
      default: reader.skip();
    }
  });
  return metric;
}

std::string_view SpanKindName(std::uint32_t kind) {
  switch (kind) {
    case PROBE_SPAN_INTERNAL: return "internal";
    case PROBE_SPAN_SERVER: return "server";
    case PROBE_SPAN_CLIENT: return "client";
    case PROBE_SPAN_PRODUCER: return "producer";
    case PROBE_SPAN_CONSUMER: return "consumer";
    default: return "";
  }
}

}  // namespace probed::exporter
