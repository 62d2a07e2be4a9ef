// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/tests/verb_test.h"

namespace probed::cli {
namespace {

v1::Module MakeModule(const std::string& name, v1::ModulePhase phase) {
  v1::Module module;
  module.set_name(name);
  module.set_etag(name + "-1");
  module.mutable_status()->set_phase(phase);
  module.mutable_description()->set_version("1.2.3");
  module.mutable_description()->set_summary("Traces " + name);
  return module;
}

}  // namespace

VerbTest::VerbTest() {
  daemon.modules["dns"] = MakeModule("dns", v1::MODULE_PHASE_UNLOADED);
  daemon.modules["http"] = MakeModule("http", v1::MODULE_PHASE_RUNNING);
  daemon.modules["http"].mutable_status()->set_generation(3);
  daemon.modules["http"].mutable_spec()->set_name("http");
  daemon.modules["http"].mutable_spec()->set_config_json(R"({"capture_bytes":4096,"known_methods":["GET"]})");
  daemon.modules["old"] = MakeModule("old", v1::MODULE_PHASE_UNLOADED);
  daemon.modules["old"].mutable_description()->set_problem("needs ABI 2.0");
  v1::Sink& sink = daemon.sinks["collector"];
  sink.set_name("collector");
  sink.set_etag("sink-1");
  sink.mutable_spec()->set_type(v1::SINK_TYPE_OTLP_GRPC);
  sink.mutable_spec()->set_endpoint("127.0.0.1:4317");
  sink.mutable_status()->set_health(v1::SINK_HEALTH_OK);
  sink.mutable_status()->set_sent_items(12);
  daemon.info.set_version("0.1.0");
  daemon.info.mutable_platform()->set_backend("fexit");
  daemon.ledger.set_closes(true);
}

std::string VerbTest::Out(std::vector<std::string> arguments) {
  const Ran ran = Run(std::move(arguments));
  EXPECT_EQ(ran.code, 0) << ran.err;
  return ran.out;
}

v1::WatchResponse ModuleEvent(const std::string& name, v1::ModulePhase phase, std::uint64_t version) {
  v1::WatchResponse event;
  event.set_version(version);
  event.mutable_module()->set_name(name);
  event.mutable_module()->mutable_status()->set_phase(phase);
  return event;
}

}  // namespace probed::cli
