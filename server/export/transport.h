// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The seam between a sink's queue and the outside: one blocking attempt at a time.
#pragma once

#include <chrono>

#include "server/export/batch.h"
#include "server/export/retry.h"

namespace probed::exporter {

class Transport {
 public:
  virtual ~Transport() = default;

  /// Sends one batch and says what came of it. Returns within about `timeout`. [sink] only, never concurrently.
  virtual AttemptResult Send(const BatchPtr& batch, std::chrono::milliseconds timeout) = 0;

  /// Makes the Send under way, and every later one, return soon. [any]
  virtual void Cancel() {}
};

}  // namespace probed::exporter
