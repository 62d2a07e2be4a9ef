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

/// Adds the batches of one partition to `out`. `bytes` is what is there of `length` bytes of records.
void ReadRecords(std::string_view bytes, std::uint64_t length, Topics& topics, Batches* out);

}  // namespace probed::mod::kafka
