// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Scalars of probed.yaml: environment substitution and the types of YAML's core schema.
#include <charconv>
#include <nlohmann/json.hpp>

#include "server/config/yaml_reader.h"

namespace probed::config {
namespace {

constexpr std::string_view kReference = "${env:";
constexpr int kDeepest = 64;
constexpr std::size_t kMostNodes = 100'000;

/// Replaces one reference "NAME" or "NAME:-default".
std::optional<std::string> Lookup(YamlContext& context, std::string_view reference, const std::string& path) {
  const std::size_t separator = reference.find(":-");
  const std::string name(reference.substr(0, separator));
  if (auto value = context.environment(name)) return value;
  if (separator != std::string_view::npos) return std::string(reference.substr(separator + 2));
  context.Fail(path, "environment variable " + name + " is not set; give a default with ${env:" + name + ":-value}");
  return std::nullopt;
}

std::optional<std::string> Substitute(YamlContext& context, std::string_view text, const std::string& path) {
  std::string out;
  while (!text.empty()) {
    const std::size_t dollar = text.find('$');
    out += text.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    text.remove_prefix(dollar);
    if (text.substr(0, kReference.size()) == kReference) {
      const std::size_t end = text.find('}');
      if (end == std::string_view::npos) {
        context.Fail(path, "${env: is not closed by }; write $$ for a dollar sign");
        return std::nullopt;
      }
      const auto value = Lookup(context, text.substr(kReference.size(), end - kReference.size()), path);
      if (!value) return std::nullopt;
      out += *value;
      text.remove_prefix(end + 1);
      continue;
    }
    out += '$';
    text.remove_prefix(text.substr(0, 2) == "$$" ? 2 : 1);
  }
  return out;
}

template <typename T>
std::optional<T> Exactly(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

nlohmann::json PlainScalar(const std::string& text) {
  if (text.empty() || text == "~" || text == "null") return nullptr;
  if (text == "true") return true;
  if (text == "false") return false;
  if (const auto integer = Exactly<std::int64_t>(text)) return *integer;
  const bool numeric = text.find_first_not_of("0123456789+-.eE") == std::string::npos;
  if (const auto number = Exactly<double>(text); numeric && number) return *number;
  return text;
}

nlohmann::json Convert(YamlContext& context, const YAML::Node& node, const std::string& path, int depth);

nlohmann::json ConvertMap(YamlContext& context, const YAML::Node& node, const std::string& path, int depth) {
  nlohmann::json object = nlohmann::json::object();
  for (const auto& entry : node) {
    if (!entry.first.IsScalar()) {
      context.Fail(path, "keys must be plain words");
      continue;
    }
    const std::string& key = entry.first.Scalar();
    const std::string child = path + "." + key;
    if (object.contains(key)) context.Fail(child, "given twice");
    object[key] = Convert(context, entry.second, child, depth + 1);
  }
  return object;
}

nlohmann::json Convert(YamlContext& context, const YAML::Node& node, const std::string& path, int depth) {
  if (depth > kDeepest || ++context.nodes > kMostNodes) {
    if (depth > kDeepest || context.nodes == kMostNodes + 1) context.Fail(path, "nested too deep or too large");
    return nullptr;
  }
  if (node.IsMap()) return ConvertMap(context, node, path, depth);
  if (node.IsSequence()) {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& item : node) {
      list.push_back(Convert(context, item, path + "[" + std::to_string(list.size()) + "]", depth + 1));
    }
    return list;
  }
  if (!node.IsScalar()) return nullptr;
  const auto text = Substitute(context, node.Scalar(), path);
  if (!text) return nullptr;
  const bool quoted = node.Tag() == "!";
  return quoted ? nlohmann::json(*text) : PlainScalar(*text);
}

}  // namespace

std::optional<std::string> ScalarText(YamlContext& context, const YAML::Node& node, const std::string& path) {
  if (!node.IsScalar()) {
    context.Fail(path, "must be a single value");
    return std::nullopt;
  }
  return Substitute(context, node.Scalar(), path);
}

nlohmann::json ToJson(YamlContext& context, const YAML::Node& node, const std::string& path) {
  return Convert(context, node, path, 0);
}

}  // namespace probed::config
