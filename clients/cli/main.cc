// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
// probectl: terminal and signals; the rest is in verbs/.
#include <pthread.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <thread>

#include "clients/cli/lib/interrupt.h"
#include "clients/cli/lib/session.h"
#include "clients/cli/verbs/verbs.h"

namespace {

using probed::cli::Interrupt;
using probed::cli::Terminal;

constexpr std::size_t kUsualWidth = 80;
constexpr int kInterruptedTwice = 130;

bool IsSmart() {
  const char* term = std::getenv("TERM");
  return term != nullptr && std::string_view(term) != "dumb";
}

Terminal TerminalOf(int fd) {
  if (::isatty(fd) == 0) return {};
  winsize size{};
  const bool known = ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  const char* no_color = std::getenv("NO_COLOR");
  return {known ? size.ws_col : kUsualWidth, IsSmart() && (no_color == nullptr || *no_color == '\0')};
}

/// Waits for Ctrl-C on a thread of its own, because cancelling a call is nothing for a signal handler. The first one
/// cancels, the second ends the program.
class SignalThread {
 public:
  explicit SignalThread(Interrupt& interrupt) {
    sigemptyset(&signals_);
    for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&signals_, signal);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    thread_ = std::thread([this, &interrupt] { Wait(interrupt); });
  }
  ~SignalThread() {
    pthread_kill(thread_.native_handle(), SIGUSR1);
    thread_.join();
  }
  SignalThread(const SignalThread&) = delete;
  SignalThread& operator=(const SignalThread&) = delete;

 private:
  void Wait(Interrupt& interrupt) {
    int signal = 0;
    while (sigwait(&signals_, &signal) == 0 && signal != SIGUSR1) {
      if (interrupt.fired()) ::_exit(kInterruptedTwice);
      interrupt.Fire();
    }
  }

  sigset_t signals_{};
  std::thread thread_;
};

}  // namespace

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  Interrupt interrupt;
  const SignalThread signals(interrupt);
  probed::cli::Session session({std::cout, std::cerr, TerminalOf(STDOUT_FILENO), ::isatty(STDERR_FILENO) != 0},
                               interrupt);
  return probed::cli::ToInt(probed::cli::RunProbectl({argv + 1, argv + argc}, session));
}
