// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/resource_cache.h"

#include <gmock/gmock.h>
#include <opentelemetry/proto/resource/v1/resource.pb.h>

#include "server/pipeline/target_rules.h"

namespace probed::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

discovery::HostInfo Host() { return {.name = "box", .id = "m1", .arch = "amd64", .boot_id = "b1", .boot_utc_ns = 1}; }

discovery::Process Shop(std::uint64_t id) {
  discovery::ProcessInfo info;
  info.key = {42, 12};
  info.exe_path = "/opt/shop";
  return discovery::MakeProcess(id, info, Host());
}

std::string Attribute(const exporter::Resource& resource, const std::string& key) {
  opentelemetry::proto::resource::v1::Resource decoded;
  EXPECT_TRUE(decoded.ParseFromString(resource.encoded));
  for (const auto& attribute : decoded.attributes()) {
    if (attribute.key() == key) return attribute.value().string_value();
  }
  return "(absent)";
}

TEST(ResourceCache, EncodesOnce) {
  ResourceCache cache(Host());
  const ResourcePtr resource = cache.Get(Shop(1));
  EXPECT_EQ(cache.Get(Shop(1)), resource);
  EXPECT_EQ(resource->service_name, "shop");
  EXPECT_EQ(Attribute(*resource, "service.name"), "shop");
  EXPECT_EQ(Attribute(*resource, "host.name"), "box");
}

TEST(ResourceCache, ImagesAndRuleNamesHaveTheirOwn) {
  ResourceCache cache(Host());
  const ResourcePtr plain = cache.Get(Shop(1));
  const ResourcePtr named = cache.Get(Shop(1), "store");
  const ResourcePtr other = cache.Get(Shop(2));
  EXPECT_NE(plain->id, named->id);
  EXPECT_NE(plain->id, other->id);
  EXPECT_EQ(named->service_name, "store");
  EXPECT_EQ(cache.Get(Shop(1), "store"), named);
}

TEST(ResourceCache, ForgetsAnImageAndNeverReusesItsId) {
  ResourceCache cache(Host());
  const std::uint64_t plain = cache.Get(Shop(1))->id;
  const std::uint64_t named = cache.Get(Shop(1), "store")->id;
  EXPECT_THAT(cache.Forget(1), UnorderedElementsAre(plain, named));
  EXPECT_EQ(cache.size(), 0U);
  EXPECT_THAT(cache.Forget(1), IsEmpty());
  EXPECT_GT(cache.Get(Shop(1))->id, named);
}

TEST(ResourceCache, HostHasAResourceWithoutAProcess) {
  ResourceCache cache(Host());
  const ResourcePtr host = cache.ForHost();
  EXPECT_EQ(cache.ForHost(), host);
  EXPECT_EQ(Attribute(*host, "service.name"), "probed");
  EXPECT_EQ(Attribute(*host, "host.id"), "m1");
  EXPECT_EQ(Attribute(*host, "process.executable.name"), "(absent)");
}

TEST(TargetRules, KeepTheOrderAndAllCriteria) {
  config::Target target;
  target.name = "web";
  target.exclude = true;
  target.exe = {"/bin/a"};
  target.ports = {80};
  target.pids = {7};
  target.cgroups = {"/web"};
  const std::vector<discovery::TargetRule> rules = ToTargetRules({config::Target{}, target});
  ASSERT_EQ(rules.size(), 2U);
  EXPECT_FALSE(rules[0].exclude);
  EXPECT_TRUE(rules[1].exclude);
  EXPECT_THAT(rules[1].exe, ElementsAre("/bin/a"));
  EXPECT_THAT(rules[1].ports, ElementsAre(80));
  EXPECT_THAT(rules[1].pids, ElementsAre(7));
  EXPECT_THAT(rules[1].cgroups, ElementsAre("/web"));
}

}  // namespace
}  // namespace probed::pipeline
