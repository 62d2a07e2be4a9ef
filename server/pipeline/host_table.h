// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The function table a module gets (api/module/probe_host.h), over the pipeline. One per loaded module; it must outlive
// the module's instance.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "api/module/probe_host.h"
#include "server/export/key_table.h"

/// The module as the host sees it.
struct probe_host_context {
  std::string module;
  probed::exporter::KeyTable* keys = nullptr;
  std::map<std::string, std::uint32_t, std::less<>> instruments;  // of the manifest, by name
};

namespace probed::pipeline {

class HostTable {
 public:
  HostTable(std::string module, exporter::KeyTable& keys,
            std::map<std::string, std::uint32_t, std::less<>> instruments);
  HostTable(const HostTable&) = delete;

  const probe_host_t& table() const { return table_; }

 private:
  probe_host_context context_;
  probe_host_t table_{};
};

}  // namespace probed::pipeline
