// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Record batches (magic 2): how many messages they hold and, where they are not compressed, the trace contexts in the
// records' headers. Compressed batches stay closed: their number of messages stands outside.
#pragma once

#include <cstdint>
#include <string_view>

#include "modules/kafka/decode/types.h"

namespace probed::mod::kafka {

/// Adds the batches of one partition to `out`: `length` bytes of records, in which there may be holes. Not ok: they are
/// not all there.
void ReadRecords(WireReader& r, std::uint64_t length, Topics& topics, Batches* out);

}  // namespace probed::mod::kafka
