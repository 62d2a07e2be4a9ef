// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/lib/yaml_message.h"

#include <google/protobuf/duration.pb.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <set>
#include <string_view>

#include "clients/cli/lib/duration.h"
#include "clients/cli/lib/suggest.h"

namespace probed::cli {
namespace {

namespace pb = google::protobuf;

constexpr std::string_view kReference = "${env:";

/// A field of a message, where its value stands in the file, and who hears about problems.
struct Place {
  pb::Message* message;
  const pb::FieldDescriptor* field;
  std::string path;
  Problems* problems;

  const pb::Reflection* reflection() const { return message->GetReflection(); }
  void Fail(const std::string& text) const { problems->Add(path, text); }
};

std::optional<std::string> Lookup(const std::string& reference, const Place& place) {
  const std::size_t fallback = reference.find(":-");
  const std::string name = reference.substr(0, fallback);
  if (const char* value = std::getenv(name.c_str())) return value;
  if (fallback != std::string::npos) return reference.substr(fallback + 2);
  place.Fail("environment variable " + name + " is not set; give a default with ${env:" + name + ":-value}");
  return std::nullopt;
}

/// The text with references to the environment resolved; "$$" is a dollar sign.
std::optional<std::string> Expand(const std::string& text, const Place& place) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text.compare(at, kReference.size(), kReference) != 0) {
      out += text[at];
      if (text.compare(at, 2, "$$") == 0) ++at;
      continue;
    }
    const std::size_t end = text.find('}', at);
    if (end == std::string::npos) {
      place.Fail("${env: is not closed by }; write $$ for a dollar sign");
      return std::nullopt;
    }
    const std::size_t name = at + kReference.size();
    const auto value = Lookup(text.substr(name, end - name), place);
    if (!value) return std::nullopt;
    out += *value;
    at = end;
  }
  return out;
}

std::optional<std::string> ScalarText(const YAML::Node& node, const Place& place) {
  if (node.IsScalar()) return Expand(node.Scalar(), place);
  place.Fail("expected one value");
  return std::nullopt;
}

std::string Joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

template <typename T>
std::optional<T> Number(std::string_view text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return value;
}

/// Bytes with a unit, as probed.yaml takes them.
std::optional<std::uint64_t> Size(std::string_view text) {
  struct Unit {
    std::string_view name;
    std::uint64_t bytes;
  };
  constexpr Unit kUnits[] = {{"KiB", 1ULL << 10U},
                             {"MiB", 1ULL << 20U},
                             {"GiB", 1ULL << 30U},
                             {"kB", 1'000},
                             {"MB", 1'000'000},
                             {"GB", 1'000'000'000},
                             {"B", 1},
                             {"", 1}};
  for (const Unit& unit : kUnits) {
    if (!text.ends_with(unit.name)) continue;
    const auto number = Number<std::uint64_t>(text.substr(0, text.size() - unit.name.size()));
    if (!number || *number > UINT64_MAX / unit.bytes) return std::nullopt;
    return *number * unit.bytes;
  }
  return std::nullopt;
}

void StoreEnum(const std::string& text, const Place& place) {
  const pb::EnumDescriptor& type = *place.field->enum_type();
  for (int i = 0; i < type.value_count(); ++i) {
    const pb::EnumValueDescriptor& value = *type.value(i);
    if (value.number() == 0 || ShortName(value) != text) continue;
    if (place.field->is_repeated()) return place.reflection()->AddEnum(place.message, place.field, &value);
    return place.reflection()->SetEnum(place.message, place.field, &value);
  }
  const std::vector<std::string> names = ShortNames(type);
  place.Fail("\"" + text + "\" is none of " + Joined(names) + DidYouMean(text, names));
}

void StoreU32(const std::string& text, const Place& place) {
  const auto value = Number<std::uint32_t>(text);
  if (!value) return place.Fail("\"" + text + "\" is no whole number that fits here");
  if (place.field->is_repeated()) return place.reflection()->AddUInt32(place.message, place.field, *value);
  place.reflection()->SetUInt32(place.message, place.field, *value);
}

void StoreU64(const std::string& text, const Place& place) {
  const bool bytes = std::string_view(place.field->name()).ends_with("_bytes");
  const auto value = bytes ? Size(text) : Number<std::uint64_t>(text);
  if (!value) return place.Fail("\"" + text + "\" is no " + (bytes ? "size such as 100MiB" : "whole number"));
  place.reflection()->SetUInt64(place.message, place.field, *value);
}

void StoreDouble(const std::string& text, const Place& place) {
  const auto value = Number<double>(text);
  if (!value) return place.Fail("\"" + text + "\" is no number");
  place.reflection()->SetDouble(place.message, place.field, *value);
}

void StoreBool(const std::string& text, const Place& place) {
  if (text != "true" && text != "false") return place.Fail("\"" + text + "\" is neither true nor false");
  place.reflection()->SetBool(place.message, place.field, text == "true");
}

void StoreString(const std::string& text, const Place& place) {
  if (place.field->is_repeated()) return place.reflection()->AddString(place.message, place.field, text);
  place.reflection()->SetString(place.message, place.field, text);
}

void StoreDuration(const std::string& text, const Place& place) {
  const auto value = ParseDuration(text);
  if (!value) return place.Fail("\"" + text + "\" is no duration such as 200ms, 5s, 1m");
  auto* duration = static_cast<pb::Duration*>(place.reflection()->MutableMessage(place.message, place.field));
  duration->set_seconds(value->count() / 1'000'000'000);
  duration->set_nanos(static_cast<std::int32_t>(value->count() % 1'000'000'000));
}

bool IsDuration(const pb::FieldDescriptor& field) {
  return field.cpp_type() == pb::FieldDescriptor::CPPTYPE_MESSAGE && field.message_type() == pb::Duration::descriptor();
}

void StoreScalar(const YAML::Node& node, const Place& place) {
  const std::optional<std::string> text = ScalarText(node, place);
  if (!text) return;
  if (IsDuration(*place.field)) return StoreDuration(*text, place);
  switch (place.field->cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_ENUM: return StoreEnum(*text, place);
    case pb::FieldDescriptor::CPPTYPE_UINT32: return StoreU32(*text, place);
    case pb::FieldDescriptor::CPPTYPE_UINT64: return StoreU64(*text, place);
    case pb::FieldDescriptor::CPPTYPE_DOUBLE: return StoreDouble(*text, place);
    case pb::FieldDescriptor::CPPTYPE_BOOL: return StoreBool(*text, place);
    case pb::FieldDescriptor::CPPTYPE_STRING: return StoreString(*text, place);
    default: return place.Fail("cannot be set from a file");
  }
}

void StoreMap(const YAML::Node& node, const Place& place) {
  if (!node.IsMap()) return place.Fail("expected keys and values");
  for (const auto& entry : node) {
    const std::string key = entry.first.Scalar();
    pb::Message* item = place.reflection()->AddMessage(place.message, place.field);
    item->GetReflection()->SetString(item, item->GetDescriptor()->map_key(), key);
    StoreScalar(entry.second, {item, item->GetDescriptor()->map_value(), place.path + "." + key, place.problems});
  }
}

void StoreList(const YAML::Node& node, const Place& place) {
  if (!node.IsSequence()) return place.Fail("expected a list");
  for (std::size_t i = 0; i < node.size(); ++i) {
    Place item = place;
    item.path += "[" + std::to_string(i) + "]";
    StoreScalar(node[i], item);
  }
}

void StoreField(const YAML::Node& node, const Place& place) {
  if (node.IsNull()) return;
  if (place.field->is_map()) return StoreMap(node, place);
  if (place.field->is_repeated()) return StoreList(node, place);
  if (place.field->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE || IsDuration(*place.field)) {
    return StoreScalar(node, place);
  }
  ReadMessage(node, place.path, {place.reflection()->MutableMessage(place.message, place.field)}, {}, *place.problems);
}

bool Contains(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::vector<std::string> KnownKeys(const std::vector<pb::Message*>& messages, const std::vector<std::string>& ignored) {
  std::vector<std::string> keys;
  for (const pb::Message* message : messages) {
    for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
      const std::string& name = message->GetDescriptor()->field(i)->name();
      if (!Contains(ignored, name) && !Contains(keys, name)) keys.push_back(name);
    }
  }
  return keys;
}

pb::Message* Owner(const std::vector<pb::Message*>& messages, const std::string& key) {
  for (pb::Message* message : messages) {
    if (message->GetDescriptor()->FindFieldByName(key) != nullptr) return message;
  }
  return nullptr;
}

}  // namespace

std::string Problems::Text() const {
  std::string out;
  for (const std::string& line : lines_) out += (out.empty() ? "" : "\n") + line;
  return out;
}

void ReadMessage(const YAML::Node& node, const std::string& path, const std::vector<pb::Message*>& messages,
                 const std::vector<std::string>& ignored, Problems& problems) {
  if (!node.IsMap()) return problems.Add(path, "expected keys and values");
  const std::vector<std::string> known = KnownKeys(messages, ignored);
  std::set<std::string> seen;
  for (const auto& entry : node) {
    const std::string key = entry.first.Scalar();
    const std::string key_path = path + "." + key;
    if (!seen.insert(key).second) {
      problems.Add(key_path, "given twice");
    } else if (Contains(known, key)) {
      pb::Message* message = Owner(messages, key);
      StoreField(entry.second, {message, message->GetDescriptor()->FindFieldByName(key), key_path, &problems});
    } else if (!Contains(ignored, key)) {
      problems.Add(key_path, "unknown key" + DidYouMean(key, known));
    }
  }
}

std::string ShortName(const pb::EnumValueDescriptor& value) {
  // Values begin with the enum's name in capitals; the first one is always NAME_UNSPECIFIED.
  constexpr std::string_view kFirst = "UNSPECIFIED";
  const std::size_t prefix = value.type()->value(0)->name().size() - kFirst.size();
  std::string name = value.name().substr(prefix);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

std::vector<std::string> ShortNames(const pb::EnumDescriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count(); ++i) {
    if (type.value(i)->number() != 0) names.push_back(ShortName(*type.value(i)));
  }
  return names;
}

}  // namespace probed::cli
