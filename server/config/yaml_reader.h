// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Binds YAML mappings to plain structs: each field is asked for by name, and what nobody asked for is an unknown key.
// Every problem is noted with its path; reading goes on, so that a user sees all of them at once.
#pragma once

#include <yaml-cpp/yaml.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/error_details.h"

namespace probed::config {

/// Value of an environment variable, nothing when unset.
using Environment = std::function<std::optional<std::string>(const std::string&)>;

/// What all readers of one document share.
struct YamlContext {
  Environment environment;
  std::vector<FieldViolation> violations;
  std::size_t nodes = 0;  // converted to JSON so far: aliases must not multiply without end

  void Fail(std::string path, std::string description) {
    violations.push_back({std::move(path), std::move(description)});
  }
};

/// Text of a scalar with ${env:NAME}, ${env:NAME:-default} and $$ replaced. Nothing (and a violation) on failure.
std::optional<std::string> ScalarText(YamlContext& context, const YAML::Node& node, const std::string& path);

/// A YAML value as JSON; plain scalars take the types of YAML's core schema.
nlohmann::json ToJson(YamlContext& context, const YAML::Node& node, const std::string& path);

/// One mapping. Ask for every field, then call Finish.
class MapReader {
 public:
  MapReader(YamlContext& context, const YAML::Node& node, std::string path);

  void Text(const char* key, std::string& out);
  void Bool(const char* key, bool& out);
  void Double(const char* key, double& out);
  void Duration(const char* key, std::chrono::milliseconds& out);
  void Texts(const char* key, std::vector<std::string>& out);
  void TextMap(const char* key, std::map<std::string, std::string>& out);

  template <typename T>
  void Number(const char* key, T& out) {
    if (const auto value = ReadNumber(key, std::numeric_limits<T>::max())) out = static_cast<T>(*value);
  }
  template <typename T>
  void Size(const char* key, T& out) {
    if (const auto value = ReadSize(key, std::numeric_limits<T>::max())) out = static_cast<T>(*value);
  }
  template <typename T>
  void Numbers(const char* key, std::vector<T>& out) {
    EachItem(key, [&](const YAML::Node& item, const std::string& path) {
      if (const auto value = NumberOf(item, path, std::numeric_limits<T>::max())) out.push_back(static_cast<T>(*value));
    });
  }
  /// One of several words, each standing for a value.
  template <typename T>
  void Word(const char* key, const std::vector<std::pair<std::string, T>>& words, T& out) {
    const YAML::Node* node = Ask(key);
    if (node != nullptr) WordOf(*node, PathOf(key), words, [&](T value) { out = value; });
  }
  template <typename T>
  void Words(const char* key, const std::vector<std::pair<std::string, T>>& words, std::vector<T>& out) {
    EachItem(key, [&](const YAML::Node& item, const std::string& path) {
      WordOf(item, path, words, [&](T value) { out.push_back(value); });
    });
  }

  /// Calls `each` for every item of a list of mappings.
  void Maps(const char* key, const std::function<void(MapReader&)>& each);
  /// A nested mapping; not called when the key is absent.
  void Map(const char* key, const std::function<void(MapReader&)>& read);
  void Json(const char* key, nlohmann::json& out);

  /// Reports every key that was never asked for.
  void Finish();
  const std::string& path() const { return path_; }

 private:
  const YAML::Node* Ask(const char* key);
  std::string PathOf(std::string_view key) const;
  void EachItem(const char* key, const std::function<void(const YAML::Node&, const std::string&)>& each);
  std::optional<std::uint64_t> ReadNumber(const char* key, std::uint64_t limit);
  std::optional<std::uint64_t> ReadSize(const char* key, std::uint64_t limit);
  std::optional<std::uint64_t> NumberOf(const YAML::Node& node, const std::string& path, std::uint64_t limit);
  void BadWord(const std::string& path, const std::string& text, const std::vector<std::string>& names);

  template <typename T, typename Use>
  void WordOf(const YAML::Node& node, const std::string& path, const std::vector<std::pair<std::string, T>>& words,
              Use use) {
    const auto text = ScalarText(context_, node, path);
    if (!text) return;
    std::vector<std::string> names;
    for (const auto& [name, value] : words) {
      if (name == *text) return use(value);
      names.push_back(name);
    }
    BadWord(path, *text, names);
  }

  YamlContext& context_;
  std::string path_;
  std::vector<std::pair<std::string, YAML::Node>> entries_;
  std::vector<std::string> asked_;
};

}  // namespace probed::config
