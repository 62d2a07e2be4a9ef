// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/lib/connection.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace probed::cli {
namespace {

// A manifest or a ledger may be larger than gRPC's default of 4 MiB.
constexpr int kLargestAnswer = 64 << 20;

grpc::Status CannotConnect(const std::string& socket, int error) {
  const bool denied = error == EACCES || error == EPERM;
  return {denied ? grpc::StatusCode::PERMISSION_DENIED : grpc::StatusCode::UNAVAILABLE,
          "cannot connect to " + socket + ": " + std::strerror(error)};
}

/// Connects and hangs up, for the sake of errno.
grpc::Status Knock(const std::string& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.size() >= sizeof(address.sun_path)) return CannotConnect(socket, ENAMETOOLONG);
  std::memcpy(address.sun_path, socket.data(), socket.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return CannotConnect(socket, errno);
  const int result = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = result == 0 ? 0 : errno;
  ::close(fd);
  // EAGAIN: somebody listens, the backlog is full; gRPC waits for it.
  return error == 0 || error == EAGAIN ? grpc::Status::OK : CannotConnect(socket, error);
}

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& socket) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kLargestAnswer);
  // The daemon does not look at the name; a proxy from the environment has no business here.
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel("unix:" + socket, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

grpc::Status Connection::Open(const std::string& socket, std::unique_ptr<Connection>& connection) {
  grpc::Status status = Knock(socket);
  if (status.ok()) connection.reset(new Connection(socket));
  return status;
}

Connection::Connection(const std::string& socket)
    : channel_(MakeChannel(socket)),
      control_(v1::Control::NewStub(channel_)),
      observe_(v1::Observe::NewStub(channel_)) {}

}  // namespace probed::cli
