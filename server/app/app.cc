// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/app/app.h"

#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <filesystem>

#include "server/app/platform.h"
#include "server/app/version.h"
#include "server/base/thread_tags.h"
#include "server/export/otlp_grpc.h"

namespace probed::app {
namespace {

constexpr std::chrono::seconds kFlushDeadline{5};

/// Kernels before 5.11 charge maps to the locked-memory limit; on newer ones this changes nothing.
void LiftMemlockLimit() {
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  setrlimit(RLIMIT_MEMLOCK, &unlimited);
}

}  // namespace

App::App(Options options) : options_(std::move(options)), clock_(SystemClock()) {}
App::~App() { Stop(); }

/// A module that crashes this run is named in the state directory, and stays out of the next one.
void App::WatchForCrashes() {
  if (options_.state_dir.empty()) {
    spdlog::debug("no state directory: a module that crashes the daemon is not quarantined at its restart");
    return;
  }
  std::error_code error;
  std::filesystem::create_directories(options_.state_dir, error);
  const std::string path = options_.state_dir + "/crashes";
  if (const Status begun = quarantine_.Begin(path); !begun.ok()) spdlog::error("{}", Message(begun));
  if (const Status installed = modules::InstallCrashHandler(path); !installed.ok())
    spdlog::warn("a module that crashes the daemon will not be quarantined: {}", Message(installed));
}

void App::LoadCore() {
  bpf::InstallLogHandler();
  LiftMemlockLimit();
  Result<std::unique_ptr<bpf::CaptureCore>> core =
      bpf::CaptureCore::Load({.backend = options_.daemon.backend,
                              .shards = ShardCount(),
                              .ring_bytes = options_.daemon.ring_bytes,
                              .self_tgid = static_cast<std::uint32_t>(getpid()),
                              .uprobes = options_.daemon.uprobes});
  if (core.ok()) {
    core_ = std::move(core).value();
    spdlog::info("capture backend {} with {} shard(s)", bpf::BackendName(core_->backend()), core_->shards());
    return;
  }
  core_error_ = core.status();
  spdlog::error("no capture backend works, so no module can be loaded: {}", Message(core_error_));
}

void App::MakePipeline() {
  const std::uint32_t shards = core_ ? core_->shards() : 1;
  links_ = std::make_unique<pipeline::LinkTable>(pipeline::LinkTableOptions{.shards = shards});
  metrics_ = std::make_unique<pipeline::MetricsAggregator>(pipeline::MetricsOptions{.shards = shards}, clock_.UtcNs());
  const discovery::HostInfo host = discovery::ReadHostInfo();
  processes_ = std::make_unique<discovery::ProcessTable>(proc_, host);
  resources_ = std::make_unique<pipeline::ResourceCache>(host);
  discovery_ = std::make_unique<DiscoveryLoop>(core_.get(), *processes_, *resources_, *metrics_, clock_);
  attach_ = std::make_unique<AttachLoop>(control_.get_executor(), core_.get(), *discovery_, clock_);
  discovery_->OnExec([this](std::uint32_t pid) { attach_->OnExec(pid); });
  discovery_->OnTargetsChanged([this] { attach_->TargetsChanged(); });
  metric_export_ =
      std::make_unique<MetricExport>(*metrics_, options_.daemon.metric_interval, clock_,
                                     [this](config::Temporality temporality, const exporter::MetricSnapshot& snapshot) {
                                       if (sinks_) sinks_->DeliverMetrics(temporality, snapshot);
                                     });
  sinks_ = std::make_unique<SinkHub>(
      *metrics_, clock_, options_.daemon.tail_batches,
      [this](bool cumulative, bool delta) { metric_export_->SetWanted(cumulative, delta); },
      [this](std::uint16_t port, bool listening) { NoteOwnPort(port, listening); });
  tail_ = std::make_unique<TailHub>(sinks_->tail());

  pipeline::Shared shared;
  shared.clock = &clock_;
  shared.keys = &keys_;
  shared.links = links_.get();
  shared.metrics = metrics_.get();
  shared.processes = processes_.get();
  shared.resources = resources_.get();
  shared.deliver = [this](pipeline::SinkMask mask, const exporter::BatchPtr& batch) { sinks_->Deliver(mask, batch); };
  shared.routes = [this] { return sinks_->routes(); };
  shared.service_names = [this] { return discovery_->service_names(); };
  shared.limits.spans = options_.daemon.batch_spans;
  shared.limits.delay = options_.daemon.batch_delay;
  for (std::uint32_t i = 0; i < shards; ++i)
    shards_.push_back(
        std::make_unique<pipeline::ShardWorker>(i, std::make_unique<pipeline::SpanOutput>(i, shared), clock_));
}

Status App::BringUpState() {
  registry_ = std::make_unique<modules::Registry>(options_.daemon.module_dirs);
  modules_ = std::make_unique<ModuleHost>(ModuleHost::Parts{.registry = registry_.get(),
                                                            .quarantine = &quarantine_,
                                                            .core = core_.get(),
                                                            .attach = attach_.get(),
                                                            .core_error = core_error_,
                                                            .shards = &shards_,
                                                            .keys = &keys_,
                                                            .metrics = metrics_.get(),
                                                            .clock = &clock_});
  std::optional<state::StoredState> stored;
  if (!options_.state_dir.empty()) {
    store_ = std::make_unique<state::StateStore>(options_.state_dir + "/state.json");
    ASSIGN_OR_RETURN(stored, store_->Load());
  }
  engine_ = std::make_unique<state::Engine>(
      state::Ports{.modules = *modules_, .targets = *discovery_, .routes = *sinks_, .sinks = *sinks_},
      state::EngineOptions{.clock = &clock_, .store = store_.get()});
  const state::StartState start = state::ChooseStart(stored, options_.state);
  for (const std::string& difference : start.differences)
    spdlog::warn("the configuration file changed: {}", difference);
  for (const std::string& problem : engine_->Start(start)) spdlog::error("{}", problem);
  Result<std::unique_ptr<modules::Watcher>> watcher =
      modules::Watcher::Start(control_.get_executor(), options_.daemon.module_dirs,
                              [this](const std::set<std::string>& /*names*/) { engine_->Rescan(); });
  if (watcher.ok())
    watcher_ = std::move(watcher).value();
  else
    spdlog::warn("module directories are not watched: {}", Message(watcher.status()));
  return OkStatus();
}

/// Whoever scrapes the daemon is not traced while it does.
void App::NoteOwnPort(std::uint16_t port, bool listening) {
  if (core_ == nullptr) return;
  const Status noted = listening ? core_->AddSelfPort(port) : core_->RemoveSelfPort(port);
  if (!noted.ok()) spdlog::warn("scrapes on port {} may be traced: {}", port, Message(noted));
}

Status App::StartSelfMonitoring() {
  AddSelfMetrics();
  if (options_.daemon.http_listen.empty()) return OkStatus();
  selfmon::HttpHandlers handlers;
  handlers.metrics = [this] { return self_metrics_.Render(); };
  handlers.healthz = [] { return selfmon::ProbeAnswer{.ok = true, .text = "ok\n"}; };
  handlers.readyz = [this] {
    if (core_ == nullptr) return selfmon::ProbeAnswer{.ok = false, .text = std::string(Message(core_error_)) + "\n"};
    return selfmon::ProbeAnswer{.ok = true, .text = "ready\n"};
  };
  Result<std::unique_ptr<selfmon::HttpEndpoint>> endpoint =
      selfmon::HttpEndpoint::Start(options_.daemon.http_listen, std::move(handlers));
  if (!endpoint.ok()) {
    spdlog::error("no /metrics and /healthz: {}", Message(endpoint.status()));
    return OkStatus();
  }
  http_ = std::move(endpoint).value();
  NoteOwnPort(http_->port(), true);
  return OkStatus();
}

Status App::Start() {
  TagThread(ThreadTag::kControl);
  exporter::DisableGrpcDeadlockSearch();
  WatchForCrashes();
  LoadCore();
  MakePipeline();
  RETURN_IF_ERROR(discovery_->Start());
  RETURN_IF_ERROR(BringUpState());
  RETURN_IF_ERROR(StartSelfMonitoring());
  RETURN_IF_ERROR(StartControl());
  sd_notify(0, "READY=1");
  spdlog::info("probed {} is ready on {}", kVersion, options_.daemon.socket);
  return OkStatus();
}

void App::Run() {
  boost::asio::signal_set signals(control_, SIGTERM, SIGINT);
  signals.async_wait([this](const boost::system::error_code& /*error*/, int signal) {
    spdlog::info("{}: stopping", strsignal(signal));
    sd_notify(0, "STOPPING=1");
    // Calls that wait for [control] must be able to end, so the loop goes on until the server is down.
    shutdown_ = std::thread([this] {
      server_->Shutdown(kFlushDeadline);
      control_.stop();
    });
  });
  const auto work = boost::asio::make_work_guard(control_);
  control_.run();
}

void App::Stop() {
  if (shutdown_.joinable()) shutdown_.join();
  server_.reset();
  http_.reset();
  watcher_.reset();
  if (engine_) engine_->Stop();
  modules_.reset();
  shards_.clear();
  metric_export_.reset();
  if (sinks_) sinks_->Stop(kFlushDeadline);
  discovery_.reset();
}

}  // namespace probed::app
