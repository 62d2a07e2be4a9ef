// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The daemon: the only place that names concrete classes. Makes the parts in order, runs the [control] loop on the
// calling thread until a signal, and takes everything down in reverse.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <thread>
#include <vector>

#include "server/app/attach_loop.h"
#include "server/app/discovery_loop.h"
#include "server/app/metric_export.h"
#include "server/app/module_host.h"
#include "server/app/options.h"
#include "server/app/sink_hub.h"
#include "server/app/tail_hub.h"
#include "server/bpf/capture_core.h"
#include "server/control/server.h"
#include "server/modules/crash_note.h"
#include "server/modules/quarantine.h"
#include "server/modules/watcher.h"
#include "server/selfmon/self_metrics.h"
#include "server/state/engine.h"

namespace probed::app {

class App {
 public:
  explicit App(Options options);
  ~App();

  /// Brings everything up. Errors are those without which the daemon is of no use: its socket, its state file.
  Status Start();
  /// Until SIGTERM or SIGINT.
  void Run();
  /// Unloads modules, flushes sinks within the deadline.
  void Stop();

 private:
  void WatchForCrashes();
  void LoadCore();
  void MakePipeline();
  Status StartControl();
  Status StartSelfMonitoring();
  void NoteOwnPort(std::uint16_t port, bool listening);
  Status BringUpState();
  void AddSelfMetrics();

  const Options options_;
  boost::asio::io_context control_;
  const Clock& clock_;
  modules::SignalStack signal_stack_;  // of [control]
  modules::Quarantine quarantine_;
  Status core_error_;
  std::unique_ptr<bpf::CaptureCore> core_;
  exporter::KeyTable keys_;
  std::unique_ptr<pipeline::LinkTable> links_;
  std::unique_ptr<pipeline::MetricsAggregator> metrics_;
  discovery::ProcReader proc_;
  std::unique_ptr<discovery::ProcessTable> processes_;
  std::unique_ptr<pipeline::ResourceCache> resources_;
  std::unique_ptr<DiscoveryLoop> discovery_;
  std::unique_ptr<AttachLoop> attach_;
  std::unique_ptr<MetricExport> metric_export_;
  std::unique_ptr<SinkHub> sinks_;
  std::unique_ptr<TailHub> tail_;
  std::vector<std::unique_ptr<pipeline::ShardWorker>> shards_;
  std::unique_ptr<modules::Registry> registry_;
  std::unique_ptr<ModuleHost> modules_;
  std::unique_ptr<state::StateStore> store_;
  std::unique_ptr<state::Engine> engine_;
  std::unique_ptr<modules::Watcher> watcher_;
  selfmon::SelfMetrics self_metrics_;
  std::unique_ptr<selfmon::HttpEndpoint> http_;
  std::unique_ptr<control::ControlServer> server_;
  std::thread shutdown_;  // the server ends while [control] still runs
};

}  // namespace probed::app
