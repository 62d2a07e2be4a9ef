// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/kept_span.h"

namespace probed::pipeline {

KeptSpan::KeptSpan(const probe_span_t& span) : span_(span) {
  span_.name = Keep(span.name);
  span_.error_type = Keep(span.error_type);
  span_.measurements = nullptr;
  span_.measurement_count = 0;
  if (span.attribute_count != 0) attributes_.assign(span.attributes, span.attributes + span.attribute_count);
  for (probe_attribute_t& attribute : attributes_) KeepStrings(attribute);
  span_.attributes = attributes_.data();
  if (span.link_count != 0) links_.assign(span.links, span.links + span.link_count);
  for (probe_trace_context_t& link : links_) link.state = Keep(link.state);
  span_.links = links_.data();
}

probe_str_t KeptSpan::Keep(probe_str_t text) {
  if (text.len == 0) return {nullptr, 0};
  const std::string& kept = texts_.emplace_back(text.ptr, text.len);
  return {kept.data(), kept.size()};
}

void KeptSpan::KeepStrings(probe_attribute_t& attribute) {
  if (attribute.type == PROBE_ATTR_STRING) attribute.value.string = Keep(attribute.value.string);
  if (attribute.type != PROBE_ATTR_STRINGS || attribute.value.strings.count == 0) return;
  auto& [items, count] = attribute.value.strings;
  std::vector<probe_str_t>& kept = arrays_.emplace_back(items, items + count);
  for (probe_str_t& item : kept) item = Keep(item);
  items = kept.data();
}

}  // namespace probed::pipeline
