// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/file_transport.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "server/export/metric_encoder.h"
#include "server/export/otlp_json.h"
#include "server/export/tests/temp_dir.h"
#include "server/export/tests/test_metrics.h"
#include "server/export/tests/test_span.h"

namespace probed::exporter {
namespace {

using std::chrono::seconds;
using Kind = AttemptResult::Kind;

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

class FileTransportTest : public testing::Test {
 protected:
  std::unique_ptr<Transport> Make(std::uint64_t rotate_bytes = 0, std::uint32_t keep = 0) {
    return *MakeFileTransport({dir_.File("spans.jsonl"), rotate_bytes, keep});
  }
  TempDir dir_;
};

TEST_F(FileTransportTest, WritesOneLinePerBatchAndAppends) {
  const BatchPtr batch = TestBatch(3);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(Make()->Send(batch, seconds(1)).kind, Kind::kOk);
  const auto lines = Lines(dir_.Read("spans.jsonl"));
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[1], ToOtlpJson(*batch));
  EXPECT_EQ(nlohmann::json::parse(lines[0]).at("resourceSpans").at(0).at("scopeSpans").at(0).at("spans").size(), 3U);
}

TEST_F(FileTransportTest, EachSignalHasItsFile) {
  const auto transport = Make();
  EXPECT_EQ(transport->Send(TestBatch(), seconds(1)).kind, Kind::kOk);
  EXPECT_EQ(transport->Send(EncodeMetrics({{TestSum()}}).at(0), seconds(1)).kind, Kind::kOk);
  EXPECT_TRUE(nlohmann::json::parse(dir_.Read("spans.jsonl")).contains("resourceSpans"));
  EXPECT_TRUE(nlohmann::json::parse(dir_.Read("spans.metrics.jsonl")).contains("resourceMetrics"));
  EXPECT_EQ(SignalPath("/a.b/out", config::Signal::kLogs), "/a.b/out.logs");
  EXPECT_EQ(SignalPath("/a/.hidden", config::Signal::kLogs), "/a/.hidden.logs");
}

TEST_F(FileTransportTest, RotatesBySizeAndKeepsSoMany) {
  const BatchPtr batch = TestBatch(1);
  const std::uint64_t line = ToOtlpJson(*batch).size() + 1;
  const auto transport = Make(2 * line, 2);
  for (int i = 0; i < 9; ++i) EXPECT_EQ(transport->Send(batch, seconds(1)).kind, Kind::kOk);
  EXPECT_EQ(Lines(dir_.Read("spans.jsonl")).size(), 1U);
  EXPECT_EQ(Lines(dir_.Read("spans.jsonl.1")).size(), 2U);
  EXPECT_EQ(Lines(dir_.Read("spans.jsonl.2")).size(), 2U);
  EXPECT_FALSE(std::filesystem::exists(dir_.File("spans.jsonl.3")));
}

TEST_F(FileTransportTest, KeepingNoneEmptiesTheFile) {
  const BatchPtr batch = TestBatch(1);
  const auto transport = Make(ToOtlpJson(*batch).size() + 1, 0);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(transport->Send(batch, seconds(1)).kind, Kind::kOk);
  EXPECT_EQ(Lines(dir_.Read("spans.jsonl")).size(), 1U);
  EXPECT_FALSE(std::filesystem::exists(dir_.File("spans.jsonl.1")));
}

TEST_F(FileTransportTest, AWriteThatFailsHalfWayLeavesNoHalfLine) {
  const auto transport = Make();
  const BatchPtr batch = TestBatch(1);
  ASSERT_EQ(transport->Send(batch, seconds(1)).kind, Kind::kOk);
  const std::string before = dir_.Read("spans.jsonl");
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit tight{before.size() + 100, old.rlim_max};  // part of the next line fits
  setrlimit(RLIMIT_FSIZE, &tight);
  const AttemptResult result = transport->Send(batch, seconds(1));
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(result.kind, Kind::kRetryable);
  EXPECT_THAT(result.message, testing::HasSubstr("cannot write"));
  EXPECT_EQ(dir_.Read("spans.jsonl"), before);
  EXPECT_EQ(transport->Send(batch, seconds(1)).kind, Kind::kOk);
  EXPECT_EQ(Lines(dir_.Read("spans.jsonl")).size(), 2U);
}

TEST_F(FileTransportTest, SaysWhatCannotBeOpened) {
  const auto transport = *MakeFileTransport({dir_.File("no/such/dir.jsonl"), 0, 0});
  const AttemptResult result = transport->Send(TestBatch(), seconds(1));
  EXPECT_EQ(result.kind, Kind::kRetryable);
  EXPECT_THAT(result.message, testing::HasSubstr("no/such/dir.jsonl: No such file"));
}

TEST_F(FileTransportTest, WantsAnAbsoluteFileName) {
  for (const char* path : {"", "spans.jsonl", "/tmp/"}) {
    EXPECT_EQ(MakeFileTransport({path, 0, 0}).status().code(), absl::StatusCode::kInvalidArgument) << path;
  }
}

}  // namespace
}  // namespace probed::exporter
