// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// probe-modtest: the conformance kit as a command for module authors. One line per check; exit code 0 when all modules
// pass, 1 when a check fails, 2 for a wrong command line.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/conformance/conformance.h"

namespace {

using probed::conformance::Options;

struct Arguments {
  std::vector<std::string> paths;
  std::string corpus_root;
  bool list = false;
  Options options;
};

void Declare(CLI::App& app, Arguments& arguments) {
  app.add_option("modules", arguments.paths, "Modules (.so), or directories of them");
  app.add_flag("--list", arguments.list, "List the checks and end");
  app.add_option("--cycles", arguments.options.cycles, "Times a module is loaded and unloaded")
      ->envname("PROBED_CONFORMANCE_CYCLES")
      ->capture_default_str();
  app.add_option("--rounds", arguments.options.rounds, "Random conversations per check")->capture_default_str();
  app.add_option("--seed", arguments.options.seed, "Seed of the random bytes")->capture_default_str();
  app.add_option("--timeout", arguments.options.timeout_seconds, "Seconds one check may take")->capture_default_str();
  app.add_option("--corpus", arguments.options.corpus, "Directory of recorded conversations: NAME.received, NAME.sent");
  app.add_option("--corpus-root", arguments.corpus_root, "Directory with MODULE/tests/corpus for each module");
}

void List() {
  for (const auto& check : probed::conformance::AllChecks()) std::printf("%s: %s\n", check.id, check.title);
}

Options OptionsFor(const Arguments& arguments, const std::string& path) {
  Options options = arguments.options;
  if (options.corpus.empty() && !arguments.corpus_root.empty()) {
    options.corpus = arguments.corpus_root + "/" + std::filesystem::path(path).stem().string() + "/tests/corpus";
  }
  return options;
}

std::size_t Test(const Arguments& arguments, const std::string& path) {
  std::printf("%s\n", path.c_str());
  const std::size_t failed =
      probed::conformance::RunAll(path, OptionsFor(arguments, path), [](const auto& check, const auto& report) {
        std::printf("  %s\n", probed::conformance::ResultLine(check, report).c_str());
        std::fflush(stdout);
      });
  std::printf("  %s\n", failed == 0 ? "conforms" : "does not conform");
  return failed;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Checks whether modules keep the rules of the module ABI.", "probe-modtest");
  Arguments arguments;
  Declare(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (arguments.list) {
    List();
    return 0;
  }
  const std::vector<std::string> modules = probed::conformance::ModulesAt(arguments.paths);
  if (modules.empty()) {
    std::fprintf(stderr, "probe-modtest: no module to test; give a .so file or a directory of them\n");
    return 2;
  }
  std::size_t failed = 0;
  for (const std::string& path : modules) failed += Test(arguments, path);
  return failed == 0 ? 0 : 1;
}
