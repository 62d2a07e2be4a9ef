// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Reads a module's configuration (a JSON object) key by key and reports every problem with its path: wrong types,
// values out of range, and keys nobody asked for, with the nearest known one. [control] only; the hot path knows no
// JSON.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "api/sdk/host.h"

namespace probed::sdk {

/// Where field errors go; counts them, so that "no error" can be asked.
class FieldErrors {
 public:
  explicit FieldErrors(const probe_error_sink_t* sink) : sink_(sink) {}

  void Add(std::string_view path, std::string_view message) {
    ++count_;
    if (sink_ != nullptr) sink_->field(sink_->context, ToAbi(path), ToAbi(message));
  }
  bool empty() const { return count_ == 0; }

 private:
  const probe_error_sink_t* sink_;
  std::size_t count_ = 0;
};

/// Levenshtein distance.
inline std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

class ConfigReader {
 public:
  /// `json` must be an object; anything else is one error at the root.
  ConfigReader(std::string_view json, FieldErrors& errors) : errors_(errors) {
    root_ = nlohmann::json::parse(json.begin(), json.end(), nullptr, false);
    if (root_.is_discarded()) {
      errors_.Add("", "is not valid JSON");
    } else if (!root_.is_object()) {
      errors_.Add("", "must be an object");
    }
    if (!root_.is_object()) root_ = nlohmann::json::object();
  }

  /// Each getter leaves `out` as it is when the key is absent, so defaults stand in the struct.
  void Integer(const std::string& key, std::int64_t minimum, std::int64_t maximum, std::int64_t* out) {
    const nlohmann::json* value = Find(key);
    if (value == nullptr) return;
    if (!value->is_number_integer()) return errors_.Add(key, "must be an integer");
    const auto number = value->get<std::int64_t>();
    if (value->is_number_unsigned() && value->get<std::uint64_t>() > static_cast<std::uint64_t>(maximum)) {
      return errors_.Add(key, Range(minimum, maximum));
    }
    if (number < minimum || number > maximum) return errors_.Add(key, Range(minimum, maximum));
    *out = number;
  }

  void Boolean(const std::string& key, bool* out) {
    const nlohmann::json* value = Find(key);
    if (value == nullptr) return;
    if (!value->is_boolean()) return errors_.Add(key, "must be true or false");
    *out = value->get<bool>();
  }

  void Text(const std::string& key, std::string* out) {
    const nlohmann::json* value = Find(key);
    if (value == nullptr) return;
    if (!value->is_string()) return errors_.Add(key, "must be a string");
    *out = value->get<std::string>();
  }

  void Strings(const std::string& key, std::vector<std::string>* out) {
    const nlohmann::json* value = Find(key);
    if (value == nullptr) return;
    if (!value->is_array()) return errors_.Add(key, "must be a list of strings");
    out->clear();
    for (std::size_t i = 0; i < value->size(); ++i) {
      const nlohmann::json& item = (*value)[i];
      if (item.is_string()) {
        out->push_back(item.get<std::string>());
      } else {
        errors_.Add(Element(key, i), "must be a string");
        out->emplace_back();  // keeps later indexes true
      }
    }
  }

  /// Last: reports the keys that no getter asked for.
  void Finish() {
    for (const auto& [key, value] : root_.items()) {
      if (std::find(known_.begin(), known_.end(), key) == known_.end()) errors_.Add(key, Unknown(key));
    }
  }

  void Fail(std::string_view path, std::string_view message) { errors_.Add(path, message); }
  static std::string Element(std::string_view key, std::size_t index) {
    return std::string(key) + "[" + std::to_string(index) + "]";
  }

 private:
  const nlohmann::json* Find(const std::string& key) {
    known_.push_back(key);
    const auto it = root_.find(key);
    return it == root_.end() ? nullptr : &*it;
  }

  static std::string Range(std::int64_t minimum, std::int64_t maximum) {
    return "must be between " + std::to_string(minimum) + " and " + std::to_string(maximum);
  }

  std::string Unknown(std::string_view key) const {
    std::string_view nearest;
    std::size_t best = std::max<std::size_t>(key.size() / 2, 2) + 1;
    for (const std::string& known : known_) {
      if (const std::size_t distance = EditDistance(key, known); distance < best) {
        best = distance;
        nearest = known;
      }
    }
    if (nearest.empty()) return "unknown key";
    return "unknown key; did you mean \"" + std::string(nearest) + "\"?";
  }

  FieldErrors& errors_;
  nlohmann::json root_;
  std::vector<std::string> known_;
};

}  // namespace probed::sdk
