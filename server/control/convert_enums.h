// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Enums between proto and model. Proto enums are open: a newer client may send numbers this daemon does not know, which
// is an error of the request, not of the daemon.
#pragma once

#include <optional>
#include <string>

#include "probed/v1/types.pb.h"
#include "server/config/model.h"
#include "server/control/convert_text.h"

namespace probed::control {

v1::SinkType ToProto(config::SinkType type);
v1::Compression ToProto(config::Compression compression);
v1::Temporality ToProto(config::Temporality temporality);
v1::Signal ToProto(config::Signal signal);
/// The model's words: "server", "client", ...; UNSPECIFIED for any other.
v1::SpanKind SpanKindToProto(const std::string& kind);
/// The words of state::SinkStatus: "ok", "retrying", "failing", "idle"; UNSPECIFIED for any other.
v1::SinkHealth SinkHealthToProto(const std::string& state);

/// Nothing, and a violation that names what there is, for UNSPECIFIED and unknown numbers. Compression and Temporality
/// have a default for UNSPECIFIED.
std::optional<config::SinkType> FromProto(v1::SinkType type, const std::string& path, Violations& violations);
std::optional<config::Compression> FromProto(v1::Compression value, const std::string& path, Violations& violations);
std::optional<config::Temporality> FromProto(v1::Temporality value, const std::string& path, Violations& violations);
std::optional<config::Signal> FromProto(v1::Signal signal, const std::string& path, Violations& violations);
std::optional<std::string> SpanKindFromProto(v1::SpanKind kind, const std::string& path, Violations& violations);

}  // namespace probed::control
