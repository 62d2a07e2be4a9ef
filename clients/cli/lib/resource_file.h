// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Resources from files: YAML (or JSON, which is YAML too) with the keys of probed.yaml, into messages of the API. The
// keys are the names of the message's fields, so a new field needs no change here.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "probed/v1/types.pb.h"

namespace probed::cli {

/// What a file holds, and the etag it was read with, if it says one.
template <typename T>
struct FromFile {
  std::vector<T> items;
  std::string etag;
};

/// Each takes a list, a mapping with the section's name (the rest of a probed.yaml beside it is left alone) or, for
/// sinks, one sink. INVALID_ARGUMENT names every wrong place, one per line: "sinks[0].timeout: ...".
absl::StatusOr<FromFile<v1::Sink>> ParseSinks(const std::string& text);
absl::StatusOr<FromFile<v1::Route>> ParseRoutes(const std::string& text);
absl::StatusOr<FromFile<v1::Target>> ParseTargets(const std::string& text);

}  // namespace probed::cli
