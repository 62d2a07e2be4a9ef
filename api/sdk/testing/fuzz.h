// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What fuzz targets of decoders share: an input as a list of records, and what must hold after each and at the end.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "api/sdk/generations.h"
#include "api/sdk/testing/drive.h"

namespace probed::sdk::testing {

inline void Require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

// A module is created and configured once per process, which takes longer than most inputs do. What an input can change
// is its own: Driver::Restart().

/// Hands out the records of `input`: a head of `head_bytes`, whose first byte is for `feed`, then as many bytes as
/// `size(head)` says, or what is left. The ledger must close after each.
template <class Size, class Feed>
void FeedRecords(Driver& driver, std::string_view input, std::size_t head_bytes, Size size, Feed feed) {
  while (input.size() >= head_bytes) {
    const auto* head = reinterpret_cast<const std::uint8_t*>(input.data());
    const std::size_t wanted = size(head);
    input.remove_prefix(head_bytes);
    const std::string_view bytes = input.substr(0, std::min(wanted, input.size()));
    input.remove_prefix(bytes.size());
    feed(head[0], bytes);
    Require(driver.host.LedgerProblem().empty(), "the ledger does not close");
  }
}

/// When all streams were closed.
inline void RequireNothingLeft(Driver& driver) {
  Require(driver.host.LedgerProblem().empty(), "the ledger does not close at the end");
  Require(driver.host.in_flight() == 0, "an exchange stayed open");
  Require(driver.host.bytes() == 0, "memory was not given back");
  Require(driver.OldestGeneration() == Pins::kNone, "a generation stayed pinned");
}

}  // namespace probed::sdk::testing
