// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// One stream as a shard sees it: what the module's opaque probe_stream_t is. Owned by the feed's table.
#pragma once

#include <cstdint>
#include <memory>

#include "api/module/probe_host.h"
#include "server/pipeline/exchange.h"
#include "server/pipeline/stream_constants.h"

namespace probed::pipeline {
class ModuleFeed;

/// Stands before each piece of memory a module was given, so that what it leaves behind is freed with the stream.
struct StreamMemory {
  StreamMemory* previous = nullptr;
  StreamMemory* next = nullptr;
  std::size_t size = 0;
  std::size_t reserved = 0;  // keeps the module's part aligned to 16
};
}  // namespace probed::pipeline

struct probe_stream {
  probed::pipeline::ModuleFeed* feed = nullptr;
  std::uint64_t cookie = 0;
  std::uint16_t incarnation = 0;
  std::uint8_t layer = 0;
  bool has_open = false;
  bool seen[2] = {false, false};
  bool given_away = false;             // by its module; the kernel follows at the stream's next segment
  bool names_plaintext = false;        // of the raw layer: the plaintext over its socket has a name
  bool begun_anew = false;             // of plaintext: its offsets are counted from somewhere else now
  bool closed = false;                 // the module was told; what still comes is only counted
  std::uint32_t rule = 0;              // target rule that let it in
  std::uint64_t expected[2] = {0, 0};  // offset after the last record of a direction
  std::uint64_t joined_from = 0;       // of plaintext: the next exchange to be joined begins here or later
  std::uint64_t memory = 0;            // bytes given out by stream_alloc
  std::uint64_t last_ktime_ns = 0;
  std::uint32_t last_tgid = 0;
  probed::pipeline::StreamMemory* pieces = nullptr;
  void* state = nullptr;  // the module's word
  probe_open_t open{};
  probed::pipeline::PairKey pair;                                // of `open`
  std::unique_ptr<probed::pipeline::StreamConstants> constants;  // of the last set the module named
  std::uint32_t unkept_set = 0;                                  // too long, or there was no memory for it
};
