// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/modules/crash_note.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <list>
#include <mutex>

namespace probed::modules {

struct CrashSubject {
  char name[48] = {};
};

namespace internal {
constinit thread_local CrashNote current_note;
}  // namespace internal

namespace {

constexpr int kFatalSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
constexpr std::size_t kSignalStackBytes = 64U << 10U;
constexpr std::size_t kLineBytes = 160;

// What the handler reads: written before it is installed, never after.
char crash_path[1024];
struct sigaction actions_before[NSIG];
std::atomic_flag noted = ATOMIC_FLAG_INIT;

/// Text building without anything a signal handler must not call.
class Line {
 public:
  void Add(const char* text) {
    for (; *text != '\0' && size_ < text_.size(); ++text) text_[size_++] = *text;
  }
  void Add(std::uint32_t number) {
    std::array<char, 12> digits{};
    std::size_t at = digits.size() - 1;
    do {
      digits[--at] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number != 0);
    Add(digits.data() + at);
  }
  void AppendTo(const char* path) const {
    const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return;
    if (write(fd, text_.data(), size_) > 0) fsync(fd);
    close(fd);
  }

 private:
  std::array<char, kLineBytes> text_{};
  std::size_t size_ = 0;
};

void NoteCrash(int signal) {
  const CrashNote note = internal::current_note;
  if (note.subject == nullptr || noted.test_and_set()) return;
  Line line;
  line.Add("crash ");
  line.Add(note.subject->name);
  line.Add(" ");
  line.Add(note.instance);
  line.Add(" ");
  line.Add(CallPhaseName(note.phase));
  line.Add(" ");
  line.Add(static_cast<std::uint32_t>(signal));
  line.Add("\n");
  line.AppendTo(crash_path);
}

/// Puts back what was there before and lets the same thing happen again: a fault repeats when the handler returns, so
/// the core file shows the place itself; a signal that was sent is raised anew.
void OnFatalSignal(int signal, siginfo_t* info, void* /*context*/) {
  const int saved_errno = errno;
  NoteCrash(signal);
  sigaction(signal, &actions_before[signal], nullptr);
  if (info->si_code <= 0) raise(signal);
  errno = saved_errno;
}

}  // namespace

const char* CallPhaseName(CallPhase phase) {
  switch (phase) {
    case CallPhase::kNone: return "none";
    case CallPhase::kLoad: return "load";
    case CallPhase::kCreate: return "create";
    case CallPhase::kDestroy: return "destroy";
    case CallPhase::kExtension: return "get_extension";
    case CallPhase::kPrepare: return "prepare";
    case CallPhase::kCommit: return "commit";
    case CallPhase::kAbort: return "abort";
    case CallPhase::kRetire: return "retire";
    case CallPhase::kShardStart: return "shard_start";
    case CallPhase::kShardStop: return "shard_stop";
    case CallPhase::kOpen: return "on_open";
    case CallPhase::kSegment: return "on_segment";
    case CallPhase::kGap: return "on_gap";
    case CallPhase::kClose: return "on_close";
    case CallPhase::kDatagram: return "on_datagram";
    case CallPhase::kEvent: return "on_event";
    case CallPhase::kTick: return "on_tick";
    case CallPhase::kFlush: return "flush";
    case CallPhase::kPlan: return "plan";
  }
  return "none";
}

const CrashSubject* CrashSubjectOf(std::string_view module) {
  // Leaked on purpose: a thread may die inside a module while the process exits.
  static auto& mutex = *new std::mutex;
  static auto& subjects = *new std::list<CrashSubject>;
  const std::lock_guard lock(mutex);
  module = module.substr(0, sizeof(CrashSubject::name) - 1);
  for (const CrashSubject& subject : subjects) {
    if (module == subject.name) return &subject;
  }
  CrashSubject& subject = subjects.emplace_back();
  std::copy(module.begin(), module.end(), subject.name);
  return &subject;
}

std::string_view CurrentCallModule() {
  const CrashSubject* subject = internal::current_note.subject;
  return subject == nullptr ? std::string_view() : std::string_view(subject->name);
}

Status InstallCrashHandler(const std::string& path) {
  if (path.size() >= sizeof(crash_path)) {
    return MakeStatus(absl::StatusCode::kInvalidArgument, "the path of the crash file is too long");
  }
  std::memcpy(crash_path, path.c_str(), path.size() + 1);
  struct sigaction action{};
  action.sa_sigaction = OnFatalSignal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  for (const int signal : kFatalSignals) {
    struct sigaction before{};
    sigaction(signal, &action, &before);
    const bool is_ours = (before.sa_flags & SA_SIGINFO) != 0 && before.sa_sigaction == OnFatalSignal;
    if (!is_ours) actions_before[signal] = before;
  }
  return OkStatus();
}

SignalStack::SignalStack() {
#ifdef PROBED_SANITIZED
  return;  // a sanitizer has one of its own, with room for its report
#endif
  void* memory =
      mmap(nullptr, kSignalStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) return;  // the normal stack serves, except for its own overflow
  stack_t stack{};
  stack.ss_sp = memory;
  stack.ss_size = kSignalStackBytes;
  sigaltstack(&stack, nullptr);
  memory_ = memory;
}

SignalStack::~SignalStack() {
  if (memory_ == nullptr) return;
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  sigaltstack(&none, nullptr);
  munmap(memory_, kSignalStackBytes);
}

}  // namespace probed::modules
