// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/discovery/process.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <ctime>

#include "server/discovery/uuid.h"

namespace probed::discovery {
namespace {

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
constexpr std::uint64_t kNsPerMs = 1'000'000;

std::string BaseName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

const std::string* FindEnv(const ResourceEnv& env, std::string_view key) {
  const auto same = [key](const auto& attribute) { return attribute.first == key; };
  const auto it = std::find_if(env.attributes.begin(), env.attributes.end(), same);
  return it == env.attributes.end() ? nullptr : &it->second;
}

/// Text that is absent leaves no attribute.
void PutText(AttributeList& list, std::string_view key, const std::string& value) {
  if (!value.empty()) list.emplace_back(key, value);
}

void PutProcess(AttributeList& list, const Process& process) {
  const ProcessInfo& info = process.info;
  list.emplace_back("process.pid", static_cast<std::int64_t>(info.key.tgid));
  PutText(list, "process.executable.name", BaseName(info.exe_path));
  PutText(list, "process.executable.path", info.exe_path);
  PutText(list, "process.command", info.command.empty() ? std::string() : info.command.front());
  PutText(list, "process.owner", info.owner);
  if (process.start_utc_ns != 0) list.emplace_back("process.creation.time", Iso8601(process.start_utc_ns));
  PutText(list, "container.id", info.container_id);
}

void PutHost(AttributeList& list, const HostInfo& host) {
  PutText(list, "host.name", host.name);
  PutText(list, "host.id", host.id);
  PutText(list, "host.arch", host.arch);
  list.emplace_back("os.type", std::string("linux"));
}

void Replace(AttributeList& list, const std::string& key, const std::string& value) {
  const auto same = [&key](const auto& attribute) { return attribute.first == key; };
  const auto it = std::find_if(list.begin(), list.end(), same);
  if (it != list.end()) {
    it->second = value;
  } else {
    list.emplace_back(key, value);
  }
}

void PutDistribution(AttributeList& list) {
  list.emplace_back("telemetry.distro.name", std::string("probed"));
  list.emplace_back("telemetry.distro.version", std::string(PROBED_VERSION));
}

}  // namespace

std::string Iso8601(std::uint64_t utc_ns) {
  const auto seconds = static_cast<std::time_t>(utc_ns / kNsPerSecond);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec, utc_ns % kNsPerSecond / kNsPerMs);
}

std::string ServiceNameOf(const ProcessInfo& info) {
  if (!info.env.service_name.empty()) return info.env.service_name;
  if (const std::string* name = FindEnv(info.env, "service.name"); name && !name->empty()) return *name;
  if (!info.exe_path.empty()) return BaseName(info.exe_path);
  return info.comm.empty() ? "unknown_service" : info.comm;
}

Process MakeProcess(std::uint64_t id, ProcessInfo info, const HostInfo& host) {
  Process process;
  process.id = id;
  process.service_name = ServiceNameOf(info);
  process.instance_id =
      ServiceInstanceUuid(fmt::format("{}/{}/{}/{}", host.id, host.boot_id, info.key.tgid, info.key.start_ticks));
  if (host.boot_utc_ns != 0) process.start_utc_ns = host.boot_utc_ns + info.key.start_ns();
  process.info = std::move(info);
  return process;
}

AttributeList ResourceAttributes(const Process& process, const HostInfo& host, std::string_view service_override) {
  AttributeList list;
  const std::string service(service_override.empty() ? std::string_view(process.service_name) : service_override);
  list.emplace_back("service.name", service);
  list.emplace_back("service.instance.id", process.instance_id);
  PutProcess(list, process);
  PutHost(list, host);
  for (const auto& [key, value] : process.info.env.attributes) {
    if (key != "service.name" && !key.starts_with("telemetry.distro.")) Replace(list, key, value);
  }
  PutDistribution(list);
  return list;
}

AttributeList HostResourceAttributes(const HostInfo& host) {
  AttributeList list;
  list.emplace_back("service.name", std::string("probed"));
  PutHost(list, host);
  PutDistribution(list);
  return list;
}

}  // namespace probed::discovery
