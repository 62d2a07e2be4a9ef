// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What a parser says about the bytes it was given, and what happened to the buffer. A parser allocates nothing and
// throws nothing; the reason of a failure is counted, not described.
#pragma once

#include <cstdint>

namespace probed::sdk {

enum class ParseState : std::uint8_t {
  kInvalid,      // not the grammar. Nothing consumed: the caller looks for the next boundary.
  kNeedMore,     // a prefix of something valid. Nothing consumed: call again with the same bytes and more behind them.
  kIgnored,      // valid and of no interest. Consumed.
  kEndOfStream,  // what follows speaks another protocol, or nothing follows. The frame itself is consumed.
  kOk,           // one frame is in the output. Its bytes are consumed; more frames may follow them.
};

}  // namespace probed::sdk
