// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A known process, immutable: what /proc said, and the attributes of its resource. Shards hold it by shared_ptr, so it
// outlives its entry in the table for as long as spans need it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "server/discovery/host_info.h"
#include "server/discovery/process_info.h"

namespace probed::discovery {

/// The same types as the exporter's attribute list, so that it needs no conversion.
using AttributeValue = std::variant<std::string, std::int64_t, double, bool, std::vector<std::string>>;
using AttributeList = std::vector<std::pair<std::string, AttributeValue>>;

struct Process {
  std::uint64_t id = 0;  // one per program image (fork and exec make new ones); never reused
  bool known = true;     // false: gone before anything could be read
  ProcessInfo info;
  std::string service_name;        // by the process's own account, see ServiceNameOf
  std::string instance_id;         // service.instance.id
  std::uint64_t start_utc_ns = 0;  // 0: unknown
};

using ProcessPtr = std::shared_ptr<const Process>;

/// OTEL_SERVICE_NAME, else service.name in OTEL_RESOURCE_ATTRIBUTES, else the base name of the executable (for an
/// interpreter too: "python3" is stable, a script's name would need a list of interpreters and their options), else the
/// comm of a kernel thread, else "unknown_service". A target rule's name stands above all of them and is applied by
/// ResourceAttributes.
std::string ServiceNameOf(const ProcessInfo& info);

Process MakeProcess(std::uint64_t id, ProcessInfo info, const HostInfo& host);

/// Attributes of the resource. service.name is `service_override` unless that is empty. What the process says in
/// OTEL_RESOURCE_ATTRIBUTES replaces what was detected, except service.name and telemetry.distro.*.
AttributeList ResourceAttributes(const Process& process, const HostInfo& host, std::string_view service_override = {});

/// Of what belongs to the machine and to no process. It is the daemon that reports it: service.name is "probed".
AttributeList HostResourceAttributes(const HostInfo& host);

/// 2026-01-31T23:59:59.120Z
std::string Iso8601(std::uint64_t utc_ns);

}  // namespace probed::discovery
