// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Bytes to frames. Stateless.
#pragma once

#include <string_view>

#include "api/sdk/parse_state.h"
#include "decode/types.h"

namespace probed::mod::ping {

/// kOk: `frame->size` bytes are one frame. kNeedMore: no line end yet. kInvalid: the line is none of ours; skip it.
sdk::ParseState ParseFrame(std::string_view bytes, Frame* frame);

}  // namespace probed::mod::ping
