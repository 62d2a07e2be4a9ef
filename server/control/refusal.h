// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The server for peers that may not enter: every method of every service is answered with PERMISSION_DENIED.
#pragma once

#include <grpcpp/server.h>

#include <memory>

namespace probed::control {

class Refusal {
 public:
  Refusal();
  ~Refusal();
  Refusal(const Refusal&) = delete;
  Refusal& operator=(const Refusal&) = delete;

  grpc::Server& server() { return *server_; }

 private:
  class AnyMethod;
  std::unique_ptr<AnyMethod> method_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace probed::control
