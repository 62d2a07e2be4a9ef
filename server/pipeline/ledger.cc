// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/ledger.h"

namespace probed::pipeline {

std::string_view ReasonName(std::uint32_t reason) {
  static constexpr std::array<std::string_view, PROBE_REASON_COUNT> kNames = {
      "ignored.body",      "ignored.configured",    "ignored.after_upgrade", "undecodable.malformed",
      "undecodable.gap",   "undecodable.truncated", "aborted.close",         "aborted.gap",
      "aborted.unmatched", "aborted.unload",        "evicted.memory"};
  return reason < kNames.size() ? kNames[reason] : "unknown";
}

}  // namespace probed::pipeline
