// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// From a manifest's metrics to instruments of the aggregator. [control]
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "server/base/status.h"
#include "server/export/key_table.h"
#include "server/modules/manifest.h"
#include "server/pipeline/metrics_aggregator.h"

namespace probed::pipeline {

/// Ids by instrument name. Instruments that are fed by a map are left out. Errors: FAILED_PRECONDITION when another
/// module declares the name differently.
Result<std::map<std::string, std::uint32_t, std::less<>>> RegisterInstruments(const modules::Manifest& manifest,
                                                                              MetricsAggregator& metrics,
                                                                              exporter::KeyTable& keys);

}  // namespace probed::pipeline
