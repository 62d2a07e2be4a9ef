// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/conformance.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "tests/conformance/isolate.h"

namespace probed::conformance {

std::vector<Check> AllChecks() {
  std::vector<Check> all;
  for (const auto& group : {FileChecks(), AbiChecks(), LifecycleChecks(), DecoderChecks()}) {
    all.insert(all.end(), group.begin(), group.end());
  }
  return all;
}

std::size_t RunAll(const std::string& path, const Options& options,
                   const std::function<void(const Check&, const Report&)>& done) {
  const Subject subject = {path, std::filesystem::path(path).stem().string(), options};
  std::size_t failed = 0;
  for (const Check& check : AllChecks()) {
    const Report report = RunIsolated(check, subject);
    failed += report.failures().empty() ? 0 : 1;
    done(check, report);
  }
  return failed;
}

std::string ResultLine(const Check& check, const Report& report) {
  if (!report.failures().empty()) {
    return fmt::format("FAIL {}: {}: {}", check.id, check.title, fmt::join(report.failures(), "; "));
  }
  if (!report.skipped().empty()) return fmt::format("SKIP {}: {}: {}", check.id, check.title, report.skipped());
  return fmt::format("PASS {}: {}", check.id, check.title);
}

std::vector<std::string> ModulesAt(const std::vector<std::string>& paths) {
  std::vector<std::string> modules;
  for (const std::string& path : paths) {
    std::error_code none;
    if (!std::filesystem::is_directory(path, none)) {
      modules.push_back(path);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(path, none)) {
      if (entry.path().extension() == ".so") modules.push_back(entry.path().string());
    }
  }
  std::sort(modules.begin(), modules.end());
  return modules;
}

}  // namespace probed::conformance
