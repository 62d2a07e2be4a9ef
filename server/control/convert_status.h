// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What the daemon found (server/state/ports.h) as proto. These travel to clients only; the one thing that comes back is
// a filter of Tail.
#pragma once

#include <string>
#include <vector>

#include "probed/v1/control.pb.h"
#include "probed/v1/observe.pb.h"
#include "probed/v1/types.pb.h"
#include "server/control/convert_text.h"
#include "server/state/ports.h"

namespace probed::control {

/// Without the manifest: only GetModule carries it.
v1::ModuleDescription ToProto(const state::ModuleDescription& description);
v1::ModuleDescription WithManifest(const state::ModuleDescription& description);
v1::Condition ToProto(const state::Condition& condition);
v1::Receipt ToProto(const state::Receipt& receipt);
v1::SinkStatus ToProto(const state::SinkStatus& status);
v1::Platform ToProto(const state::PlatformInfo& info);  // all but `machine`
v1::LedgerLine ToProto(const state::LedgerLine& line);
v1::GetLedgerResponse ToProto(const std::vector<state::LedgerLine>& lines, std::uint64_t read_utc_ns);
v1::TailItem ToProto(const state::TailItem& item);
/// What one TailReader::Next returned, in order. A message says how many items were lost before its own, so that a new
/// one begins at each loss; also when one grows past a megabyte, because clients refuse messages of more than four.
std::vector<v1::TailResponse> ToProto(const std::vector<state::TailItem>& items);

/// No signals: traces alone.
state::TailFilter FromProto(const v1::TailRequest& request, Violations& violations);

/// From proto, for clients of the port types on the other side of a connection (probectl, tests).
state::Receipt FromProto(const v1::Receipt& receipt);
state::LedgerLine FromProto(const v1::LedgerLine& line);

}  // namespace probed::control
