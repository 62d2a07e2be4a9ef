// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Runs the Python example as its user does, against the daemon of probectl's tests.
#include <sys/wait.h>

#include <array>
#include <cstdio>

#include "clients/cli/tests/verb_test.h"

namespace probed::cli {
namespace {

using testing::HasSubstr;

struct Script {
  int code = -1;
  std::string output;  // both streams
};

Script Shell(const std::string& command) {
  Script script;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return script;
  std::array<char, 4096> buffer{};
  for (std::size_t size = 0; (size = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    script.output.append(buffer.data(), size);
  }
  const int status = ::pclose(pipe);
  script.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return script;
}

class PythonExample : public VerbTest {
 protected:
  void SetUp() override {
    if (Shell("/usr/bin/python3 -c 'import grpc, google.protobuf' && test -x /usr/bin/grpc_python_plugin").code != 0) {
      GTEST_SKIP() << "python3-grpcio or protobuf-compiler-grpc is not installed";
    }
    daemon.modules["http"].mutable_status()->set_phase(v1::MODULE_PHASE_UNLOADED);
    daemon.Script({ModuleEvent("http", v1::MODULE_PHASE_RUNNING, 2), ModuleEvent("http", v1::MODULE_PHASE_UNLOADED, 3)},
                  false);
    v1::TailItem* item = daemon.tail.emplace_back().add_items();
    item->set_service("shop");
    item->set_json(R"({"span":{"name":"GET \u001b[2J","startTimeUnixNano":"1000000","endTimeUnixNano":"101300000"}})");
  }

  Script RunExample(const std::string& more) {
    return Shell("/usr/bin/python3 -B '" PROBED_EXAMPLE "' --socket '" + socket + "' " + more);
  }
};

TEST_F(PythonExample, LoadsConfiguresTailsAndUnloads) {
  const Script script = RunExample("--spans 1");
  EXPECT_EQ(script.code, 0) << script.output;
  EXPECT_THAT(script.output, HasSubstr("loaded http: running\n"));
  EXPECT_THAT(script.output, HasSubstr("configured: generation 1 -> 2, lost 0, doubled 0\n"));
  EXPECT_THAT(script.output, HasSubstr("span: shop GET \\x1b[2J 100.3 ms\n"));
  EXPECT_THAT(script.output, HasSubstr("unloaded http\n"));
  EXPECT_THAT(script.output, HasSubstr("watch: http is running"));
  EXPECT_EQ(daemon.configure_request.options().etag(), "http-1");
  EXPECT_EQ(daemon.tail_request.modules(0), "http");
}

TEST_F(PythonExample, UnloadsAlsoWhenTheSpansDoNotCome) {
  const Script script = RunExample("--spans 2 --timeout 3");
  EXPECT_EQ(script.code, 1);
  EXPECT_THAT(script.output, HasSubstr("unloaded http\n"));
  EXPECT_EQ(daemon.modules["http"].status().phase(), v1::MODULE_PHASE_UNLOADED);
}

TEST_F(PythonExample, ShowsTheReasonOfAnError) {
  const Script script = RunExample("--module nothing");
  EXPECT_EQ(script.code, 1);
  EXPECT_THAT(script.output, HasSubstr("NOT_FOUND: no module named nothing\n  reason MODULE_NOT_FOUND\n"));
}

}  // namespace
}  // namespace probed::cli
