// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/config/yaml_reader.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "server/config/units.h"

namespace probed::config {
namespace {

template <typename T>
std::optional<T> Exactly(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string Suggestion(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string nearest = NearestWord(word, candidates);
  return nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?";
}

std::string Joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

}  // namespace

MapReader::MapReader(YamlContext& context, const YAML::Node& node, std::string path)
    : context_(context), path_(std::move(path)) {
  if (!node.IsDefined() || node.IsNull()) return;
  if (!node.IsMap()) {
    context_.Fail(path_, "must be a mapping of keys to values");
    return;
  }
  std::set<std::string> seen;
  for (const auto& entry : node) {
    if (!entry.first.IsScalar()) {
      context_.Fail(path_, "keys must be plain words");
      continue;
    }
    const std::string& key = entry.first.Scalar();
    if (!seen.insert(key).second) context_.Fail(PathOf(key), "given twice");
    entries_.emplace_back(key, entry.second);
  }
}

std::string MapReader::PathOf(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

/// The node of a key; null when the key is absent or has no value.
const YAML::Node* MapReader::Ask(const char* key) {
  asked_.emplace_back(key);
  for (const auto& [name, node] : entries_) {
    if (name == key) return node.IsNull() ? nullptr : &node;
  }
  return nullptr;
}

void MapReader::Text(const char* key, std::string& out) {
  const YAML::Node* node = Ask(key);
  if (node == nullptr) return;
  if (auto text = ScalarText(context_, *node, PathOf(key))) out = std::move(*text);
}

void MapReader::Bool(const char* key, bool& out) {
  static const std::vector<std::pair<std::string, bool>> kWords = {{"true", true}, {"false", false}};
  Word(key, kWords, out);
}

void MapReader::Double(const char* key, double& out) {
  const YAML::Node* node = Ask(key);
  if (node == nullptr) return;
  const auto text = ScalarText(context_, *node, PathOf(key));
  if (!text) return;
  const auto value = Exactly<double>(*text);
  if (!value) return context_.Fail(PathOf(key), "\"" + *text + "\" is not a number");
  out = *value;
}

void MapReader::Duration(const char* key, std::chrono::milliseconds& out) {
  const YAML::Node* node = Ask(key);
  if (node == nullptr) return;
  const auto text = ScalarText(context_, *node, PathOf(key));
  if (!text) return;
  const auto value = ParseDuration(*text);
  if (!value) return context_.Fail(PathOf(key), "\"" + *text + "\" is not a duration such as 5s, 200ms or 1h30m");
  out = *value;
}

std::optional<std::uint64_t> MapReader::NumberOf(const YAML::Node& node, const std::string& path, std::uint64_t limit) {
  const auto text = ScalarText(context_, node, path);
  if (!text) return std::nullopt;
  const auto value = Exactly<std::uint64_t>(*text);
  if (value && *value <= limit) return value;
  context_.Fail(path, "\"" + *text + "\" is not a whole number from 0 to " + std::to_string(limit));
  return std::nullopt;
}

std::optional<std::uint64_t> MapReader::ReadNumber(const char* key, std::uint64_t limit) {
  const YAML::Node* node = Ask(key);
  return node == nullptr ? std::nullopt : NumberOf(*node, PathOf(key), limit);
}

std::optional<std::uint64_t> MapReader::ReadSize(const char* key, std::uint64_t limit) {
  const YAML::Node* node = Ask(key);
  if (node == nullptr) return std::nullopt;
  const auto text = ScalarText(context_, *node, PathOf(key));
  if (!text) return std::nullopt;
  const auto value = ParseSize(*text);
  if (value && *value <= limit) return value;
  context_.Fail(PathOf(key), "\"" + *text + "\" is not a size such as 4096, 64KiB or 2MiB, or is too large");
  return std::nullopt;
}

void MapReader::EachItem(const char* key, const std::function<void(const YAML::Node&, const std::string&)>& each) {
  const YAML::Node* node = Ask(key);
  if (node == nullptr) return;
  if (!node->IsSequence()) return context_.Fail(PathOf(key), "must be a list");
  std::size_t index = 0;
  for (const auto& item : *node) each(item, PathOf(key) + "[" + std::to_string(index++) + "]");
}

void MapReader::Texts(const char* key, std::vector<std::string>& out) {
  EachItem(key, [&](const YAML::Node& item, const std::string& path) {
    if (auto text = ScalarText(context_, item, path)) out.push_back(std::move(*text));
  });
}

void MapReader::TextMap(const char* key, std::map<std::string, std::string>& out) {
  const YAML::Node* node = Ask(key);
  if (node == nullptr) return;
  MapReader map(context_, *node, PathOf(key));
  for (const auto& [name, value] : map.entries_) {
    if (auto text = ScalarText(context_, value, map.PathOf(name))) out[name] = std::move(*text);
  }
}

void MapReader::Maps(const char* key, const std::function<void(MapReader&)>& each) {
  EachItem(key, [&](const YAML::Node& item, const std::string& path) {
    MapReader reader(context_, item, path);
    each(reader);
    reader.Finish();
  });
}

void MapReader::Map(const char* key, const std::function<void(MapReader&)>& read) {
  const YAML::Node* node = Ask(key);
  if (node == nullptr) return;
  MapReader reader(context_, *node, PathOf(key));
  read(reader);
  reader.Finish();
}

void MapReader::Json(const char* key, nlohmann::json& out) {
  const YAML::Node* node = Ask(key);
  if (node != nullptr) out = ToJson(context_, *node, PathOf(key));
}

void MapReader::BadWord(const std::string& path, const std::string& text, const std::vector<std::string>& names) {
  context_.Fail(path, "\"" + text + "\" is none of " + Joined(names) + Suggestion(text, names));
}

void MapReader::Finish() {
  for (const auto& [name, node] : entries_) {
    if (std::find(asked_.begin(), asked_.end(), name) != asked_.end()) continue;
    context_.Fail(PathOf(name), "unknown key" + Suggestion(name, asked_));
  }
}

}  // namespace probed::config
