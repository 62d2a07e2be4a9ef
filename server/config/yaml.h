// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// probed.yaml in both directions. Knows the names of the keys; what values mean together is validate.h's.
//
//   daemon:   {socket, http_listen, module_dirs, log_level, ring_bytes, tail_batches, metric_interval, batch_delay,
//              batch_spans, backend, uprobes}
//   modules:  - {name, config: {...}}
//   targets:  - {name, exclude, exe, ports, pids, cgroups, service_name}
//   routes:   - {name, modules, services, signals, kinds, sinks, drop}
//   sinks:    - {name, type, endpoint, path, headers, compression, timeout, insecure, ca_file, cert_file, key_file,
//                queue_batches, retry: {...}, temporality, rotate_bytes, rotate_keep}
#pragma once

#include <string>
#include <string_view>

#include "server/base/status.h"
#include "server/config/model.h"
#include "server/config/yaml_reader.h"

namespace probed::config {

/// The variables of this process.
Environment ProcessEnvironment();

/// Parses and validates a whole document. INVALID_ARGUMENT with reason CONFIG_SYNTAX (no YAML) or CONFIG_INVALID, and
/// then one field violation per problem.
Result<File> ParseYaml(std::string_view text, const Environment& environment = ProcessEnvironment());

/// Reads a file and parses it. NOT_FOUND when there is none.
Result<File> LoadYamlFile(const std::string& path, const Environment& environment = ProcessEnvironment());

/// The desired state as a document that ParseYaml reads back to an equal value.
std::string ToYaml(const State& state);

}  // namespace probed::config
