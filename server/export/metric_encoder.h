// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// MetricSnapshot → ExportMetricsServiceRequest.
#pragma once

#include <vector>

#include "server/export/batch.h"
#include "server/export/metrics_snapshot.h"

namespace probed::exporter {

/// One batch, or several when one would grow past kMaxBatchBytes; none when there are no points. Metrics without
/// points, resource or scope are left out. `items` counts data points.
std::vector<BatchPtr> EncodeMetrics(const MetricSnapshot& snapshot);

}  // namespace probed::exporter
