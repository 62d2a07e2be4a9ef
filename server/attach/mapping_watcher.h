// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Says which process mapped something executable, as it happens and on the whole machine: programs started and
// libraries loaded later alike. By perf's own records of mappings (one dummy event per CPU), so nothing is polled and
// nothing runs in the processes watched. [control]
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "server/base/status.h"

namespace probed::attach {

class MappingWatcher {
 public:
  /// Both callbacks run on the executor. on_lost: records had no room, so everything must be looked at.
  /// Errors: this kernel or these rights do not allow it.
  static Result<std::unique_ptr<MappingWatcher>> Start(const boost::asio::any_io_executor& executor,
                                                       std::function<void(std::uint32_t pid)> on_mapping,
                                                       std::function<void()> on_lost);
  virtual ~MappingWatcher() = default;
};

}  // namespace probed::attach
