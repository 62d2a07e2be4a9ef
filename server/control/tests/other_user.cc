// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A client that is somebody else: other_user SOCKET UID GID [SUPPLEMENTARY_GID]. Asks GetInfo and prints the canonical
// code of what came back.
#include <grp.h>
#include <grpcpp/grpcpp.h>
#include <probed/v1/control.grpc.pb.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

int main(int count, char** arguments) {
  if (count < 4) return 2;
  std::vector<gid_t> groups;
  if (count > 4) groups.push_back(static_cast<gid_t>(std::atoi(arguments[4])));
  if (setgroups(groups.size(), groups.data()) != 0 || setgid(static_cast<gid_t>(std::atoi(arguments[3]))) != 0 ||
      setuid(static_cast<uid_t>(std::atoi(arguments[2]))) != 0) {
    return 3;
  }
  const auto channel = grpc::CreateChannel("unix:" + std::string(arguments[1]), grpc::InsecureChannelCredentials());
  const auto stub = probed::v1::Control::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  probed::v1::GetInfoResponse response;
  const grpc::Status status = stub->GetInfo(&context, {}, &response);
  std::printf("%d %s\n", static_cast<int>(status.error_code()), status.error_details().c_str());
  return 0;
}
