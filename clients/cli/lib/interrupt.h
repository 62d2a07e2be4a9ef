// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Ctrl-C: cancels the calls under way instead of leaving them to the daemon.
#pragma once

#include <grpcpp/client_context.h>

#include <atomic>
#include <mutex>
#include <set>

namespace probed::cli {

/// Any thread may Fire; each call registers for its life.
class Interrupt {
 public:
  /// Cancels what is registered and what will be.
  void Fire();
  bool fired() const { return fired_; }

  class Scope {
   public:
    Scope(Interrupt& interrupt, grpc::ClientContext& context);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Interrupt& interrupt_;
    grpc::ClientContext& context_;
  };

 private:
  std::mutex mutex_;
  std::set<grpc::ClientContext*> calls_;
  std::atomic<bool> fired_ = false;
};

}  // namespace probed::cli
