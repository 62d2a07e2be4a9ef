// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The way to the daemon: one channel over its unix socket and the stubs on it.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "probed/v1/control.grpc.pb.h"
#include "probed/v1/observe.grpc.pb.h"

namespace probed::cli {

class Connection {
 public:
  /// Fails fast, and with the operating system's reason: UNAVAILABLE when nobody listens, PERMISSION_DENIED when the
  /// socket may not be opened. gRPC would say neither.
  static grpc::Status Open(const std::string& socket, std::unique_ptr<Connection>& connection);

  template <typename Stub>
  Stub& Get();

 private:
  explicit Connection(const std::string& socket);

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Control::Stub> control_;
  std::unique_ptr<v1::Observe::Stub> observe_;
};

template <>
inline v1::Control::Stub& Connection::Get<v1::Control::Stub>() {
  return *control_;
}

template <>
inline v1::Observe::Stub& Connection::Get<v1::Observe::Stub>() {
  return *observe_;
}

}  // namespace probed::cli
