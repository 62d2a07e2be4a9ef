// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The last batches in memory, for Tail. A writer never waits for a reader: who is too slow loses the oldest and is told
// how many items those were. While nobody reads nothing is kept, and a batch's memory serves again once it was sent.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "server/export/batch.h"

namespace probed::exporter {

class TailReader;

class TailRing {
 public:
  explicit TailRing(std::size_t batches);
  /// Ends all readers; they may live on.
  ~TailRing();
  TailRing(const TailRing&) = delete;
  TailRing& operator=(const TailRing&) = delete;

  void Push(BatchPtr batch);  // [any]

  /// A reader of what comes from now on. [any]
  std::unique_ptr<TailReader> Open();

  /// Shared by the ring and its readers, so that a reader may outlive the ring.
  struct State;

 private:
  std::shared_ptr<State> state_;
};

/// One reader's place in the ring. One thread.
class TailReader {
 public:
  struct Read {
    std::uint64_t lost_items = 0;  // dropped before the first of `batches`
    std::vector<BatchPtr> batches;
    bool ended = false;  // the ring is gone: nothing will come any more
  };

  TailReader(std::shared_ptr<TailRing::State> state, std::uint64_t next_batch, std::uint64_t items_before);
  ~TailReader();
  TailReader(const TailReader&) = delete;
  TailReader& operator=(const TailReader&) = delete;

  /// Everything new; waits up to `timeout` when there is nothing.
  Read Next(std::chrono::milliseconds timeout);

  /// Makes a waiting Next return. [any]
  void Wake();

 private:
  std::shared_ptr<TailRing::State> state_;
  std::uint64_t next_batch_;
  std::uint64_t items_before_;  // items pushed before next_batch_
};

}  // namespace probed::exporter
