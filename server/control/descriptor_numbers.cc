// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/descriptor_numbers.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>

namespace probed::control {
namespace {

// Beyond this a larger range gives nothing but a larger descriptor table in the kernel.
constexpr rlim_t kEnoughDescriptors = 16384;

/// The first free number from `lowest`, if it is below `end`.
Fd DuplicateAtLeast(const Fd& fd, int lowest, int end) {
  if (lowest >= end) return Fd();
  Fd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, lowest));
  return copy.get() < end ? std::move(copy) : Fd();
}

}  // namespace

DescriptorNumbers DescriptorNumbers::ForProcess() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const int end = static_cast<int>(std::min(limit.rlim_cur, kEnoughDescriptors));
  return {end / 2, end};
}

Result<Fd> DescriptorNumbers::Move(Fd fd) {
  Fd moved = DuplicateAtLeast(fd, next_, end_);
  if (!moved.valid()) moved = DuplicateAtLeast(fd, lowest_, end_);
  if (!moved.valid()) {
    return MakeStatus(absl::StatusCode::kResourceExhausted, "no descriptor number is left for another connection");
  }
  next_ = moved.get() + 1;
  return moved;
}

}  // namespace probed::control
