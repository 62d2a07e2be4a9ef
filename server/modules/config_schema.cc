// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/modules/config_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "server/base/error_details.h"
#include "server/modules/json_fields.h"
#include "server/modules/reasons.h"

namespace probed::modules {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxConfigBytes = 1U << 20U;
constexpr std::size_t kMaxNesting = 64;  // also what bounds the recursion below

Status Invalid(std::vector<FieldViolation> violations) {
  const FieldViolation& first = violations.front();
  const std::string message =
      fmt::format("the configuration is invalid: {}{}{}", first.path, first.path.empty() ? "" : " ", first.description);
  return ModuleError(absl::StatusCode::kInvalidArgument, kConfigInvalid, "", message, std::move(violations));
}

class Checker {
 public:
  /// Checks `value` against `schema` and fills in what is missing.
  void Check(const Json& schema, Json& value, const std::string& path) {
    if (!schema.is_object() || !CheckType(schema, value, path)) return;
    CheckEnum(schema, value, path);
    if (value.is_object()) CheckObject(schema, value, path);
    if (value.is_array()) CheckArray(schema, value, path);
    if (value.is_string()) CheckLength(schema, value, path);
    if (value.is_number()) CheckRange(schema, value, path);
  }

  std::vector<FieldViolation>& violations() { return violations_; }

 private:
  void Fail(const std::string& path, std::string what) {
    if (violations_.size() < JsonFields::kMaxViolations) violations_.push_back({path, std::move(what)});
  }

  static std::string Join(const std::string& path, const std::string& key) {
    return path.empty() ? key : path + "." + key;
  }

  static const Json* Keyword(const Json& schema, const char* name) {
    const auto found = schema.find(name);
    return found == schema.end() ? nullptr : &*found;
  }

  static bool IsOfType(const Json& value, const std::string& type) {
    if (type == "integer") return value.is_number_integer();
    if (type == "number") return value.is_number();
    return type == value.type_name();  // "object", "array", "string", "boolean", "null"
  }

  bool CheckType(const Json& schema, const Json& value, const std::string& path) {
    const Json* type = Keyword(schema, "type");
    if (type == nullptr) return true;
    std::vector<std::string> allowed;
    for (const Json& name : type->is_array() ? *type : Json::array({*type})) {
      if (name.is_string()) allowed.push_back(name.get<std::string>());
    }
    const auto fits = [&](const std::string& name) { return IsOfType(value, name); };
    if (allowed.empty() || std::any_of(allowed.begin(), allowed.end(), fits)) return true;
    Fail(path, fmt::format("must be of type {}, not {}", fmt::join(allowed, " or "), value.type_name()));
    return false;
  }

  void CheckEnum(const Json& schema, const Json& value, const std::string& path) {
    const Json* allowed = Keyword(schema, "enum");
    if (allowed == nullptr || !allowed->is_array()) return;
    if (std::find(allowed->begin(), allowed->end(), value) == allowed->end()) {
      Fail(path, "must be one of " + allowed->dump());
    }
  }

  void CheckObject(const Json& schema, Json& value, const std::string& path) {
    static const Json kNone = Json::object();
    const Json* listed = Keyword(schema, "properties");
    const Json& properties = listed != nullptr && listed->is_object() ? *listed : kNone;
    for (const auto& item : properties.items()) {
      const Json* otherwise = item.value().is_object() ? Keyword(item.value(), "default") : nullptr;
      if (!value.contains(item.key()) && otherwise != nullptr) value[item.key()] = *otherwise;
    }
    CheckRequired(schema, value, path);
    for (auto& item : value.items()) {
      const auto property = properties.find(item.key());
      if (property != properties.end()) {
        Check(*property, item.value(), Join(path, item.key()));
      } else {
        CheckAdditional(schema, properties, item.key(), item.value(), path);
      }
    }
  }

  void CheckRequired(const Json& schema, const Json& value, const std::string& path) {
    const Json* required = Keyword(schema, "required");
    if (required == nullptr || !required->is_array()) return;
    for (const Json& key : *required) {
      if (key.is_string() && !value.contains(key.get<std::string>())) {
        Fail(Join(path, key.get<std::string>()), "is missing");
      }
    }
  }

  void CheckAdditional(const Json& schema, const Json& properties, const std::string& key, Json& value,
                       const std::string& path) {
    const Json* additional = Keyword(schema, "additionalProperties");
    if (additional != nullptr && additional->is_object()) return Check(*additional, value, Join(path, key));
    if (additional != nullptr && *additional == true) return;
    std::vector<std::string> known;
    for (const auto& item : properties.items()) known.push_back(item.key());
    const std::string near = NearestWord(key, known);
    Fail(Join(path, key), near.empty() ? "is no known key" : fmt::format("is no known key, did you mean {}?", near));
  }

  void CheckArray(const Json& schema, Json& value, const std::string& path) {
    CheckCount(schema, "minItems", "maxItems", value.size(), "items", path);
    const Json* unique = Keyword(schema, "uniqueItems");
    if (unique != nullptr && *unique == true) CheckUnique(value, path);
    const Json* items = Keyword(schema, "items");
    if (items == nullptr) return;
    for (std::size_t i = 0; i < value.size(); ++i) Check(*items, value[i], fmt::format("{}[{}]", path, i));
  }

  void CheckUnique(const Json& value, const std::string& path) {
    std::vector<Json> sorted(value.begin(), value.end());
    std::sort(sorted.begin(), sorted.end());
    const auto twin = std::adjacent_find(sorted.begin(), sorted.end());
    if (twin != sorted.end()) Fail(path, twin->dump() + " is there twice");
  }

  void CheckLength(const Json& schema, const Json& value, const std::string& path) {
    CheckCount(schema, "minLength", "maxLength", value.get_ref<const std::string&>().size(), "bytes", path);
  }

  void CheckCount(const Json& schema, const char* least, const char* most, std::size_t count, const char* unit,
                  const std::string& path) {
    const Json* min = Keyword(schema, least);
    const Json* max = Keyword(schema, most);
    if (min != nullptr && min->is_number() && static_cast<double>(count) < min->get<double>()) {
      Fail(path, fmt::format("must have at least {} {}", min->dump(), unit));
    }
    if (max != nullptr && max->is_number() && static_cast<double>(count) > max->get<double>()) {
      Fail(path, fmt::format("must have at most {} {}", max->dump(), unit));
    }
  }

  void CheckRange(const Json& schema, const Json& value, const std::string& path) {
    const Json* min = Keyword(schema, "minimum");
    const Json* max = Keyword(schema, "maximum");
    if (min != nullptr && min->is_number() && value < *min) Fail(path, "must be at least " + min->dump());
    if (max != nullptr && max->is_number() && value > *max) Fail(path, "must be at most " + max->dump());
  }

  std::vector<FieldViolation> violations_;
};

Result<Json> Parse(std::string_view text) {
  if (text.size() > kMaxConfigBytes) return Invalid({{"", fmt::format("has more than {} bytes", kMaxConfigBytes)}});
  if (NestingDepth(text) > kMaxNesting) return Invalid({{"", fmt::format("nests deeper than {}", kMaxNesting)}});
  try {
    return Json::parse(text);
  } catch (const Json::exception& error) {
    return Invalid({{"", error.what()}});
  }
}

}  // namespace

Result<std::string> CompleteConfig(std::string_view schema_json, std::string_view config_json) {
  ASSIGN_OR_RETURN(const Json schema, Parse(schema_json));
  ASSIGN_OR_RETURN(Json config, Parse(config_json));
  if (!config.is_object()) return Invalid({{"", std::string("must be an object, not ") + config.type_name()}});
  Checker checker;
  checker.Check(schema, config, "");
  if (!checker.violations().empty()) return Invalid(std::move(checker.violations()));
  return config.dump();
}

}  // namespace probed::modules
