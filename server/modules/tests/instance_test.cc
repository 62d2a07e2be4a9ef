// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/modules/instance.h"

#include <gmock/gmock.h>

#include <limits>
#include <stdexcept>

#include "api/sdk/testing/fake_host.h"
#include "server/modules/library.h"
#include "server/modules/reasons.h"
#include "server/modules/tests/test_files.h"

namespace probed::modules {
namespace {

using sdk::testing::FakeHost;
using ::testing::HasSubstr;

/// A module made of functions of this test, to see which calls arrive and with what the host copes.
struct Script {
  probe_result_t create = PROBE_OK;
  bool create_gives_nothing = false;
  probe_result_t prepare = PROBE_OK;
  bool name_fields = true;
  bool throws_in_segment = false;
  std::string calls;
} script;

void Note(const char* call) { script.calls += std::string(call) + " "; }
template <typename T>
T* Handle() {
  static char object;
  return reinterpret_cast<T*>(&object);
}

probe_module_entry_t ScriptedEntry() {
  probe_module_entry_t entry{};
  entry.struct_size = sizeof(entry);
  entry.create = [](const probe_host_t*, probe_module_t** out) {
    Note("create");
    if (!script.create_gives_nothing) *out = Handle<probe_module_t>();
    return script.create;
  };
  entry.destroy = [](probe_module_t*) { Note("destroy"); };
  entry.prepare = [](probe_module_t*, probe_str_t, const probe_error_sink_t* errors, probe_config_t** out) {
    Note("prepare");
    if (script.prepare != PROBE_OK && script.name_fields) errors->field(errors->context, {"a.b", 3}, {"is odd", 6});
    *out = Handle<probe_config_t>();
    return script.prepare;
  };
  entry.kernel_settings = [](const probe_config_t*, probe_kernel_settings_t* out) { out->capture_bytes = 128; };
  entry.commit = [](probe_module_t*, probe_config_t*, std::uint32_t generation) {
    Note(("commit" + std::to_string(generation)).c_str());
  };
  entry.abort = [](probe_module_t*, probe_config_t*) { Note("abort"); };
  entry.shard_start = [](probe_module_t*, std::uint32_t, probe_shard_context_t*, probe_shard_t** out) {
    Note("start");
    *out = Handle<probe_shard_t>();
    return probe_result_t{PROBE_OK};
  };
  entry.shard_stop = [](probe_shard_t*) { Note("stop"); };
  entry.on_segment = [](probe_shard_t*, probe_stream_t*, void**, const probe_segment_t*) {
    Note(CurrentCallModule().data());
    if (script.throws_in_segment) throw std::runtime_error("not caught by the module");
  };
  return entry;
}

class InstanceTest : public ::testing::Test {
 protected:
  InstanceTest() { script = Script(); }

  Result<std::unique_ptr<ModuleInstance>> Create() { return ModuleInstance::Create("m", 1, entry_, *host_.table()); }

  FakeHost host_;
  probe_module_entry_t entry_ = ScriptedEntry();
};

TEST_F(InstanceTest, WalksThroughALife) {
  {
    auto instance = Create();
    ASSERT_TRUE(instance.ok()) << instance.status();
    auto config = (*instance)->Prepare("{}");
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(config->kernel_settings().capture_bytes, 128U);
    (*instance)->Commit(std::move(config).value(), 3);
    auto shard = (*instance)->StartShard(0, host_.shard_context());
    ASSERT_TRUE(shard.ok());
    EXPECT_TRUE(shard->OnSegment(host_.NewStream(), nullptr, probe_segment_t{}));
    EXPECT_EQ(CurrentCallModule(), "");
  }
  EXPECT_EQ(script.calls, "create prepare commit3 start m stop destroy ");
}

TEST_F(InstanceTest, ReportsAFailedCreateAndDestroysNothing) {
  script.create = PROBE_NO_MEMORY;
  const Status status = Create().status();
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_EQ(GetErrorDetails(status).reason, kModuleCreateFailed);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("create gave PROBE_NO_MEMORY"));
  EXPECT_EQ(script.calls, "create ");
}

TEST_F(InstanceTest, RefusesAnInstanceThatIsNone) {
  script.create_gives_nothing = true;
  EXPECT_FALSE(Create().ok());
}

TEST_F(InstanceTest, PassesOnTheFieldsOfARefusedConfiguration) {
  auto instance = Create();
  script.prepare = PROBE_INVALID;
  const Status status = (*instance)->Prepare("{}").status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  const ErrorDetails details = GetErrorDetails(status);
  EXPECT_EQ(details.reason, kConfigInvalid);
  ASSERT_EQ(details.fields.size(), 1U);
  EXPECT_EQ(details.fields[0].path, "a.b");
  EXPECT_EQ(details.fields[0].description, "is odd");
}

TEST_F(InstanceTest, MakesUpForAModuleThatDoesNotSayWhy) {
  auto instance = Create();
  script.prepare = PROBE_INVALID;
  script.name_fields = false;
  EXPECT_EQ(GetErrorDetails((*instance)->Prepare("{}").status()).fields.size(), 1U);
}

TEST_F(InstanceTest, AbortsAConfigurationNobodyTook) {
  auto instance = Create();
  {
    auto dropped = (*instance)->Prepare("{}");
  }
  EXPECT_EQ(script.calls, "create prepare abort ");
  (*instance)->Abort((*instance)->Prepare("{}").value());
  EXPECT_EQ(script.calls, "create prepare abort prepare abort ");
}

TEST_F(InstanceTest, SaysFalseForFunctionsTheModuleLacks) {
  auto instance = Create();
  auto shard = (*instance)->StartShard(0, host_.shard_context());
  EXPECT_FALSE(shard->OnEvent(probe_event_t{}));
  EXPECT_FALSE(shard->OnTick(1));
  EXPECT_FALSE(shard->Flush(1));
  EXPECT_EQ(shard->OldestGeneration(), std::numeric_limits<std::uint32_t>::max());
  EXPECT_EQ((*instance)->Extension("probed.attach/1"), nullptr);
  EXPECT_TRUE(absl::IsUnimplemented((*instance)->Plan(0, "/bin/true", [](const probe_site_t&) {})));
}

TEST_F(InstanceTest, StopsFeedingAModuleThatLetAnExceptionOut) {
  auto instance = Create();
  auto shard = (*instance)->StartShard(0, host_.shard_context());
  script.throws_in_segment = true;
  EXPECT_FALSE(shard->OnSegment(host_.NewStream(), nullptr, probe_segment_t{}));
  EXPECT_TRUE((*instance)->faulted());
  EXPECT_EQ((*instance)->fault(), "an exception left on_segment");
  script.throws_in_segment = false;
  script.calls.clear();
  EXPECT_FALSE(shard->OnSegment(host_.NewStream(), nullptr, probe_segment_t{}));
  EXPECT_EQ(script.calls, "") << "it was called again";
  shard->Stop();
  EXPECT_EQ(script.calls, "stop ") << "but it may still clean up";
}

TEST_F(InstanceTest, AsksForAttachSites) {
  static const probe_attach_t attach = {sizeof(attach), 0,
                                        [](probe_module_t*, std::int32_t fd, probe_str_t path, void* context,
                                           void (*emit)(void*, const probe_site_t*)) -> probe_result_t {
                                          if (std::string_view(path.ptr, path.len) != "/lib/x.so")
                                            return PROBE_UNSUPPORTED;
                                          const probe_site_t site = {
                                              {"on_read", 7}, static_cast<std::uint64_t>(fd), 1, {}};
                                          emit(context, &site);
                                          return PROBE_OK;
                                        }};
  entry_.get_extension = [](probe_module_t*, probe_str_t id) -> const void* {
    return std::string_view(id.ptr, id.len) == PROBE_EXTENSION_ATTACH ? &attach : nullptr;
  };
  auto instance = Create();
  std::uint64_t offset = 0;
  const auto emit = [&](const probe_site_t& site) { offset = site.file_offset; };
  EXPECT_TRUE((*instance)->Plan(42, "/lib/x.so", emit).ok());
  EXPECT_EQ(offset, 42U);
  EXPECT_TRUE(absl::IsNotFound((*instance)->Plan(42, "/bin/true", emit)));
}

TEST_F(InstanceTest, CatchesWhatALoadedModuleThrows) {
  const auto library = Library::Load(testing::SealFile(testing::FixturePath("echo_throws")), "echo_throws", 0);
  ASSERT_TRUE(library.ok()) << library.status();
  const Status status = ModuleInstance::Create("echo_throws", 1, library->entry(), *host_.table()).status();
  EXPECT_EQ(GetErrorDetails(status).reason, kModuleInternal);
  EXPECT_THAT(std::string(Message(status)), HasSubstr("an exception left create"));
}

TEST_F(InstanceTest, RunsALoadedModule) {
  const auto library = Library::Load(testing::SealFile(testing::FixturePath("echo")), "echo", 0);
  ASSERT_TRUE(library.ok()) << library.status();
  auto instance = ModuleInstance::Create("echo", 1, library->entry(), *host_.table());
  ASSERT_TRUE(instance.ok()) << instance.status();
  EXPECT_EQ(GetErrorDetails((*instance)->Prepare("nonsense").status()).fields[0].path, "limit");
  auto config = (*instance)->Prepare("{\"limit\":7}");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->kernel_settings().values[0], 7U);
  (*instance)->Commit(std::move(config).value(), 1);
  auto shard = (*instance)->StartShard(0, host_.shard_context());
  probe_stream_t* stream = host_.NewStream();
  probe_segment_t segment{};
  segment.struct_size = sizeof(segment);
  segment.total = 12;
  EXPECT_TRUE(shard->OnSegment(stream, &stream->state, segment));
  ASSERT_EQ(host_.spans.size(), 1U);
  EXPECT_EQ(host_.spans[0].Get("echo.bytes"), "12");
  EXPECT_EQ(host_.LedgerProblem(), "");
}

}  // namespace
}  // namespace probed::modules
