// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Conversations and the spans they must make: run whole, split at every byte, and with holes.
#pragma once

#include <string>
#include <vector>

#include "api/sdk/testing/drive.h"

namespace probed::mod::grpc::testing {

struct Vector {
  std::string name;
  std::vector<sdk::testing::Step> steps;
  std::vector<std::string> spans;  // Shown() of each, sorted
};

/// "server shop.Cart/Get OK -": kind, name, status code, error type. Of an HTTP span its path and status.
std::string Shown(const sdk::testing::RecordedSpan& span);
std::vector<std::string> Shown(const std::vector<sdk::testing::RecordedSpan>& spans);

/// Made anew each time: compressors have a state.
std::vector<Vector> Vectors();

}  // namespace probed::mod::grpc::testing
