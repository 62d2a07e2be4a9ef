// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/discovery/process_table.h"

#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <utility>

namespace probed::discovery {

ProcessTable::ProcessTable(ProcReader& reader, HostInfo host, ProcessTableOptions options)
    : reader_(reader), host_(std::move(host)), options_(options) {}

ProcessPtr ProcessTable::Make(ProcessInfo info, bool known) {
  Process process = MakeProcess(next_id_.fetch_add(1, std::memory_order_relaxed), std::move(info), host_);
  process.known = known;
  return std::make_shared<const Process>(std::move(process));
}

// What /proc says now wins over what the parent was: a worker may have changed its user or its cgroup since the fork.
ProcessPtr ProcessTable::ReadOrDerive(const ProcessKey& key, const ProcessPtr& forked_from) {
  std::optional<ProcessInfo> read = reader_.Read(key.tgid);
  if (read && read->key == key) return Make(*std::move(read), true);
  ProcessInfo info;
  if (forked_from) info = forked_from->info;
  info.key = key;
  if (forked_from) info.parent = forked_from->info.key.tgid;
  return Make(std::move(info), forked_from != nullptr);
}

// Two threads may have made one: the first stays.
ProcessPtr ProcessTable::Store(const ProcessKey& key, ProcessPtr made) {
  Stripe& stripe = StripeOf(key.tgid);
  const std::lock_guard lock(stripe.mutex);
  Entry& entry = stripe.entries[key];
  if (!entry.process) {
    if (!made->known) stripe.unknown.push_back(key);
    entry.process = std::move(made);
  }
  entry.forked_from.reset();
  std::uint64_t& latest = stripe.latest[key.tgid];
  latest = std::max(latest, key.start_ticks);
  return entry.process;
}

ProcessPtr ProcessTable::Image(const ProcessKey& key) {
  Stripe& stripe = StripeOf(key.tgid);
  const std::lock_guard lock(stripe.mutex);
  const auto it = stripe.entries.find(key);
  if (it == stripe.entries.end()) return nullptr;
  return it->second.process ? it->second.process : it->second.forked_from;
}

ProcessPtr ProcessTable::Find(std::uint32_t tgid, std::uint64_t start_ns) {
  if (start_ns == 0) return FindLatest(tgid);
  const ProcessKey key = ProcessKey::FromBootTime(tgid, start_ns);
  ProcessPtr forked_from;
  {
    Stripe& stripe = StripeOf(tgid);
    const std::lock_guard lock(stripe.mutex);
    if (const auto it = stripe.entries.find(key); it != stripe.entries.end()) {
      if (it->second.process) return it->second.process;
      forked_from = it->second.forked_from;
    }
  }
  return Store(key, ReadOrDerive(key, forked_from));
}

ProcessPtr ProcessTable::FindLatest(std::uint32_t tgid) {
  ProcessKey key{tgid, 0};
  {
    Stripe& stripe = StripeOf(tgid);
    const std::lock_guard lock(stripe.mutex);
    if (const auto it = stripe.latest.find(tgid); it != stripe.latest.end()) key.start_ticks = it->second;
  }
  if (key.start_ticks != 0) return Find(tgid, key.start_ns());
  std::optional<ProcessInfo> read = reader_.Read(tgid);
  if (read) key = read->key;
  return Store(key, read ? Make(*std::move(read), true) : ReadOrDerive(key, nullptr));
}

void ProcessTable::OnFork(const ProcessEvent& event) {
  Entry entry;
  if (const ProcessPtr parent = FindLatest(event.parent); parent->known) entry.forked_from = parent;
  const ProcessKey key = ProcessKey::FromBootTime(event.tgid, event.start_ns);
  Stripe& stripe = StripeOf(event.tgid);
  const std::lock_guard lock(stripe.mutex);
  if (stripe.entries.try_emplace(key, std::move(entry)).second) stripe.latest[event.tgid] = key.start_ticks;
}

ProcessPtr ProcessTable::OnExec(const ProcessEvent& event, std::uint64_t now_ns) {
  const ProcessKey key = ProcessKey::FromBootTime(event.tgid, event.start_ns);
  ProcessPtr made = ReadOrDerive(key, Image(key));
  Stripe& stripe = StripeOf(event.tgid);
  const std::lock_guard lock(stripe.mutex);
  Entry& entry = stripe.entries[key];
  if (entry.process) departures_.push_back({now_ns, key, entry.process->id});
  entry.process = made;
  entry.forked_from.reset();
  stripe.latest[event.tgid] = key.start_ticks;
  exec_epochs_[event.tgid % kExecEpochs].fetch_add(1, std::memory_order_release);
  return made;
}

void ProcessTable::OnExit(const ProcessKey& key, std::uint64_t now_ns) {
  Stripe& stripe = StripeOf(key.tgid);
  const std::lock_guard lock(stripe.mutex);
  const auto it = stripe.entries.find(key);
  if (it == stripe.entries.end() || it->second.exited) return;
  it->second.exited = true;
  departures_.push_back({now_ns, key, 0});
}

ProcessPtr ProcessTable::OnEvent(const ProcessEvent& event, std::uint64_t now_ns) {
  switch (event.type) {
    case ProcessEventType::kFork: OnFork(event); break;
    case ProcessEventType::kExec: return OnExec(event, now_ns);
    case ProcessEventType::kExit: OnExit(ProcessKey::FromBootTime(event.tgid, event.start_ns), now_ns); break;
  }
  return nullptr;
}

std::vector<ProcessKey> ProcessTable::LiveKeys() const {
  std::vector<ProcessKey> keys;
  for (const Stripe& stripe : stripes_) {
    const std::lock_guard lock(stripe.mutex);
    for (const auto& [key, entry] : stripe.entries) {
      if (!entry.exited) keys.push_back(key);
    }
  }
  return keys;
}

// Entries first, then /proc: what appears in between is in both or in /proc alone, and is never taken for ended.
void ProcessTable::Scan(std::uint64_t now_ns) {
  const std::vector<ProcessKey> before = LiveKeys();
  absl::flat_hash_set<ProcessKey> alive;
  for (const std::uint32_t tgid : reader_.ListProcesses()) {
    std::optional<ProcessInfo> info = reader_.Read(tgid);
    if (!info) continue;
    const ProcessKey key = info->key;
    alive.insert(key);
    if (!Image(key)) Store(key, Make(*std::move(info), true));
  }
  for (const ProcessKey& key : before) {
    if (!alive.contains(key)) OnExit(key, now_ns);
  }
}

// To be forgotten like what exited now.
void ProcessTable::RetireUnknown(std::uint64_t now_ns) {
  for (Stripe& stripe : stripes_) {
    std::vector<ProcessKey> unknown;
    {
      const std::lock_guard lock(stripe.mutex);
      unknown.swap(stripe.unknown);
    }
    for (const ProcessKey& key : unknown) OnExit(key, now_ns);
  }
}

std::uint64_t ProcessTable::next_expiry_ns() const {
  if (departures_.empty()) return 0;
  return departures_.front().at_ns + static_cast<std::uint64_t>(options_.keep_after_exit.count());
}

std::vector<std::uint64_t> ProcessTable::Expire(std::uint64_t now_ns) {
  RetireUnknown(now_ns);
  std::vector<std::uint64_t> gone;
  const auto keep = static_cast<std::uint64_t>(options_.keep_after_exit.count());
  while (!departures_.empty() && departures_.front().at_ns + keep <= now_ns) {
    const Departure departure = departures_.front();
    departures_.pop_front();
    if (departure.replaced_id != 0) {
      gone.push_back(departure.replaced_id);
      continue;
    }
    Stripe& stripe = StripeOf(departure.key.tgid);
    const std::lock_guard lock(stripe.mutex);
    const auto it = stripe.entries.find(departure.key);
    if (it == stripe.entries.end()) continue;
    if (it->second.process) gone.push_back(it->second.process->id);
    stripe.entries.erase(it);
    const auto latest = stripe.latest.find(departure.key.tgid);
    if (latest != stripe.latest.end() && latest->second == departure.key.start_ticks) stripe.latest.erase(latest);
  }
  return gone;
}

std::vector<ProcessPtr> ProcessTable::Snapshot() const {
  std::vector<ProcessPtr> all;
  for (const Stripe& stripe : stripes_) {
    const std::lock_guard lock(stripe.mutex);
    for (const auto& [key, entry] : stripe.entries) {
      if (entry.process && entry.process->known && !entry.exited) all.push_back(entry.process);
    }
  }
  return all;
}

}  // namespace probed::discovery
