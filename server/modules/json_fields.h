// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Reads fields out of untrusted JSON: each getter checks presence, type and range, notes a violation with the full path
// and goes on, so that one pass reports everything that is wrong.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/error_details.h"

namespace probed::modules {

/// Greatest nesting of brackets outside strings: bounded before the parse, for what recurses after it.
std::size_t NestingDepth(std::string_view text);

class JsonFields {
 public:
  static constexpr std::size_t kMaxText = 4096;
  static constexpr std::size_t kMaxItems = 1024;
  static constexpr std::size_t kMaxViolations = 64;  // a hostile text could give one per byte

  /// LIFETIME: both arguments outlive this. `path` is empty for the top, else "programs[2]".
  JsonFields(const nlohmann::json& object, std::string path, std::vector<FieldViolation>& violations)
      : object_(object), path_(std::move(path)), violations_(violations) {}

  enum class Need : std::uint8_t { kOptional, kRequired };

  std::string Text(const char* key, Need need = Need::kOptional);
  bool Flag(const char* key, bool otherwise);
  std::uint32_t Number(const char* key, std::uint32_t otherwise, std::uint32_t max, Need need = Need::kOptional);
  double Real(const char* key, double otherwise);
  std::vector<std::string> Texts(const char* key);
  std::vector<double> Reals(const char* key);

  /// Index of the text in `words`; notes a violation that lists them when it is none of them.
  std::size_t Word(const char* key, const std::vector<std::string>& words, Need need, std::size_t otherwise = 0);

  /// Calls `read(JsonFields&)` for each object of the array `key`.
  template <typename F>
  void Each(const char* key, F&& read) {
    const nlohmann::json* list = Array(key);
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
      const std::string path = PathOf(key) + "[" + std::to_string(i) + "]";
      if (!(*list)[i].is_object()) {
        Violate(path, "must be an object");
        continue;
      }
      JsonFields fields((*list)[i], path, violations_);
      read(fields);
    }
  }

  /// The value of that key, whatever it is, or nullptr. Marks the key as known.
  const nlohmann::json* Get(const char* key);
  const nlohmann::json* Object(const char* key, Need need = Need::kOptional);

  /// Keys nobody asked for.
  std::vector<std::string> Unknown() const;

  void Fail(const char* key, std::string_view what) { Violate(PathOf(key), what); }
  std::string PathOf(const char* key) const { return path_.empty() ? key : path_ + "." + key; }
  std::vector<FieldViolation>& violations() { return violations_; }

 private:
  void Violate(const std::string& path, std::string_view what) {
    if (violations_.size() < kMaxViolations) violations_.push_back({path, std::string(what)});
  }
  const nlohmann::json* Array(const char* key);

  const nlohmann::json& object_;
  std::string path_;
  std::vector<FieldViolation>& violations_;
  std::set<std::string> asked_;
};

}  // namespace probed::modules
