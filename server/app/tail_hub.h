// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Tail over the in-memory ring: batches turned back into items, filtered per reader.
#pragma once

#include <memory>

#include "server/export/tail_ring.h"
#include "server/state/ports.h"

namespace probed::app {

class TailHub final : public state::TailPort {
 public:
  explicit TailHub(exporter::TailRing& ring) : ring_(ring) {}
  std::unique_ptr<state::TailReader> OpenTail(const state::TailFilter& filter) override;

 private:
  exporter::TailRing& ring_;
};

}  // namespace probed::app
