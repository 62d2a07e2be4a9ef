// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/base/error_details.h"

#include <absl/strings/cord.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

namespace probed {
namespace {

constexpr std::string_view kPayloadType = "probed.ErrorDetails";

std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row[b.size()];
}

}  // namespace

Status MakeError(absl::StatusCode code, std::string_view message, ErrorDetails details) {
  nlohmann::json fields = nlohmann::json::array();
  for (const FieldViolation& field : details.fields) fields.push_back({field.path, field.description});
  const nlohmann::json payload = {
      {"reason", details.reason}, {"metadata", details.metadata}, {"fields", fields}, {"log_tail", details.log_tail}};
  const std::string text = payload.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  Status status = MakeStatus(code, message);
  // As a view: Cord's constructor for std::string is a template whose symbol clang and gcc spell differently.
  status.SetPayload(ToAbsl(kPayloadType), absl::Cord(ToAbsl(text)));
  return status;
}

ErrorDetails GetErrorDetails(const Status& status) {
  const auto payload = status.GetPayload(ToAbsl(kPayloadType));
  if (!payload) return {};
  const nlohmann::json json = nlohmann::json::parse(std::string(*payload));
  ErrorDetails details;
  details.reason = json.at("reason");
  details.metadata = json.at("metadata");
  details.log_tail = json.at("log_tail");
  for (const auto& field : json.at("fields")) details.fields.push_back({field.at(0), field.at(1)});
  return details;
}

std::string NearestWord(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = EditDistance(word, candidate);
    if (distance >= best_distance) continue;
    best_distance = distance;
    best = candidate;
  }
  return best;
}

}  // namespace probed
