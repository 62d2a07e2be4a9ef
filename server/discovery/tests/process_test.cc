// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/discovery/process.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "server/discovery/uuid.h"

namespace probed::discovery {
namespace {

using ::testing::Not;

HostInfo Host() {
  return {.name = "box", .id = "m1", .arch = "amd64", .boot_id = "b1", .boot_utc_ns = 1'700'000'000'000'000'000};
}

ProcessInfo Shop() {
  ProcessInfo info;
  info.key = {42, 12};
  info.exe_path = "/opt/shop/bin/shop";
  info.comm = "shop-main";
  info.command = {"./shop", "-v"};
  info.owner = "www";
  info.container_id = std::string(64, 'c');
  return info;
}

std::string Text(const AttributeList& list, std::string_view key) {
  const auto it = std::find_if(list.begin(), list.end(), [key](const auto& a) { return a.first == key; });
  if (it == list.end()) return "(absent)";
  const auto* text = std::get_if<std::string>(&it->second);
  return text ? *text : "(no text)";
}

TEST(ServiceName, FollowsTheOrder) {
  ProcessInfo info = Shop();
  EXPECT_EQ(ServiceNameOf(info), "shop");
  info.env.attributes = {{"service.name", "by-attributes"}};
  EXPECT_EQ(ServiceNameOf(info), "by-attributes");
  info.env.service_name = "by-name";
  EXPECT_EQ(ServiceNameOf(info), "by-name");
}

TEST(ServiceName, OfWhatHasNoExecutable) {
  ProcessInfo info;
  EXPECT_EQ(ServiceNameOf(info), "unknown_service");
  info.comm = "kworker/0:1";
  EXPECT_EQ(ServiceNameOf(info), "kworker/0:1");
}

TEST(ResourceAttributes, TellWhatIsKnown) {
  const AttributeList list = ResourceAttributes(MakeProcess(1, Shop(), Host()), Host());
  EXPECT_EQ(Text(list, "service.name"), "shop");
  EXPECT_EQ(Text(list, "process.executable.name"), "shop");
  EXPECT_EQ(Text(list, "process.executable.path"), "/opt/shop/bin/shop");
  EXPECT_EQ(Text(list, "process.command"), "./shop");
  EXPECT_EQ(Text(list, "process.owner"), "www");
  EXPECT_EQ(Text(list, "process.creation.time"), "2023-11-14T22:13:20.120Z");
  EXPECT_EQ(Text(list, "container.id"), std::string(64, 'c'));
  EXPECT_EQ(Text(list, "host.name"), "box");
  EXPECT_EQ(Text(list, "host.id"), "m1");
  EXPECT_EQ(Text(list, "host.arch"), "amd64");
  EXPECT_EQ(Text(list, "os.type"), "linux");
  EXPECT_EQ(Text(list, "telemetry.distro.name"), "probed");
  EXPECT_THAT(Text(list, "telemetry.distro.version"), Not("(absent)"));
  const auto pid = std::find_if(list.begin(), list.end(), [](const auto& a) { return a.first == "process.pid"; });
  ASSERT_NE(pid, list.end());
  EXPECT_EQ(pid->second, AttributeValue(std::int64_t{42}));
}

TEST(ResourceAttributes, RuleNameStandsAboveTheProcess) {
  ProcessInfo info = Shop();
  info.env.service_name = "by-name";
  EXPECT_EQ(Text(ResourceAttributes(MakeProcess(1, info, Host()), Host(), "by-rule"), "service.name"), "by-rule");
}

TEST(ResourceAttributes, ProcessAddsItsOwn) {
  ProcessInfo info = Shop();
  info.env.attributes = {{"service.name", "mine"},
                         {"deployment.environment.name", "prod"},
                         {"host.name", "renamed"},
                         {"telemetry.distro.name", "forged"}};
  const AttributeList list = ResourceAttributes(MakeProcess(1, info, Host()), Host(), "by-rule");
  EXPECT_EQ(Text(list, "service.name"), "by-rule");
  EXPECT_EQ(Text(list, "deployment.environment.name"), "prod");
  EXPECT_EQ(Text(list, "host.name"), "renamed");
  EXPECT_EQ(Text(list, "telemetry.distro.name"), "probed");
  for (const auto& [key, value] : list) {
    EXPECT_EQ(std::count_if(list.begin(), list.end(), [&k = key](const auto& a) { return a.first == k; }), 1) << key;
  }
}

TEST(ResourceAttributes, NothingIsInvented) {
  ProcessInfo info;
  info.key = {42, 0};
  const AttributeList list = ResourceAttributes(MakeProcess(1, info, {}), {});
  for (const char* key :
       {"process.executable.name", "process.owner", "process.creation.time", "container.id", "host.id"}) {
    EXPECT_EQ(Text(list, key), "(absent)") << key;
  }
}

// Independent oracle: python3 -c 'import uuid; print(uuid.uuid5(uuid.UUID("4d63009a-8d0f-11ee-aad7-4c796ed8e320"),
// "m1/b1/42/12"))'
TEST(InstanceId, IsAVersionFiveUuid) {
  EXPECT_EQ(MakeProcess(1, Shop(), Host()).instance_id, ServiceInstanceUuid("m1/b1/42/12"));
  EXPECT_EQ(ServiceInstanceUuid("m1/b1/42/12"), "b983f490-b702-5896-94df-4656ae61b0e4");
}

TEST(InstanceId, TellsProcessesApart) {
  ProcessInfo later = Shop();
  later.key.start_ticks++;
  EXPECT_NE(MakeProcess(1, Shop(), Host()).instance_id, MakeProcess(2, later, Host()).instance_id);
}

}  // namespace
}  // namespace probed::discovery
