// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/instruments.h"

#include "server/export/resource.h"

namespace probed::pipeline {
namespace {

InstrumentKind ToKind(modules::InstrumentKind kind) {
  switch (kind) {
    case modules::InstrumentKind::kCounter: return InstrumentKind::kCounter;
    case modules::InstrumentKind::kUpDownCounter: return InstrumentKind::kUpDownCounter;
    case modules::InstrumentKind::kGauge: return InstrumentKind::kGauge;
    case modules::InstrumentKind::kHistogram: return InstrumentKind::kHistogram;
  }
  return InstrumentKind::kCounter;
}

InstrumentSpec ToSpec(const modules::ManifestInstrument& from, const modules::Manifest& manifest,
                      exporter::KeyTable& keys) {
  InstrumentSpec spec;
  spec.name = from.name;
  spec.unit = from.unit;
  spec.description = from.description;
  spec.kind = ToKind(from.instrument);
  spec.bounds = from.buckets;
  for (const std::string& attribute : from.attributes) spec.attributes.push_back({keys.Intern(attribute), attribute});
  spec.scope =
      std::make_shared<const exporter::Scope>(exporter::MakeScope(0, "probed." + manifest.name, manifest.version));
  return spec;
}

}  // namespace

Result<std::map<std::string, std::uint32_t, std::less<>>> RegisterInstruments(const modules::Manifest& manifest,
                                                                              MetricsAggregator& metrics,
                                                                              exporter::KeyTable& keys) {
  std::map<std::string, std::uint32_t, std::less<>> ids;
  for (const modules::ManifestInstrument& instrument : manifest.metrics) {
    if (!instrument.map.empty()) continue;
    ASSIGN_OR_RETURN(ids[instrument.name], metrics.Declare(ToSpec(instrument, manifest, keys)));
  }
  return ids;
}

}  // namespace probed::pipeline
