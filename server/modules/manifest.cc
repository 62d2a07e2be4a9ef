// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/modules/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <set>

#include "server/modules/json_fields.h"
#include "server/modules/reasons.h"

namespace probed::modules {
namespace {

using Need = JsonFields::Need;

constexpr std::size_t kMaxNesting = 64;
constexpr std::size_t kMaxName = 32;
constexpr std::uint32_t kMaxPriority = 10000;
constexpr std::size_t kSha256HexSize = 64;

const std::vector<std::string> kProgramKinds = {"classify", "segment", "datagram", "event"};
const std::vector<std::string> kInstrumentKinds = {"counter", "updowncounter", "gauge", "histogram"};
const std::vector<std::string> kStatuses = {"alpha", "beta", "stable"};
const std::vector<std::string> kSpanKinds = {"internal", "server", "client", "producer", "consumer"};
const std::vector<std::string> kBucketSchemes = {"", "log2", "linear"};

bool IsHexDigest(std::string_view text) {
  return text.size() == kSha256HexSize &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
}

bool IsIdentifier(std::string_view text) {
  return !text.empty() && text.size() < 64 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
}

/// OpenTelemetry's rule for instrument names.
bool IsInstrumentName(std::string_view text) {
  return !text.empty() && text.size() <= 255 && std::isalpha(static_cast<unsigned char>(text[0])) != 0 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '-' || c == '/';
         });
}

void ReadAbi(JsonFields& top, Manifest& manifest) {
  const nlohmann::json* object = top.Object("abi", Need::kRequired);
  if (object == nullptr) return;
  JsonFields fields(*object, "abi", top.violations());
  manifest.abi_major = fields.Number("major", 0, UINT16_MAX, Need::kRequired);
  manifest.abi_minor_min = fields.Number("min_minor", 0, UINT16_MAX);
}

void ReadIdentity(JsonFields& top, Manifest& manifest) {
  manifest.name = top.Text("name", Need::kRequired);
  if (!manifest.name.empty() && !IsModuleName(manifest.name)) top.Fail("name", "must match [a-z][a-z0-9_]{0,31}");
  manifest.version = top.Text("version", Need::kRequired);
  ReadAbi(top, manifest);
  manifest.description = top.Text("description");
  manifest.license = top.Text("license", Need::kRequired);
  manifest.status = static_cast<ModuleStatus>(top.Word("status", kStatuses, Need::kOptional));
  manifest.priority = top.Number("priority", manifest.priority, kMaxPriority);
  manifest.protocols = top.Texts("protocols");
  manifest.dependencies = top.Texts("dependencies");
}

void ReadPrograms(JsonFields& top, Manifest& manifest) {
  std::set<std::string> names;
  top.Each("programs", [&](JsonFields& fields) {
    ManifestProgram program;
    program.name = fields.Text("name", Need::kRequired);
    if (!program.name.empty() && !IsIdentifier(program.name)) fields.Fail("name", "must be a C identifier");
    if (!names.insert(program.name).second) fields.Fail("name", "is there twice");
    program.kind = static_cast<ProgramKind>(fields.Word("kind", kProgramKinds, Need::kRequired));
    program.required = fields.Flag("required", true);
    program.attach = fields.Text("attach");
    manifest.programs.push_back(std::move(program));
  });
}

void ReadBpfObjects(JsonFields& top, Manifest& manifest) {
  std::set<std::string> prototypes;
  top.Each("bpf_objects", [&](JsonFields& fields) {
    ManifestBpfObject object;
    object.section = fields.Text("section", Need::kRequired);
    object.prototype = fields.Text("prototype", Need::kRequired);
    if (!prototypes.insert(object.prototype).second) fields.Fail("prototype", "is there twice");
    object.sha256 = fields.Text("sha256", Need::kRequired);
    if (!object.sha256.empty() && !IsHexDigest(object.sha256)) fields.Fail("sha256", "must be 64 hexadecimal digits");
    manifest.bpf_objects.push_back(std::move(object));
  });
}

void ReadMaps(JsonFields& top, Manifest& manifest) {
  top.Each("maps", [&](JsonFields& fields) {
    ManifestMap map;
    map.name = fields.Text("name", Need::kRequired);
    map.shared = fields.Word("scope", {"private", "shared"}, Need::kOptional) == 1;
    map.size = fields.Text("size");
    manifest.maps.push_back(std::move(map));
  });
}

void ReadRequirements(JsonFields& top, Manifest& manifest) {
  const nlohmann::json* object = top.Object("requirements");
  if (object == nullptr) return;
  JsonFields fields(*object, "requirements", top.violations());
  manifest.requirements.kernel = fields.Text("kernel");
  manifest.requirements.kernel_features = fields.Texts("kernel_features");
  manifest.requirements.capabilities = fields.Texts("capabilities");
}

void ReadBuckets(JsonFields& fields, ManifestInstrument& instrument) {
  const nlohmann::json* buckets = fields.Get("buckets");
  if (buckets != nullptr && buckets->is_string()) {
    instrument.bucket_scheme = kBucketSchemes[fields.Word("buckets", kBucketSchemes, Need::kOptional)];
    return;
  }
  instrument.buckets = fields.Reals("buckets");
  if (!std::is_sorted(instrument.buckets.begin(), instrument.buckets.end(), std::less_equal<>())) {
    fields.Fail("buckets", "must ascend");
  }
}

void ReadKeyFields(JsonFields& fields, ManifestInstrument& instrument) {
  const nlohmann::json* key = fields.Object("key");
  if (key == nullptr) return;
  JsonFields names(*key, fields.PathOf("key"), fields.violations());
  for (const auto& item : key->items()) {
    instrument.key.push_back({item.key(), names.Text(item.key().c_str(), Need::kRequired)});
  }
}

void ReadInstrument(JsonFields& fields, std::set<std::string>& names, Manifest& manifest) {
  ManifestInstrument instrument;
  instrument.name = fields.Text("name", Need::kRequired);
  if (!instrument.name.empty() && !IsInstrumentName(instrument.name)) fields.Fail("name", "is no instrument name");
  if (!names.insert(instrument.name).second) fields.Fail("name", "is there twice");
  instrument.unit = fields.Text("unit");
  instrument.instrument = static_cast<InstrumentKind>(fields.Word("instrument", kInstrumentKinds, Need::kRequired));
  instrument.description = fields.Text("description");
  ReadBuckets(fields, instrument);
  instrument.attributes = fields.Texts("attributes");
  instrument.map = fields.Text("map");
  instrument.value = fields.Text("value");
  ReadKeyFields(fields, instrument);
  instrument.scale = fields.Real("scale", 1.0);
  manifest.metrics.push_back(std::move(instrument));
}

void ReadMetrics(JsonFields& fields, std::set<std::string>& names, Manifest& manifest) {
  fields.Each("metrics", [&](JsonFields& metric) { ReadInstrument(metric, names, manifest); });
}

void ReadSpans(JsonFields& fields, Manifest& manifest) {
  fields.Each("spans", [&](JsonFields& entry) {
    ManifestSpan span;
    span.name = entry.Text("name", Need::kRequired);
    span.kind = kSpanKinds[entry.Word("kind", kSpanKinds, Need::kOptional)];
    span.attributes = entry.Texts("attributes");
    manifest.spans.push_back(std::move(span));
  });
}

void ReadSignals(JsonFields& top, Manifest& manifest) {
  std::set<std::string> names;
  ReadMetrics(top, names, manifest);
  const nlohmann::json* object = top.Object("signals");
  if (object == nullptr) return;
  JsonFields signals(*object, "signals", top.violations());
  ReadMetrics(signals, names, manifest);
  ReadSpans(signals, manifest);
}

void ReadSchema(JsonFields& top, Manifest& manifest) {
  const nlohmann::json* schema = top.Object("config");
  if (schema == nullptr) return;
  const auto type = schema->find("type");
  if (type != schema->end() && *type != "object") top.Fail("config", "must describe an object");
  manifest.config_schema = schema->dump();
}

void ReadTable(JsonFields& top, Manifest& manifest) {
  const nlohmann::json* table = top.Object("table");
  if (table != nullptr) manifest.table = table->dump();
}

Status Invalid(std::string_view subject, std::vector<FieldViolation> violations) {
  const FieldViolation& first = violations.front();
  const std::string place = first.path.empty() ? "" : first.path + " ";
  const std::string more = violations.size() > 1 ? fmt::format(" (and {} more)", violations.size() - 1) : "";
  const std::string message = fmt::format("the manifest is invalid: {}{}{}", place, first.description, more);
  return Refused(kManifestInvalid, subject, message, std::move(violations));
}

Status InvalidText(std::string_view what) { return Invalid("", {{"", std::string(what)}}); }

Result<nlohmann::json> ParseObject(std::string_view text) {
  if (text.size() > kMaxManifestBytes) return InvalidText(fmt::format("has more than {} bytes", kMaxManifestBytes));
  if (NestingDepth(text) > kMaxNesting) return InvalidText(fmt::format("nests deeper than {}", kMaxNesting));
  try {
    nlohmann::json json = nlohmann::json::parse(text);
    if (!json.is_object()) return InvalidText("is not a JSON object");
    return json;
  } catch (const nlohmann::json::exception& error) {
    return InvalidText(error.what());
  }
}

}  // namespace

std::string_view ProgramKindName(ProgramKind kind) { return kProgramKinds[static_cast<std::size_t>(kind)]; }
std::string_view InstrumentKindName(InstrumentKind kind) { return kInstrumentKinds[static_cast<std::size_t>(kind)]; }
std::string_view ModuleStatusName(ModuleStatus status) { return kStatuses[static_cast<std::size_t>(status)]; }

bool IsModuleName(std::string_view name) {
  const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto is_rest = [&](char c) { return is_lower(c) || (c >= '0' && c <= '9') || c == '_'; };
  return !name.empty() && name.size() <= kMaxName && is_lower(name[0]) &&
         std::all_of(name.begin(), name.end(), is_rest);
}

const ManifestInstrument* Manifest::FindInstrument(std::string_view name_of_it) const {
  const auto found =
      std::find_if(metrics.begin(), metrics.end(), [&](const auto& metric) { return metric.name == name_of_it; });
  return found == metrics.end() ? nullptr : &*found;
}

Result<Manifest> ParseManifest(std::string_view text) {
  ASSIGN_OR_RETURN(const nlohmann::json json, ParseObject(text));
  std::vector<FieldViolation> violations;
  JsonFields top(json, "", violations);
  Manifest manifest;
  ReadIdentity(top, manifest);
  ReadPrograms(top, manifest);
  ReadBpfObjects(top, manifest);
  ReadMaps(top, manifest);
  ReadRequirements(top, manifest);
  ReadSignals(top, manifest);
  ReadSchema(top, manifest);
  ReadTable(top, manifest);
  manifest.unknown_keys = top.Unknown();
  manifest.raw = std::string(text);
  if (!violations.empty()) return Invalid(manifest.name, std::move(violations));
  return manifest;
}

}  // namespace probed::modules
