// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// UTF-8 as OTLP needs it: every string on the wire is valid. What came off a socket need not be.
#pragma once

#include <string>
#include <string_view>

namespace probed::exporter {

bool IsValidUtf8(std::string_view text);

/// `text` with each maximal invalid part replaced by U+FFFD (the practice Unicode recommends, chapter 3.9).
std::string ToValidUtf8(std::string_view text);

}  // namespace probed::exporter
