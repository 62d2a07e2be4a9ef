// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/resource_cache.h"

#include "server/export/resource.h"

namespace probed::pipeline {

ResourcePtr ResourceCache::Get(const discovery::Process& process, std::string_view service_override) {
  const std::lock_guard lock(mutex_);
  std::vector<Named>& known = by_process_[process.id];
  for (const Named& named : known) {
    if (named.service_override == service_override) return named.resource;
  }
  auto made = std::make_shared<const exporter::Resource>(
      exporter::MakeResource(next_id_++, discovery::ResourceAttributes(process, host_, service_override)));
  known.push_back({std::string(service_override), made});
  return made;
}

ResourcePtr ResourceCache::ForHost() {
  const std::lock_guard lock(mutex_);
  if (!for_host_) {
    for_host_ = std::make_shared<const exporter::Resource>(
        exporter::MakeResource(next_id_++, discovery::HostResourceAttributes(host_)));
  }
  return for_host_;
}

std::vector<std::uint64_t> ResourceCache::Forget(std::uint64_t process_id) {
  const std::lock_guard lock(mutex_);
  std::vector<std::uint64_t> ids;
  const auto it = by_process_.find(process_id);
  if (it == by_process_.end()) return ids;
  for (const Named& named : it->second) ids.push_back(named.resource->id);
  by_process_.erase(it);
  return ids;
}

std::size_t ResourceCache::size() const {
  const std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (const auto& [id, named] : by_process_) count += named.size();
  return count;
}

}  // namespace probed::pipeline
