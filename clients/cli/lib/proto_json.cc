// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/lib/proto_json.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/time_util.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <string_view>

#include "clients/cli/lib/duration.h"
#include "clients/cli/lib/settings.h"
#include "clients/cli/lib/yaml_message.h"

namespace probed::cli {
namespace {

namespace pb = google::protobuf;

constexpr std::string_view kEmbedded = "_json";

bool IsEmbedded(const pb::FieldDescriptor& field) { return std::string_view(field.name()).ends_with(kEmbedded); }

/// "config_json" is shown as "config", an object.
std::string KeyOf(const pb::FieldDescriptor& field) {
  return IsEmbedded(field) ? field.name().substr(0, field.name().size() - kEmbedded.size()) : field.name();
}

Json StringValue(const pb::FieldDescriptor& field, const std::string& text) {
  if (!IsEmbedded(field)) return text;
  Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return value.is_discarded() ? Json(text) : value;
}

Json MessageValue(const pb::Message& message) {
  if (message.GetDescriptor() == pb::Timestamp::descriptor()) {
    return pb::util::TimeUtil::ToString(static_cast<const pb::Timestamp&>(message));
  }
  if (message.GetDescriptor() == pb::Duration::descriptor()) {
    const auto& duration = static_cast<const pb::Duration&>(message);
    return FormatDuration(std::chrono::seconds(duration.seconds()) + std::chrono::nanoseconds(duration.nanos()));
  }
  return ToJson(message);
}

Json EnumValue(const pb::FieldDescriptor& field, int number) {
  const pb::EnumValueDescriptor* value = field.enum_type()->FindValueByNumber(number);
  return value == nullptr ? Json(number) : Json(ShortName(*value));
}

/// One value; `index` is that of a repeated field, or negative.
Json Value(const pb::Message& message, const pb::FieldDescriptor& field, int index) {
  const pb::Reflection& r = *message.GetReflection();
  const bool one = index < 0;
  switch (field.cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_INT32:
      return one ? r.GetInt32(message, &field) : r.GetRepeatedInt32(message, &field, index);
    case pb::FieldDescriptor::CPPTYPE_INT64:
      return one ? r.GetInt64(message, &field) : r.GetRepeatedInt64(message, &field, index);
    case pb::FieldDescriptor::CPPTYPE_UINT32:
      return one ? r.GetUInt32(message, &field) : r.GetRepeatedUInt32(message, &field, index);
    case pb::FieldDescriptor::CPPTYPE_UINT64:
      return one ? r.GetUInt64(message, &field) : r.GetRepeatedUInt64(message, &field, index);
    case pb::FieldDescriptor::CPPTYPE_FLOAT:
      return one ? r.GetFloat(message, &field) : r.GetRepeatedFloat(message, &field, index);
    case pb::FieldDescriptor::CPPTYPE_DOUBLE:
      return one ? r.GetDouble(message, &field) : r.GetRepeatedDouble(message, &field, index);
    case pb::FieldDescriptor::CPPTYPE_BOOL:
      return one ? r.GetBool(message, &field) : r.GetRepeatedBool(message, &field, index);
    case pb::FieldDescriptor::CPPTYPE_ENUM:
      return EnumValue(field, one ? r.GetEnumValue(message, &field) : r.GetRepeatedEnumValue(message, &field, index));
    case pb::FieldDescriptor::CPPTYPE_STRING:
      return StringValue(field, one ? r.GetString(message, &field) : r.GetRepeatedString(message, &field, index));
    case pb::FieldDescriptor::CPPTYPE_MESSAGE:
      return MessageValue(one ? r.GetMessage(message, &field) : r.GetRepeatedMessage(message, &field, index));
  }
  return nullptr;
}

Json MapValue(const pb::Message& message, const pb::FieldDescriptor& field) {
  const pb::Reflection& r = *message.GetReflection();
  nlohmann::json sorted = nlohmann::json::object();
  for (int i = 0; i < r.FieldSize(message, &field); ++i) {
    const pb::Message& entry = r.GetRepeatedMessage(message, &field, i);
    const pb::Descriptor& type = *entry.GetDescriptor();
    sorted[entry.GetReflection()->GetString(entry, type.map_key())] = Value(entry, *type.map_value(), -1);
  }
  return sorted;
}

Json ListValue(const pb::Message& message, const pb::FieldDescriptor& field) {
  Json list = Json::array();
  const int size = message.GetReflection()->FieldSize(message, &field);
  for (int i = 0; i < size; ++i) list.push_back(Value(message, field, i));
  return list;
}

bool IsShown(const pb::Message& message, const pb::FieldDescriptor& field) {
  const pb::Reflection& r = *message.GetReflection();
  if (field.is_repeated()) return r.FieldSize(message, &field) > 0;
  if (r.HasField(message, &field)) return true;
  const bool text =
      field.cpp_type() == pb::FieldDescriptor::CPPTYPE_STRING || field.cpp_type() == pb::FieldDescriptor::CPPTYPE_ENUM;
  return !field.has_presence() && !text;
}

bool NeedsQuotes(const std::string& text) {
  const bool odd = std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c >= 0x7F; });
  return odd || !ResolvePlainScalar(text).is_string();
}

void EmitYaml(YAML::Emitter& out, const Json& value) {
  if (value.is_object()) {
    out << YAML::BeginMap;
    for (const auto& [key, item] : value.items()) {
      out << YAML::Key << key << YAML::Value;
      EmitYaml(out, item);
    }
    out << YAML::EndMap;
  } else if (value.is_array()) {
    out << YAML::BeginSeq;
    for (const Json& item : value) EmitYaml(out, item);
    out << YAML::EndSeq;
  } else if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    if (NeedsQuotes(text)) out << YAML::DoubleQuoted;
    out << text;
  } else {
    out << DumpJson(value);
  }
}

}  // namespace

Json ToJson(const pb::Message& message) {
  Json object = Json::object();
  const pb::Descriptor& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const pb::FieldDescriptor& field = *type.field(i);
    if (!IsShown(message, field)) continue;
    object[KeyOf(field)] = field.is_map()        ? MapValue(message, field)
                           : field.is_repeated() ? ListValue(message, field)
                                                 : Value(message, field, -1);
  }
  return object;
}

Json SinkToJson(const v1::Sink& sink) {
  Json object = Json::object();
  object["name"] = sink.name();
  object.update(ToJson(sink.spec()));
  if (sink.has_status()) object["status"] = ToJson(sink.status());
  if (!sink.etag().empty()) object["etag"] = sink.etag();
  return object;
}

std::string DumpJson(const Json& value, int indent) {
  return value.dump(indent, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
}

std::string DumpYaml(const Json& value) {
  YAML::Emitter out;
  out.SetOutputCharset(YAML::EscapeNonAscii);
  EmitYaml(out, value);
  return out.c_str();
}

}  // namespace probed::cli
