// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Fills protobuf messages from YAML nodes by their descriptors: keys are field names, enums their short lower-case
// names, durations "5s". Collects every problem with its path.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/generated_enum_reflection.h>
#include <google/protobuf/message.h>
#include <yaml-cpp/yaml.h>

#include <string>
#include <vector>

namespace probed::cli {

class Problems {
 public:
  void Add(const std::string& path, const std::string& text) { lines_.push_back(path + ": " + text); }
  bool empty() const { return lines_.empty(); }
  /// One problem per line.
  std::string Text() const;

 private:
  std::vector<std::string> lines_;
};

/// Reads a mapping into the first of `messages` that has the key. `ignored` keys may stand there but are not read, and
/// are no fields of the messages. Scalars may refer to the environment: ${env:NAME}, ${env:NAME:-default}.
void ReadMessage(const YAML::Node& node, const std::string& path,
                 const std::vector<google::protobuf::Message*>& messages, const std::vector<std::string>& ignored,
                 Problems& problems);

/// The short names of an enum's values, without UNSPECIFIED: SINK_TYPE_OTLP_GRPC is "otlp_grpc".
std::vector<std::string> ShortNames(const google::protobuf::EnumDescriptor& type);

/// The short name of one value.
std::string ShortName(const google::protobuf::EnumValueDescriptor& value);

/// The short name of a generated enum's value; its number when this client does not know it.
template <typename Enum>
std::string ShortName(Enum value) {
  const auto* descriptor = google::protobuf::GetEnumDescriptor<Enum>()->FindValueByNumber(static_cast<int>(value));
  return descriptor == nullptr ? std::to_string(static_cast<int>(value)) : ShortName(*descriptor);
}

}  // namespace probed::cli
