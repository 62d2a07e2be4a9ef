// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The wide part of convert_config.h: SinkSpec, where what is absent takes the model's default.
#pragma once

#include <string>

#include "probed/v1/types.pb.h"
#include "server/config/model.h"
#include "server/control/convert_text.h"

namespace probed::control {

/// Everything but the name. What only file sinks have is left out for the others; receivers of OTLP likewise.
v1::SinkSpec SinkSpecToProto(const config::Sink& sink);
config::Sink SinkSpecFromProto(const v1::SinkSpec& spec, const std::string& path, Violations& violations);

}  // namespace probed::control
