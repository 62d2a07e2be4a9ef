// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/modules/json_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace probed::modules {

std::size_t NestingDepth(std::string_view text) {
  std::size_t depth = 0;
  std::size_t deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

const nlohmann::json* JsonFields::Get(const char* key) {
  asked_.insert(key);
  const auto found = object_.find(key);
  return found == object_.end() ? nullptr : &*found;
}

const nlohmann::json* JsonFields::Object(const char* key, Need need) {
  const nlohmann::json* value = Get(key);
  if (value == nullptr && need == Need::kRequired) Fail(key, "is missing");
  if (value == nullptr || value->is_object()) return value;
  Fail(key, "must be an object");
  return nullptr;
}

const nlohmann::json* JsonFields::Array(const char* key) {
  const nlohmann::json* value = Get(key);
  if (value == nullptr) return nullptr;
  if (value->is_array() && value->size() <= kMaxItems) return value;
  Fail(key, value->is_array() ? fmt::format("must have at most {} items", kMaxItems) : "must be an array");
  return nullptr;
}

std::string JsonFields::Text(const char* key, Need need) {
  const nlohmann::json* value = Get(key);
  if (value == nullptr) {
    if (need == Need::kRequired) Fail(key, "is missing");
    return {};
  }
  if (!value->is_string()) {
    Fail(key, "must be a string");
    return {};
  }
  const auto& text = value->get_ref<const std::string&>();
  if (text.empty() && need == Need::kRequired) Fail(key, "must not be empty");
  if (text.size() > kMaxText) Fail(key, fmt::format("must have at most {} bytes", kMaxText));
  return text;
}

bool JsonFields::Flag(const char* key, bool otherwise) {
  const nlohmann::json* value = Get(key);
  if (value == nullptr) return otherwise;
  if (value->is_boolean()) return value->get<bool>();
  Fail(key, "must be true or false");
  return otherwise;
}

std::uint32_t JsonFields::Number(const char* key, std::uint32_t otherwise, std::uint32_t max, Need need) {
  const nlohmann::json* value = Get(key);
  if (value == nullptr) {
    if (need == Need::kRequired) Fail(key, "is missing");
    return otherwise;
  }
  if (value->is_number_unsigned() && value->get<std::uint64_t>() <= max) return value->get<std::uint32_t>();
  Fail(key, fmt::format("must be a whole number from 0 to {}", max));
  return otherwise;
}

double JsonFields::Real(const char* key, double otherwise) {
  const nlohmann::json* value = Get(key);
  if (value == nullptr) return otherwise;
  if (value->is_number() && std::isfinite(value->get<double>())) return value->get<double>();
  Fail(key, "must be a finite number");
  return otherwise;
}

std::vector<std::string> JsonFields::Texts(const char* key) {
  std::vector<std::string> texts;
  const nlohmann::json* list = Array(key);
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    const nlohmann::json& item = (*list)[i];
    if (item.is_string() && !item.get_ref<const std::string&>().empty() &&
        item.get_ref<const std::string&>().size() <= kMaxText) {
      texts.push_back(item.get<std::string>());
    } else {
      Violate(fmt::format("{}[{}]", PathOf(key), i), "must be a string that is not empty");
    }
  }
  return texts;
}

std::vector<double> JsonFields::Reals(const char* key) {
  std::vector<double> reals;
  const nlohmann::json* list = Array(key);
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    const nlohmann::json& item = (*list)[i];
    if (item.is_number() && std::isfinite(item.get<double>())) {
      reals.push_back(item.get<double>());
    } else {
      Violate(fmt::format("{}[{}]", PathOf(key), i), "must be a finite number");
    }
  }
  return reals;
}

std::size_t JsonFields::Word(const char* key, const std::vector<std::string>& words, Need need, std::size_t otherwise) {
  const std::size_t before = violations_.size();
  const std::string text = Text(key, need);
  if (text.empty() || violations_.size() != before) return otherwise;
  const auto found = std::find(words.begin(), words.end(), text);
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  Fail(key, fmt::format("must be one of {}", fmt::join(words, ", ")));
  return otherwise;
}

std::vector<std::string> JsonFields::Unknown() const {
  std::vector<std::string> unknown;
  for (const auto& item : object_.items()) {
    if (!asked_.contains(item.key())) unknown.push_back(path_.empty() ? item.key() : path_ + "." + item.key());
  }
  return unknown;
}

}  // namespace probed::modules
