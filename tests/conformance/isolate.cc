// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/isolate.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "server/base/fd.h"
#include "server/modules/crash_note.h"
#include "server/modules/quarantine.h"

namespace probed::conformance {
namespace {

using Clock = std::chrono::steady_clock;

void WriteAll(int fd, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t step = write(fd, text.data() + at, text.size() - at);
    if (step <= 0) return;
    at += static_cast<std::size_t>(step);
  }
}

[[noreturn]] void RunChild(const Check& check, const Subject& subject, int results, const std::string& crash_path) {
  const modules::SignalStack stack;
  IgnoreError(modules::InstallCrashHandler(crash_path), "without it a crash is still reported, but not its place");
  Report report;
  try {
    check.run(subject, report);
  } catch (const std::exception& error) {
    report.Fail(std::string("the check itself failed: ") + error.what());
  }
  const nlohmann::json json = {{"failures", report.failures()}, {"skipped", report.skipped()}};
  WriteAll(results, json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  // No destructors of the parent's objects, no exit handlers of a module.
  std::_Exit(0);
}

/// Whether `fd` became readable before the deadline. Rounds up: a wait that is short by a part of a millisecond would
/// look like the end of the time a moment before it is.
bool ReadableBefore(int fd, Clock::time_point deadline) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd waiting = {fd, POLLIN, 0};
    const int ready = poll(&waiting, 1, left > 0 ? static_cast<int>(left) : 0);
    if (ready < 0 && errno == EINTR) continue;
    if (ready > 0) return true;
    if (ready < 0 || Clock::now() >= deadline) return false;
  }
}

/// What the child writes until it ends or the time is over.
std::string ReadUntil(int fd, Clock::time_point deadline) {
  std::string text;
  char buffer[4096];
  while (ReadableBefore(fd, deadline)) {
    const ssize_t step = read(fd, buffer, sizeof(buffer));
    if (step < 0 && errno == EINTR) continue;
    if (step <= 0) break;
    text.append(buffer, static_cast<std::size_t>(step));
  }
  return text;
}

/// Waits for the child; after the deadline ends it, whatever it still does. Returns whether it had to.
bool Reap(pid_t child, Clock::time_point deadline, int* status) {
  const Fd ended(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  const bool late = !ReadableBefore(ended.get(), deadline);
  if (late) kill(child, SIGKILL);
  while (waitpid(child, status, 0) < 0 && errno == EINTR) {
  }
  return late;
}

/// A file for the crash handler's line, removed at the end.
class CrashFile {
 public:
  CrashFile() : path_((std::filesystem::temp_directory_path() / "probed-crash-XXXXXX").string()) {
    fd_ = Fd(mkostemp(path_.data(), O_CLOEXEC));
  }
  CrashFile(const CrashFile&) = delete;
  CrashFile& operator=(const CrashFile&) = delete;
  ~CrashFile() {
    if (fd_.valid()) unlink(path_.c_str());
  }
  bool valid() const { return fd_.valid(); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  Fd fd_;
};

std::string PlaceOfCrash(const std::string& crash_path) {
  const auto entries = modules::ReadQuarantine(crash_path);
  return entries.empty() ? "outside of the module" : "in " + entries.back().phase;
}

Report ReportOf(const std::string& text) {
  Report report;
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) {
    report.Fail("the check ended without a result");
    return report;
  }
  for (const auto& failure : json.at("failures")) report.Fail(failure.get<std::string>());
  if (!json.at("skipped").get<std::string>().empty()) report.Skip(json.at("skipped").get<std::string>());
  return report;
}

}  // namespace

Report RunIsolated(const Check& check, const Subject& subject) {
  Report report;
  int ends[2];
  const CrashFile crash_file;
  if (pipe2(ends, O_CLOEXEC) != 0 || !crash_file.valid()) {
    report.Fail("cannot isolate the check: " + std::string(strerror(errno)));
    return report;
  }
  Fd reader(ends[0]);
  Fd writer(ends[1]);
  const pid_t child = fork();
  if (child == 0) RunChild(check, subject, writer.get(), crash_file.path());
  writer = Fd();
  const auto deadline = Clock::now() + std::chrono::seconds(subject.options.timeout_seconds);
  const std::string text = ReadUntil(reader.get(), deadline);
  int status = 0;
  if (Reap(child, deadline, &status)) {
    report.Fail(fmt::format("did not come back within {} s", subject.options.timeout_seconds));
  } else if (WIFSIGNALED(status)) {
    report.Fail(fmt::format("crashed {} (signal {}, {})", PlaceOfCrash(crash_file.path()), WTERMSIG(status),
                            strsignal(WTERMSIG(status))));
  } else if (WEXITSTATUS(status) != 0) {
    report.Fail(fmt::format("crashed: the process ended with code {}", WEXITSTATUS(status)));  // a sanitizer does this
  } else {
    report = ReportOf(text);
  }
  return report;
}

}  // namespace probed::conformance
