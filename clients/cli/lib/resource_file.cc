// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/lib/resource_file.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <utility>

#include "clients/cli/lib/suggest.h"
#include "clients/cli/lib/yaml_message.h"

namespace probed::cli {
namespace {

const std::vector<std::string> kSections{"daemon", "modules", "targets", "routes", "sinks", "etag", "file_differences"};

std::string ItemPath(const std::string& section, std::size_t index) {
  return section + "[" + std::to_string(index) + "]";
}

void CheckSections(const YAML::Node& root, Problems& problems) {
  for (const auto& entry : root) {
    const std::string key = entry.first.Scalar();
    if (std::find(kSections.begin(), kSections.end(), key) != kSections.end()) continue;
    problems.Add(key, "unknown key" + DidYouMean(key, kSections));
  }
}

/// The list of a section, wherever the file keeps it.
YAML::Node FindList(const YAML::Node& root, const std::string& section, Problems& problems) {
  if (root.IsSequence() || root.IsNull()) return root;
  if (!root.IsMap()) {
    problems.Add(section, "expected a list");
    return {};
  }
  if (!root[section] && root["name"]) {
    YAML::Node list(YAML::NodeType::Sequence);
    list.push_back(root);
    return list;
  }
  CheckSections(root, problems);
  if (!root[section]) problems.Add(section, "missing");
  return root[section];
}

std::string EtagOf(const YAML::Node& root, const YAML::Node& list) {
  if (root.IsMap() && root["etag"] && root["etag"].IsScalar()) return root["etag"].Scalar();
  const bool single = list.IsSequence() && list.size() == 1 && list[0].IsMap();
  return single && list[0]["etag"] ? list[0]["etag"].Scalar() : "";
}

void ReadItem(const YAML::Node& node, const std::string& path, Problems& problems, v1::Route& route) {
  ReadMessage(node, path, {&route}, {"etag"}, problems);
}

void ReadItem(const YAML::Node& node, const std::string& path, Problems& problems, v1::Target& target) {
  ReadMessage(node, path, {&target}, {"etag"}, problems);
}

/// In files a sink is flat: the fields of its spec stand beside its name. What `get` prints besides is left alone.
void ReadItem(const YAML::Node& node, const std::string& path, Problems& problems, v1::Sink& sink) {
  v1::Sink name;
  ReadMessage(node, path, {&name, sink.mutable_spec()}, {"spec", "status", "etag"}, problems);
  sink.set_name(name.name());
  if (node.IsMap() && node["spec"]) problems.Add(path + ".spec", "unknown key; a sink's fields stand beside its name");
}

template <typename T>
absl::StatusOr<FromFile<T>> Parse(const std::string& text, const std::string& section) {
  Problems problems;
  FromFile<T> found;
  try {
    const YAML::Node root = YAML::Load(text);
    const YAML::Node list = FindList(root, section, problems);
    for (std::size_t i = 0; list.IsDefined() && i < list.size(); ++i) {
      ReadItem(list[i], ItemPath(section, i), problems, found.items.emplace_back());
    }
    found.etag = EtagOf(root, list);
  } catch (const YAML::Exception& error) {
    problems.Add(section, error.what());
  }
  if (!problems.empty()) return absl::InvalidArgumentError(problems.Text());
  return found;
}

}  // namespace

absl::StatusOr<FromFile<v1::Sink>> ParseSinks(const std::string& text) { return Parse<v1::Sink>(text, "sinks"); }

absl::StatusOr<FromFile<v1::Route>> ParseRoutes(const std::string& text) { return Parse<v1::Route>(text, "routes"); }

absl::StatusOr<FromFile<v1::Target>> ParseTargets(const std::string& text) {
  return Parse<v1::Target>(text, "targets");
}

}  // namespace probed::cli
