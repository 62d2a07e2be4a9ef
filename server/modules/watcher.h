// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Tells when something in the module directories changed: a file was written to its end, moved, deleted, or got another
// owner or mode. Sleeps in the kernel meanwhile: no timer. Knows nothing of modules but the shape of their names.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "server/base/status.h"

namespace probed::modules {

class Watcher {
 public:
  /// Names of modules whose files changed. Empty: too much changed at once, look at everything.
  using Callback = std::function<void(const std::set<std::string>& names)>;

  /// `callback` runs on `executor` ([control]) only, once per batch of kernel events. A directory that does not exist
  /// yet is awaited in its nearest parent. Errors: the kernel gives no inotify instance.
  static Result<std::unique_ptr<Watcher>> Start(const boost::asio::any_io_executor& executor,
                                                std::vector<std::string> directories, Callback callback);
  /// On the executor's thread. The callback is not called any more.
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

 private:
  class Core;
  explicit Watcher(std::shared_ptr<Core> core);

  std::shared_ptr<Core> core_;  // shared with the read that is under way
};

}  // namespace probed::modules
