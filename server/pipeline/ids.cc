// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/ids.h"

#include <sys/random.h>

#include <cerrno>
#include <ctime>

namespace probed::pipeline {
namespace {

constexpr std::uint64_t kOddConstant = 0x9e3779b97f4a7c15;

// Only where getrandom is refused (a sandbox): differs per process start and per generator.
std::array<std::uint64_t, 4> SeedFromTime(const void* self) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const auto mixed = static_cast<std::uint64_t>(now.tv_nsec) * kOddConstant ^ static_cast<std::uint64_t>(now.tv_sec);
  return {mixed, mixed * kOddConstant, reinterpret_cast<std::uintptr_t>(self), kOddConstant};
}

}  // namespace

IdGenerator::IdGenerator() {
  ssize_t got = 0;
  do {
    got = getrandom(state_.data(), sizeof(state_), 0);
  } while (got < 0 && errno == EINTR);
  if (got != sizeof(state_) || state_ == std::array<std::uint64_t, 4>{}) state_ = SeedFromTime(this);
}

}  // namespace probed::pipeline
