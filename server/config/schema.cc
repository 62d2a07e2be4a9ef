// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/config/schema.h"

#include "server/config/schema_rules.h"
#include "server/config/validate.h"

namespace probed::config {
namespace {

using nlohmann::json;

constexpr const char* kRedacted = "[redacted]";

std::vector<std::string> PropertyNames(const json& schema) {
  std::vector<std::string> names;
  const json properties = schema.value("properties", json::object());
  for (const auto& [name, unused] : properties.items()) names.push_back(name);
  return names;
}

class Application {
 public:
  json Apply(const json& schema, const json& value, const std::string& path) {
    const std::string problem = SchemaProblem(schema, value);
    if (!problem.empty()) {
      violations_.push_back({path, problem});
      return value;
    }
    if (value.is_object()) return ApplyObject(schema, value, path);
    if (value.is_array()) return ApplyArray(schema, value, path);
    return value;
  }
  std::vector<FieldViolation> Take() { return std::move(violations_); }

 private:
  json ApplyObject(const json& schema, const json& value, const std::string& path) {
    const json properties = schema.value("properties", json::object());
    json out = json::object();
    for (const auto& [key, member] : value.items()) {
      const std::string below = path.empty() ? key : path + "." + key;
      if (properties.contains(key)) {
        out[key] = Apply(properties[key], member, below);
      } else {
        out[key] = ApplyUnnamed(schema, key, member, below);
      }
    }
    for (const auto& required : schema.value("required", json::array())) {
      if (!value.contains(required)) {
        violations_.push_back(
            {path.empty() ? required.get<std::string>() : path + "." + required.get<std::string>(), "is required"});
      }
    }
    FillDefaults(properties, path, out);
    return out;
  }

  /// A key that no property names: allowed by a schema for such keys, or by `true`.
  json ApplyUnnamed(const json& schema, const std::string& key, const json& member, const std::string& path) {
    const json additional = schema.value("additionalProperties", json(false));
    if (additional.is_object()) return Apply(additional, member, path);
    if (additional == true) return member;
    const std::string nearest = NearestWord(key, PropertyNames(schema));
    violations_.push_back({path, nearest.empty() ? "unknown key" : "unknown key; did you mean \"" + nearest + "\"?"});
    return member;
  }

  void FillDefaults(const json& properties, const std::string& path, json& out) {
    for (const auto& [key, property] : properties.items()) {
      if (out.contains(key)) continue;
      if (property.contains("default")) {
        out[key] = property["default"];
      } else if (property.value("type", json()) == "object") {
        // An object without a default of its own still has those of its members.
        json nested = json::object();
        FillDefaults(property.value("properties", json::object()), path, nested);
        if (!nested.empty()) out[key] = std::move(nested);
      }
    }
  }

  json ApplyArray(const json& schema, const json& value, const std::string& path) {
    if (!schema.contains("items")) return value;
    json out = json::array();
    for (const auto& item : value) {
      out.push_back(Apply(schema["items"], item, path + "[" + std::to_string(out.size()) + "]"));
    }
    return out;
  }

  std::vector<FieldViolation> violations_;
};

Result<json> ParseObject(std::string_view text, const std::string& path) {
  json value = json::parse(text.empty() ? std::string_view("{}") : text, nullptr, false);
  if (value.is_object()) return value;
  return ToStatus({{path, value.is_discarded() ? "is not valid JSON" : "must be a JSON object"}},
                  "the configuration is not valid");
}

}  // namespace

SchemaOutcome ApplySchema(const json& schema, const json& value, const std::string& path) {
  Application application;
  SchemaOutcome outcome;
  outcome.value = application.Apply(schema, value, path);
  outcome.violations = application.Take();
  return outcome;
}

Result<std::string> CompleteConfig(std::string_view schema_json, std::string_view config_json,
                                   const std::string& path) {
  const json schema = json::parse(schema_json, nullptr, false);
  if (!schema.is_object()) return MakeStatus(absl::StatusCode::kInternal, "the manifest's schema is no JSON object");
  ASSIGN_OR_RETURN(const json value, ParseObject(config_json, path));
  SchemaOutcome outcome = ApplySchema(schema, value, path);
  RETURN_IF_ERROR(ToStatus(std::move(outcome.violations), "the configuration is not valid"));
  return outcome.value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json Redacted(const json& schema, const json& value) {
  // What no schema describes may be anything, a mistyped name of a secret too.
  if (!schema.is_object() || schema.value("x-sensitive", json(false)) == true) return kRedacted;
  json out = value;
  if (value.is_object()) {
    const json properties = schema.value("properties", json::object());
    const json additional = schema.value("additionalProperties", json());
    for (const auto& [key, member] : value.items()) {
      out[key] = Redacted(properties.contains(key) ? properties[key] : additional, member);
    }
  }
  if (value.is_array() && schema.contains("items")) {
    for (auto& item : out) item = Redacted(schema["items"], item);
  }
  return out;
}

}  // namespace probed::config
