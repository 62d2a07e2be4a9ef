// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// One line for one item of Tail: what a human wants to see of a span, data point or log record. Knows no protocol:
// which attributes are shown follows from general rules.
#pragma once

#include <string>

#include "clients/cli/lib/table.h"
#include "probed/v1/observe.pb.h"

namespace probed::cli {

struct LineStyle {
  Terminal terminal;
  bool wide = false;  // all attributes and ids, never cut
  bool utc = false;   // times of day in UTC instead of the local zone
};

/// time service KIND name status duration attributes. Without a newline. Escaped.
std::string ItemLine(const v1::TailItem& item, const LineStyle& style);

}  // namespace probed::cli
