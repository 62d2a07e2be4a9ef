// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Conversations on one connection, as the server sees them, and the spans they must yield. Tests run each one whole,
// byte by byte, with holes, on both layers and from the client's side. The fuzzer starts from the same bytes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/sdk/testing/drive.h"

namespace probed::mod::http::testing {

struct Conversation {
  std::string name;
  std::vector<sdk::testing::Step> steps;
  /// "METHOD target status error.type"; "-" where there is none.
  std::vector<std::string> spans;
  std::optional<probe_close_reason> close = {};
  /// Whether the records may be cut into bytes (a record's flags and hint belong to it as a whole).
  bool splittable = true;
};

const std::vector<Conversation>& Conversations();

}  // namespace probed::mod::http::testing
