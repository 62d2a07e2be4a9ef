// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/convert_status.h"

#include <algorithm>

#include "server/control/convert_enums.h"

namespace probed::control {
namespace {

constexpr std::size_t kResponseBytes = 1U << 20U;

}  // namespace

v1::ModuleDescription ToProto(const state::ModuleDescription& description) {
  v1::ModuleDescription out;
  out.set_version(ValidUtf8(description.version));
  out.set_summary(ValidUtf8(description.description));
  out.set_stability(ValidUtf8(description.status));
  out.set_path(ValidUtf8(description.path));
  out.set_digest(ValidUtf8(description.digest));
  out.set_problem(ValidUtf8(description.problem));
  return out;
}

v1::ModuleDescription WithManifest(const state::ModuleDescription& description) {
  v1::ModuleDescription out = ToProto(description);
  out.set_manifest_json(ValidUtf8(description.manifest_json));
  return out;
}

v1::Condition ToProto(const state::Condition& condition) {
  v1::Condition out;
  out.set_type(ValidUtf8(condition.type));
  out.set_reason(ValidUtf8(condition.reason));
  out.set_message(ValidUtf8(condition.message));
  if (condition.since_utc_ns != 0) *out.mutable_since() = ToTimestamp(condition.since_utc_ns);
  return out;
}

v1::Receipt ToProto(const state::Receipt& receipt) {
  v1::Receipt out;
  out.set_old_generation(receipt.old_generation);
  out.set_new_generation(receipt.new_generation);
  out.set_submitted_old(receipt.submitted_old);
  out.set_submitted_new(receipt.submitted_new);
  out.set_consumed_old(receipt.consumed_old);
  out.set_consumed_new(receipt.consumed_new);
  out.set_lost(receipt.lost);
  out.set_doubled(receipt.doubled);
  return out;
}

v1::SinkStatus ToProto(const state::SinkStatus& status) {
  v1::SinkStatus out;
  out.set_health(SinkHealthToProto(status.state));
  out.set_last_error(ValidUtf8(status.last_error));
  out.set_queued_items(status.queued_items);
  out.set_sent_items(status.sent_items);
  out.set_rejected_items(status.rejected_items);
  out.set_dropped_items(status.dropped_items);
  return out;
}

v1::Platform ToProto(const state::PlatformInfo& info) {
  v1::Platform out;
  out.set_kernel_release(ValidUtf8(info.kernel_release));
  out.set_backend(ValidUtf8(info.backend));
  for (const std::string& name : info.backends_available) out.add_backends_available(ValidUtf8(name));
  for (const std::string& feature : info.missing_features) out.add_missing_features(ValidUtf8(feature));
  for (const std::string& capability : info.capabilities) out.add_capabilities(ValidUtf8(capability));
  out.set_shards(info.shards);
  return out;
}

v1::LedgerLine ToProto(const state::LedgerLine& line) {
  v1::LedgerLine out;
  out.set_scope(ValidUtf8(line.scope));
  for (const auto& [name, value] : line.counters) (*out.mutable_counters())[ValidUtf8(name)] = value;
  out.set_imbalance(ValidUtf8(line.imbalance));
  return out;
}

v1::GetLedgerResponse ToProto(const std::vector<state::LedgerLine>& lines, std::uint64_t read_utc_ns) {
  v1::GetLedgerResponse out;
  for (const state::LedgerLine& line : lines) *out.add_lines() = ToProto(line);
  out.set_closes(std::all_of(lines.begin(), lines.end(), [](const auto& line) { return line.imbalance.empty(); }));
  *out.mutable_read_at() = ToTimestamp(read_utc_ns);
  return out;
}

v1::TailItem ToProto(const state::TailItem& item) {
  v1::TailItem out;
  out.set_signal(ToProto(item.signal));
  out.set_module(ValidUtf8(item.module));
  out.set_service(ValidUtf8(item.service));
  out.set_json(ValidUtf8(item.json));
  return out;
}

std::vector<v1::TailResponse> ToProto(const std::vector<state::TailItem>& items) {
  std::vector<v1::TailResponse> out;
  std::size_t bytes = 0;
  for (const state::TailItem& item : items) {
    bytes += item.json.size();
    if (out.empty() || item.lost != 0 || bytes > kResponseBytes) {
      out.emplace_back();
      bytes = item.json.size();
    }
    if (item.lost != 0) out.back().mutable_loss()->set_lost(item.lost);
    if (!item.json.empty()) *out.back().add_items() = ToProto(item);  // without: a bare loss record
  }
  return out;
}

state::TailFilter FromProto(const v1::TailRequest& request, Violations& violations) {
  state::TailFilter out;
  out.modules = {request.modules().begin(), request.modules().end()};
  out.services = {request.services().begin(), request.services().end()};
  out.traces = request.signals().empty();
  for (int i = 0; i < request.signals_size(); ++i) {
    const auto signal = FromProto(request.signals(i), At("signals", i), violations);
    out.traces |= signal == config::Signal::kTraces;
    out.metrics |= signal == config::Signal::kMetrics;
    out.logs |= signal == config::Signal::kLogs;
  }
  return out;
}

state::Receipt FromProto(const v1::Receipt& receipt) {
  return {.old_generation = receipt.old_generation(),
          .new_generation = receipt.new_generation(),
          .submitted_old = receipt.submitted_old(),
          .submitted_new = receipt.submitted_new(),
          .consumed_old = receipt.consumed_old(),
          .consumed_new = receipt.consumed_new(),
          .lost = receipt.lost(),
          .doubled = receipt.doubled()};
}

state::LedgerLine FromProto(const v1::LedgerLine& line) {
  return {.scope = line.scope(),
          .counters = {line.counters().begin(), line.counters().end()},
          .imbalance = line.imbalance()};
}

}  // namespace probed::control
