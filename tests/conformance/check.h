// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What a check of the conformance kit is: a name, a sentence, and a function that looks at one module and reports what
// it finds. Checks know nothing of each other; each runs in a process of its own (isolate.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace probed::conformance {

struct Options {
  std::uint32_t cycles = 50;            // of load and unload
  std::uint32_t rounds = 200;           // random conversations per check
  std::uint64_t seed = 1;               // a failure names the seed that shows it again
  std::string corpus;                   // directory of recorded conversations; empty: none
  std::uint32_t timeout_seconds = 120;  // of one check
};

/// The module under test.
struct Subject {
  std::string path;
  std::string name;  // of the file, without .so
  Options options;
};

/// What a check found. Without a failure it passed, unless it was skipped.
class Report {
 public:
  void Fail(std::string what) {
    if (failures_.size() < 10) failures_.push_back(std::move(what));
  }
  void Skip(std::string why) { skipped_ = std::move(why); }
  bool Expect(bool holds, std::string_view otherwise) {
    if (!holds) Fail(std::string(otherwise));
    return holds;
  }

  const std::vector<std::string>& failures() const { return failures_; }
  const std::string& skipped() const { return skipped_; }

 private:
  std::vector<std::string> failures_;
  std::string skipped_;
};

struct Check {
  const char* id;     // "exports"
  const char* title;  // "exports probe_module_entry and nothing else"
  void (*run)(const Subject&, Report&);
};

/// The checks of one file each.
std::vector<Check> FileChecks();       // what the file says, no code runs
std::vector<Check> AbiChecks();        // entry and host table, sizes both ways
std::vector<Check> LifecycleChecks();  // load, create, configure, unload
std::vector<Check> DecoderChecks();    // bytes nobody should have to expect

}  // namespace probed::conformance
