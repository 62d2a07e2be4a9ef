// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/config/schema_rules.h"

#include <algorithm>
#include <regex>
#include <set>
#include <vector>

#include "server/base/error_details.h"
#include "server/config/schema.h"

namespace probed::config {
namespace {

using nlohmann::json;

/// More than any name of a header or a path pattern needs; std::regex recurses per character.
constexpr std::size_t kLongestMatched = 4096;

bool IsWholeNumber(const json& value) {
  return value.is_number_integer() ||
         (value.is_number_float() && value.get<double>() == static_cast<double>(static_cast<std::int64_t>(
                                                                std::clamp(value.get<double>(), -9e15, 9e15))));
}

bool HasType(const std::string& type, const json& value) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "integer") return IsWholeNumber(value);
  if (type == "number") return value.is_number();
  if (type == "null") return value.is_null();
  return false;
}

std::string TypeProblem(const json& schema, const json& value) {
  const json types = schema.value("type", json());
  if (types.is_null()) return "";
  std::string expected;
  for (const auto& type : types.is_array() ? types : json::array({types})) {
    if (HasType(type.get<std::string>(), value)) return "";
    expected += (expected.empty() ? "" : " or ") + type.get<std::string>();
  }
  return "must be of type " + expected + ", not " + value.type_name();
}

std::string EnumProblem(const json& schema, const json& value) {
  const json allowed = schema.value("enum", json::array());
  if (allowed.empty() || std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return "";
  std::vector<std::string> words;
  for (const auto& word : allowed) {
    if (word.is_string()) words.push_back(word.get<std::string>());
  }
  const std::string nearest = value.is_string() ? NearestWord(value.get<std::string>(), words) : "";
  return "must be one of " + allowed.dump() + (nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?");
}

std::string RangeProblem(const json& schema, const json& value) {
  if (!value.is_number()) return "";
  if (schema.contains("minimum") && value < schema["minimum"]) return "must be at least " + schema["minimum"].dump();
  if (schema.contains("maximum") && value > schema["maximum"]) return "must be at most " + schema["maximum"].dump();
  return "";
}

std::string LengthProblem(const json& schema, const json& value) {
  const bool list = value.is_array();
  if (!list && !value.is_string()) return "";
  const std::size_t size = list ? value.size() : value.get_ref<const std::string&>().size();
  const char* unit = list ? " items" : " bytes";
  const json least = schema.value(list ? "minItems" : "minLength", json());
  const json most = schema.value(list ? "maxItems" : "maxLength", json());
  if (least.is_number() && size < least.get<std::size_t>()) return "must have at least " + least.dump() + unit;
  if (most.is_number() && size > most.get<std::size_t>()) return "must have at most " + most.dump() + unit;
  return "";
}

std::string PatternProblem(const json& schema, const json& value) {
  if (!value.is_string() || !schema.contains("pattern")) return "";
  const auto& text = value.get_ref<const std::string&>();
  if (text.size() > kLongestMatched) return "is too long";
  try {
    const std::regex pattern(schema["pattern"].get<std::string>(), std::regex::ECMAScript);
    if (std::regex_search(text, pattern)) return "";
  } catch (const std::regex_error&) {
    return "cannot be checked: the manifest's pattern " + schema["pattern"].dump() + " is broken";
  }
  return "must match " + schema["pattern"].get<std::string>();
}

class SchemaCheck {
 public:
  void Check(const json& schema, const std::string& path) {
    if (!schema.is_object()) return Fail(path, "must be an object");
    for (const auto& [key, value] : schema.items()) CheckKeyword(key, value, path + "." + key);
    if (schema.contains("default") && found_.empty()) CheckDefault(schema, path + ".default");
  }
  std::vector<FieldViolation> Take() { return std::move(found_); }

 private:
  void Fail(const std::string& path, const std::string& what) { found_.push_back({path, what}); }

  void CheckKeyword(const std::string& key, const json& value, const std::string& path) {
    static const std::set<std::string> kFree = {"title",   "description", "default", "examples",
                                                "$schema", "$id",         "unit",    "units"};
    static const std::set<std::string> kNumbers = {"minimum",  "maximum",   "minItems",
                                                   "maxItems", "minLength", "maxLength"};
    if (kFree.contains(key) || key.starts_with("x-")) return;
    if (kNumbers.contains(key)) return Want(value.is_number(), path, "must be a number");
    if (key == "type") return CheckType(value, path);
    if (key == "enum" || key == "required") return Want(value.is_array(), path, "must be a list");
    if (key == "pattern") return CheckPattern(value, path);
    if (key == "properties") return CheckProperties(value, path);
    if (key == "items") return Check(value, path);
    if (key == "additionalProperties") {
      if (!value.is_boolean()) Check(value, path);
      return;
    }
    Fail(path, "is no keyword of the supported subset of JSON Schema");
  }

  void Want(bool holds, const std::string& path, const std::string& what) {
    if (!holds) Fail(path, what);
  }

  void CheckType(const json& value, const std::string& path) {
    static const std::set<std::string> kTypes = {"object", "array", "string", "boolean", "integer", "number", "null"};
    for (const auto& type : value.is_array() ? value : json::array({value})) {
      Want(type.is_string() && kTypes.contains(type.get<std::string>()), path, "is no JSON type");
    }
  }

  void CheckPattern(const json& value, const std::string& path) {
    if (!value.is_string()) return Fail(path, "must be a string");
    try {
      [[maybe_unused]] const std::regex pattern(value.get<std::string>(), std::regex::ECMAScript);
    } catch (const std::regex_error& error) {
      Fail(path, std::string("is no regular expression: ") + error.what());
    }
  }

  void CheckProperties(const json& value, const std::string& path) {
    if (!value.is_object()) return Fail(path, "must be an object");
    for (const auto& [name, property] : value.items()) Check(property, path + "." + name);
  }

  void CheckDefault(const json& schema, const std::string& path) {
    for (FieldViolation& violation : ApplySchema(schema, schema["default"], path).violations) {
      found_.push_back(std::move(violation));
    }
  }

  std::vector<FieldViolation> found_;
};

}  // namespace

std::string SchemaProblem(const json& schema, const json& value) {
  for (const auto rule : {TypeProblem, EnumProblem, RangeProblem, LengthProblem, PatternProblem}) {
    std::string problem = rule(schema, value);
    if (!problem.empty()) return problem;
  }
  return "";
}

std::vector<FieldViolation> CheckSchema(const json& schema, const std::string& path) {
  SchemaCheck check;
  check.Check(schema, path);
  return check.Take();
}

}  // namespace probed::config
