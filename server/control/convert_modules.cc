// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/convert.h"
#include "server/control/errors.h"

namespace probed::control {
namespace {

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

v1::ModulePhase PhaseToProto(state::Phase phase) {
  switch (phase) {
    case state::Phase::kPending: return v1::MODULE_PHASE_PENDING;
    case state::Phase::kVerifying: return v1::MODULE_PHASE_VERIFYING;
    case state::Phase::kLoading: return v1::MODULE_PHASE_LOADING;
    case state::Phase::kRunning: return v1::MODULE_PHASE_RUNNING;
    case state::Phase::kDraining: return v1::MODULE_PHASE_DRAINING;
    case state::Phase::kUnloaded: return v1::MODULE_PHASE_UNLOADED;
    case state::Phase::kFailed: return v1::MODULE_PHASE_FAILED;
  }
  return v1::MODULE_PHASE_UNSPECIFIED;
}

void ToProto(const state::Receipt& receipt, v1::Receipt& out) {
  out.set_old_generation(receipt.old_generation);
  out.set_new_generation(receipt.new_generation);
  out.set_submitted_old(receipt.submitted_old);
  out.set_submitted_new(receipt.submitted_new);
  out.set_consumed_old(receipt.consumed_old);
  out.set_consumed_new(receipt.consumed_new);
  out.set_lost(receipt.lost);
  out.set_doubled(receipt.doubled);
}

void ToProto(const state::ModuleDescription& description, Manifest manifest, v1::ModuleDescription& out) {
  out.set_version(Utf8(description.version));
  out.set_summary(Utf8(description.description));
  out.set_stability(Utf8(description.status));
  out.set_path(Utf8(description.path));
  out.set_digest(description.digest);
  out.set_problem(Utf8(description.problem));
  if (manifest == Manifest::kWith) out.set_manifest_json(Utf8(description.manifest_json));
}

void ToProto(const state::ModuleStanding& standing, v1::ModuleStatus& out) {
  out.set_phase(PhaseToProto(standing.phase));
  out.set_generation(standing.generation);
  if (standing.phase_since_utc_ns != 0) SetTime(standing.phase_since_utc_ns, *out.mutable_phase_since());
  for (const state::Condition& condition : standing.conditions) control::ToProto(condition, *out.add_conditions());
}

}  // namespace

void SetTime(std::uint64_t utc_ns, google::protobuf::Timestamp& out) {
  out.set_seconds(static_cast<std::int64_t>(utc_ns / kNsPerSecond));
  out.set_nanos(static_cast<std::int32_t>(utc_ns % kNsPerSecond));
}

void ToProto(const state::Outcome& outcome, v1::ChangeOutcome& out) {
  out.set_version(outcome.version);
  for (const std::string& warning : outcome.warnings) out.add_warnings(Utf8(warning));
  if (outcome.receipt) ToProto(*outcome.receipt, *out.mutable_receipt());
  out.set_validated_only(outcome.validated_only);
  out.set_replayed(outcome.replayed);
  out.set_unchanged(outcome.unchanged);
}

void ToProto(const state::Condition& condition, v1::Condition& out) {
  out.set_type(Utf8(condition.type));
  out.set_reason(Utf8(condition.reason));
  out.set_message(Utf8(condition.message));
  if (condition.since_utc_ns != 0) SetTime(condition.since_utc_ns, *out.mutable_since());
}

void ToProto(const state::ModuleView& module, Manifest manifest, v1::Module& out) {
  out.set_name(module.name);
  out.mutable_spec()->set_name(module.name);
  out.mutable_spec()->set_config_json(Utf8(module.config_json));
  out.mutable_spec()->set_mode(module.desired ? v1::DESIRED_MODE_ACTIVE : v1::DESIRED_MODE_DISABLED);
  ToProto(module.standing, *out.mutable_status());
  if (module.description) ToProto(*module.description, manifest, *out.mutable_description());
  out.set_etag(module.etag);
}

}  // namespace probed::control
