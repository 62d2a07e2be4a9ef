// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/lib/settings.h"

#include <yaml-cpp/yaml.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <utility>

namespace probed::cli {
namespace {

/// The names between the dots; empty when one of them is.
std::vector<std::string> SplitKey(std::string_view key) {
  std::vector<std::string> names(1);
  for (std::size_t i = 0; i < key.size(); ++i) {
    if (key[i] == '\\' && i + 1 < key.size() && key[i + 1] == '.') {
      names.back() += key[++i];
    } else if (key[i] == '.') {
      names.emplace_back();
    } else {
      names.back() += key[i];
    }
  }
  for (const std::string& name : names) {
    if (name.empty()) return {};
  }
  return names;
}

absl::Status BadKey(std::string_view key) {
  return absl::InvalidArgumentError("\"" + std::string(key) + "\" is no key; write key=value, with dots to nest");
}

Json ValueOf(std::string_view text) {
  Json value = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  return value.is_discarded() ? Json(std::string(text)) : value;
}

template <typename Number>
bool ParseAll(const std::string& text, Number& value) {
  const char* begin = text.data() + (text.size() > 1 && text.front() == '+' ? 1 : 0);
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(begin, end, value);
  return parsed.ec == std::errc() && parsed.ptr == end;
}

Json FromYaml(const YAML::Node& node);

Json FromSequence(const YAML::Node& node) {
  Json list = Json::array();
  for (const YAML::Node& item : node) list.push_back(FromYaml(item));
  return list;
}

Json FromMap(const YAML::Node& node) {
  Json object = Json::object();
  for (const auto& entry : node) object[entry.first.as<std::string>()] = FromYaml(entry.second);
  return object;
}

Json FromYaml(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Sequence: return FromSequence(node);
    case YAML::NodeType::Map: return FromMap(node);
    case YAML::NodeType::Scalar: break;
    case YAML::NodeType::Undefined:
    case YAML::NodeType::Null: return nullptr;
  }
  // yaml-cpp marks scalars written with quotes by the tag "!".
  return node.Tag() == "!" ? Json(node.Scalar()) : ResolvePlainScalar(node.Scalar());
}

absl::StatusOr<Json> ParseYaml(const std::string& text, const std::string& origin) {
  try {
    return FromYaml(YAML::Load(text));
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(origin + ": " + error.what());
  }
}

}  // namespace

absl::Status ApplySet(Json& object, std::string_view assignment) {
  const std::size_t equals = assignment.find('=');
  const std::vector<std::string> names = SplitKey(assignment.substr(0, equals));
  if (equals == std::string_view::npos || names.empty()) return BadKey(assignment);
  Json* place = &object;
  for (const std::string& name : names) {
    if (!place->is_object()) *place = Json::object();
    place = &(*place)[name];
  }
  *place = ValueOf(assignment.substr(equals + 1));
  return absl::OkStatus();
}

absl::Status ApplyUnset(Json& object, std::string_view key) {
  std::vector<std::string> names = SplitKey(key);
  if (names.empty()) return BadKey(key);
  const std::string last = std::move(names.back());
  names.pop_back();
  Json* place = &object;
  for (const std::string& name : names) {
    if (!place->is_object() || !place->contains(name)) return absl::OkStatus();
    place = &(*place)[name];
  }
  if (place->is_object()) place->erase(last);
  return absl::OkStatus();
}

absl::StatusOr<Json> ParseObject(const std::string& text, const std::string& origin) {
  Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) {
    absl::StatusOr<Json> parsed = ParseYaml(text, origin);
    if (!parsed.ok()) return parsed;
    value = *std::move(parsed);
  }
  if (value.is_null()) return Json::object();
  if (!value.is_object()) return absl::InvalidArgumentError(origin + ": expected an object of keys and values");
  return value;
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file.is_open() || file.bad()) {
    return absl::NotFoundError("cannot read " + path + ": " + std::strerror(errno));
  }
  return text;
}

Json ResolvePlainScalar(const std::string& text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return nullptr;
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  // "inf" and "nan" parse as numbers in C++; JSON has no such numbers.
  if (text.find_first_of("0123456789") == std::string::npos) return text;
  std::int64_t integer = 0;
  if (ParseAll(text, integer)) return integer;
  std::uint64_t positive = 0;
  if (ParseAll(text, positive)) return positive;
  double number = 0;
  if (ParseAll(text, number)) return number;
  return text;
}

}  // namespace probed::cli
