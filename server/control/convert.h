// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Values of the domain as messages of the API and back. No rule of the domain here: what a message can say and a value
// cannot is refused as a field violation, everything else is judged by config/ and state/.
#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <probed/v1/control.pb.h>
#include <probed/v1/observe.pb.h>
#include <probed/v1/types.pb.h>

#include <vector>

#include "server/base/error_details.h"
#include "server/base/status.h"
#include "server/state/change_log.h"
#include "server/state/engine.h"
#include "server/state/ports.h"

namespace probed::control {

void SetTime(std::uint64_t utc_ns, google::protobuf::Timestamp& out);

// --- outcomes ---------------------------------------------------------------------------------------------------

void ToProto(const state::Outcome& outcome, v1::ChangeOutcome& out);
void ToProto(const state::Condition& condition, v1::Condition& out);

// --- modules ----------------------------------------------------------------------------------------------------

enum class Manifest { kWithout, kWith };
void ToProto(const state::ModuleView& module, Manifest manifest, v1::Module& out);

// --- sinks ------------------------------------------------------------------------------------------------------

void ToProto(const state::SinkView& sink, v1::Sink& out);
/// SINK_INVALID for what cannot be said of a sink.
Result<config::Sink> FromProto(const v1::Sink& sink);

// --- routes and targets -----------------------------------------------------------------------------------------

void ToProto(const state::RoutesView& routes, v1::RouteTable& out);
void ToProto(const state::TargetsView& targets, v1::TargetTable& out);
/// ROUTES_INVALID, TARGETS_INVALID.
Result<std::vector<config::Route>> FromProto(const v1::RouteTable& table);
Result<std::vector<config::Target>> FromProto(const v1::TargetTable& table);

// --- state and streams ------------------------------------------------------------------------------------------

void ToProto(const state::Snapshot& snapshot, v1::GetStateResponse& out);
v1::ResourceKind ToProto(state::ResourceKind kind);
void ToProto(const state::WatchEvent& event, v1::WatchResponse& out);
void ToProto(const state::TailItem& item, v1::TailItem& out);
void ToProto(const state::LedgerLine& line, v1::LedgerLine& out);
/// FILTER_INVALID for a signal that is none.
Result<state::TailFilter> FromProto(const v1::TailRequest& request);

}  // namespace probed::control
