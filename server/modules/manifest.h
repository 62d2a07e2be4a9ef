// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What a module says about itself, read before any of its code runs. The JSON:
//   name version description license status priority protocols dependencies programs bpf_objects maps
//   abi: {major, min_minor}      requirements: {kernel, kernel_features, capabilities}
//   signals: {spans, metrics}    (a module without code may have "metrics" at the top, too)
//   config: JSON Schema of the configuration    table: {...} what README and docs show of the module
// Entries have the field names of the structs below. Unknown keys are kept in `unknown_keys` and otherwise ignored: a
// module may be newer than the daemon. Everything known is checked, and every error names its field.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/status.h"

namespace probed::modules {

enum class ProgramKind : std::uint8_t { kClassify, kSegment, kDatagram, kEvent };
enum class InstrumentKind : std::uint8_t { kCounter, kUpDownCounter, kGauge, kHistogram };
enum class ModuleStatus : std::uint8_t { kAlpha, kBeta, kStable };

std::string_view ProgramKindName(ProgramKind kind);        // "classify", ...
std::string_view InstrumentKindName(InstrumentKind kind);  // "counter", "updowncounter", ...
std::string_view ModuleStatusName(ModuleStatus status);    // "alpha", ...

/// One kernel program of the module's BPF objects.
struct ManifestProgram {
  std::string name;  // its name in the object
  ProgramKind kind = ProgramKind::kSegment;
  bool required = true;  // false: the module runs Degraded without it
  std::string attach;    // "tp_btf/sched_switch", "probed.attach/1"; empty: a slot of the core
};

/// Written by the build: one compiled object per attach prototype.
struct ManifestBpfObject {
  std::string section;    // ".probed.bpf.0"; of a code-less module the file's name
  std::string prototype;  // "sock", "fexit_rx", ...
  std::string sha256;     // of the object, hex
};

struct ManifestMap {
  std::string name;
  bool shared = false;  // "scope": "private" (default) | "shared" (the core's, reused by descriptor)
  std::string size;     // formula of the entry count; empty: what the object says
};

struct ManifestRequirements {
  std::string kernel;  // lowest release, "6.1"; empty: the daemon's own
  std::vector<std::string> kernel_features;
  std::vector<std::string> capabilities;
};

/// One attribute of a code-less metric: `field` of the map's key becomes attribute `attribute`.
struct ManifestKeyField {
  std::string field;
  std::string attribute;
};

/// An entry of "metrics". Without `map` it is fed by spans and measurements, with it by a map of a code-less module.
struct ManifestInstrument {
  std::string name;
  std::string unit;
  InstrumentKind instrument = InstrumentKind::kCounter;
  std::string description;
  std::vector<double> buckets;          // explicit bounds, ascending; empty: the pipeline's default
  std::vector<std::string> attributes;  // keys recorded with each value
  std::string map;
  std::string value;                  // field of the map's value; empty: the whole value
  std::vector<ManifestKeyField> key;  // "key": {field: attribute}
  std::string bucket_scheme;          // "buckets": "log2" | "linear" instead of bounds
  double scale = 1.0;                 // multiplies what the map holds
};

struct ManifestSpan {
  std::string name;
  std::string kind;  // "server", ...
  std::vector<std::string> attributes;
};

struct Manifest {
  std::string name;  // [a-z][a-z0-9_]{0,31}
  std::string version;
  std::uint32_t abi_major = 0;
  std::uint32_t abi_minor_min = 0;  // lowest minor of the host it can work with
  std::string description;
  std::string license;
  ModuleStatus status = ModuleStatus::kAlpha;
  std::uint32_t priority = 100;  // order of classification, lower first
  std::vector<std::string> protocols;
  std::vector<std::string> dependencies;  // modules that feed this one or are fed by it
  std::vector<ManifestProgram> programs;
  std::vector<ManifestBpfObject> bpf_objects;
  std::vector<ManifestMap> maps;
  ManifestRequirements requirements;
  std::vector<ManifestInstrument> metrics;
  std::vector<ManifestSpan> spans;
  std::string config_schema = "{}";  // JSON text of "config"
  std::string table = "{}";          // JSON text
  std::vector<std::string> unknown_keys;
  std::string raw;  // the manifest's own text

  const ManifestInstrument* FindInstrument(std::string_view name_of_it) const;
};

inline constexpr std::size_t kMaxManifestBytes = 1U << 20U;

/// True for names a module may have: also what keeps a name from being a path.
bool IsModuleName(std::string_view name);

/// Errors: MANIFEST_INVALID with a violation per wrong field (path "" is the text itself). Never crashes on any input.
Result<Manifest> ParseManifest(std::string_view text);

}  // namespace probed::modules
