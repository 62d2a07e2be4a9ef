// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Who to blame when the process dies: each thread notes which module it is about to call, in memory a signal handler
// can read, and the handler appends one line about it to a file. quarantine.h reads that file at the next start.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "server/base/status.h"

namespace probed::modules {

/// Which call into a module a thread is in.
enum class CallPhase : std::uint8_t {
  kNone,
  kLoad,  // static constructors
  kCreate,
  kDestroy,
  kExtension,
  kPrepare,
  kCommit,
  kAbort,
  kRetire,
  kShardStart,
  kShardStop,
  kOpen,
  kSegment,
  kGap,
  kClose,
  kDatagram,
  kEvent,
  kTick,
  kFlush,
  kPlan,
};

/// "load", "create", "on_segment", ...: as the ABI names the call. Async-signal-safe.
const char* CallPhaseName(CallPhase phase);

/// A module as the signal handler knows it; lives as long as the process. Never null, one per name.
struct CrashSubject;
const CrashSubject* CrashSubjectOf(std::string_view module);

struct CrashNote {
  const CrashSubject* subject = nullptr;
  std::uint32_t instance = 0;
  CallPhase phase = CallPhase::kNone;
};

namespace internal {
// Static TLS of the executable: reading it in a signal handler allocates nothing.
extern constinit thread_local CrashNote current_note __attribute__((tls_model("initial-exec")));
}  // namespace internal

/// Notes a call for as long as the scope lives; scopes nest. Two stores and two restores, no system call.
class CallScope {
 public:
  CallScope(const CrashSubject* subject, std::uint32_t instance, CallPhase phase) : before_(internal::current_note) {
    internal::current_note = {subject, instance, phase};
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  ~CallScope() {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    internal::current_note = before_;
  }
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

 private:
  CrashNote before_;
};

/// Name of the module the calling thread is in, empty outside of every module.
std::string_view CurrentCallModule();

/// From now on a fatal signal inside a module appends "crash MODULE INSTANCE PHASE SIGNAL\n" to `path`, then dies of
/// the signal as if there were no handler. Call once, before threads start. Errors: path too long.
[[nodiscard]] Status InstallCrashHandler(const std::string& path);

/// Gives the calling thread a stack for signal handlers, so that a module that overflows the normal one is noted too.
/// Make one at the start of every thread that calls modules, destroy it at its end.
class SignalStack {
 public:
  SignalStack();
  ~SignalStack();
  SignalStack(const SignalStack&) = delete;
  SignalStack& operator=(const SignalStack&) = delete;

 private:
  void* memory_ = nullptr;
};

}  // namespace probed::modules
