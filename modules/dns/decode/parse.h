// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Bytes of one DNS message (RFC 1035) to values. Names are read by ldns, which follows compression pointers within
// bounds. Its whole-message parser is not used: it allocates each record: 6400 instructions for an answer of two
// addresses, where the name costs 520.
#pragma once

#include <string_view>

#include "api/sdk/parse_state.h"
#include "modules/dns/decode/types.h"

namespace probed::mod::dns {

/// kOk or kInvalid. A message whose answers are cut or garbled is kOk and `incomplete`; one whose question is, is not.
sdk::ParseState ParseMessage(std::string_view bytes, Message* out);

}  // namespace probed::mod::dns
