// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/discovery/container_id.h"

#include <gmock/gmock.h>

namespace probed::discovery {
namespace {

const std::string kId = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const std::string kOther = "f" + kId.substr(1);

TEST(ContainerId, IsFoundInTheFormsOfTheRuntimes) {
  for (const std::string& path : {
           "/docker/" + kId,
           "/system.slice/docker-" + kId + ".scope",
           "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-" + kId + ".scope",
           "/system.slice/containerd.service/kubepods-burstable-pod1.slice:cri-containerd:" + kId,
           "/kubepods.slice/kubepods-pod1.slice/crio-" + kId + ".scope",
           "/machine.slice/libpod-" + kId + ".scope/container",
           "/kubepods/burstable/pod6b1d1a3e-7b2c-4f5c-9e93-8a5e8d0c2b11/" + kId,
           "/docker/" + kId + "/system.slice/nginx.service",
       }) {
    EXPECT_EQ(ContainerIdOf(path), kId) << path;
  }
}

TEST(ContainerId, IsTheInnermostOfNestedOnes) { EXPECT_EQ(ContainerIdOf("/docker/" + kOther + "/docker/" + kId), kId); }

TEST(ContainerId, IsEmptyWhereThereIsNone) {
  for (const std::string& path : {
           std::string(),
           std::string("/"),
           std::string("/user.slice/user-1000.slice/session-1.scope"),
           "/machine.slice/libpod-conmon-" + kId + ".scope",
           "/machine.slice/crio-conmon-" + kId + ".scope",
           "/docker/" + kId.substr(1),
           "/docker/a" + kId,
           "/docker/" + kId.substr(1) + "g",
       }) {
    EXPECT_EQ(ContainerIdOf(path), "") << path;
  }
}

}  // namespace
}  // namespace probed::discovery
