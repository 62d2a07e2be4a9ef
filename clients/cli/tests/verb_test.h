// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What the tests of verbs begin with: a daemon with three modules and one sink.
#pragma once

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "clients/cli/tests/fake_daemon.h"

namespace probed::cli {

class VerbTest : public testing::Test {
 protected:
  VerbTest();

  Ran Run(std::vector<std::string> arguments, std::size_t terminal_width = 0, bool progress = false) {
    return RunProbectlOn(socket, std::move(arguments), terminal_width, progress);
  }
  /// The output of a run that must succeed.
  std::string Out(std::vector<std::string> arguments);
  std::string File(const std::string& text) { return folder.Write("file", text); }

  TempFolder folder;
  std::string socket = folder.Path("s");
  FakeDaemon daemon{socket};
};

v1::WatchResponse ModuleEvent(const std::string& name, v1::ModulePhase phase, std::uint64_t version);

}  // namespace probed::cli
