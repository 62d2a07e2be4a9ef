// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/app/discovery_loop.h"

#include <gmock/gmock.h>

#include "server/discovery/tests/fake_proc.h"

namespace probed::app {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

class StillClock final : public Clock {
 public:
  std::uint64_t KtimeNs() const override { return now_ns; }
  std::uint64_t UtcNs() const override { return now_ns; }
  std::uint64_t now_ns = 1000 * kSecond;
};

class DiscoveryLoopTest : public ::testing::Test {
 protected:
  void Tell(__u32 event, std::uint32_t tgid) {
    pb_process told{};
    told.event = event;
    told.tgid = tgid;
    told.parent = 1;
    told.start_ns = discovery::ProcessKey{tgid, 5}.start_ns();
    loop_.OnEvent(told);
  }
  void Record(std::uint32_t tgid) {
    const auto process = processes_.Find(tgid, discovery::ProcessKey{tgid, 5}.start_ns());
    probe_measurement_t one{};
    one.instrument = requests_;
    one.value = 1;
    metrics_.Record(0, resources_.Get(*process), {{&one, 1}, {}});
  }

  StillClock clock_;
  discovery::FakeProc proc_;
  discovery::ProcReader reader_{proc_.root()};
  discovery::ProcessTable processes_{reader_, discovery::HostInfo{}};
  pipeline::ResourceCache resources_{discovery::HostInfo{}};
  pipeline::MetricsAggregator metrics_{pipeline::MetricsOptions{}, 1};
  pipeline::ReaderId scrape_ = metrics_.AddReader(config::Temporality::kCumulative);
  pipeline::InstrumentId requests_ = *metrics_.Declare(
      {.name = "requests", .unit = "1", .description = {}, .bounds = {}, .attributes = {}, .scope = {}});
  DiscoveryLoop loop_{nullptr, processes_, resources_, metrics_, clock_};
};

TEST_F(DiscoveryLoopTest, SeriesGoWithTheirProcess) {
  proc_.Put({.pid = 10, .start_ticks = 5, .exe = "/bin/brief"});
  proc_.Put({.pid = 11, .start_ticks = 5, .exe = "/bin/lasting"});
  Tell(PB_PROCESS_EXEC, 10);
  Tell(PB_PROCESS_EXEC, 11);
  Record(10);
  Record(11);
  Tell(PB_PROCESS_EXIT, 10);
  EXPECT_EQ(metrics_.Collect(scrape_, clock_.UtcNs()).metrics.size(), 2U);
  clock_.now_ns += 31 * kSecond;  // the process table lets go of it
  loop_.Expire();
  clock_.now_ns += 301 * kSecond;  // and after the readers' last look, the aggregator
  metrics_.Collect(scrape_, clock_.UtcNs());
  EXPECT_EQ(metrics_.series(), 1U);
}

}  // namespace
}  // namespace probed::app
