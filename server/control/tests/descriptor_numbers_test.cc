// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/control/descriptor_numbers.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

namespace probed::control {
namespace {

// Far above what a test program has open, below every sensible limit.
constexpr int kLowest = 200;

Fd Open() { return Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

TEST(DescriptorNumbers, NeverTakeAFreedNumberAgainBeforeTheEnd) {
  DescriptorNumbers numbers(kLowest, kLowest + 4);
  for (int i = 0; i < 4; ++i) {
    const Result<Fd> moved = numbers.Move(Open());  // closed at the end of each turn
    ASSERT_TRUE(moved.ok());
    EXPECT_EQ(moved->get(), kLowest + i);
  }
}

TEST(DescriptorNumbers, StartOverWhereNobodyIs) {
  DescriptorNumbers numbers(kLowest, kLowest + 3);
  const Result<Fd> first = numbers.Move(Open());
  ASSERT_TRUE(first.ok());
  for (const int expected : {kLowest + 1, kLowest + 2, kLowest + 1}) {
    const Result<Fd> moved = numbers.Move(Open());
    ASSERT_TRUE(moved.ok());
    EXPECT_EQ(moved->get(), expected);
  }
}

TEST(DescriptorNumbers, SayWhenAllAreTaken) {
  DescriptorNumbers numbers(kLowest, kLowest + 2);
  const Result<Fd> first = numbers.Move(Open());
  const Result<Fd> second = numbers.Move(Open());
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(numbers.Move(Open()).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(DescriptorNumbers, KeepTheFileAndCloseOnExec) {
  DescriptorNumbers numbers(kLowest, kLowest + 2);
  int pipe_fds[2];
  ASSERT_EQ(::pipe2(pipe_fds, O_CLOEXEC), 0);
  const Fd reader(pipe_fds[0]);
  const int old_number = pipe_fds[1];
  const Result<Fd> writer = numbers.Move(Fd(old_number));
  ASSERT_TRUE(writer.ok());
  EXPECT_EQ(::fcntl(old_number, F_GETFD), -1);
  EXPECT_EQ(::fcntl(writer->get(), F_GETFD), FD_CLOEXEC);
  char byte = 'x';
  EXPECT_EQ(::write(writer->get(), &byte, 1), 1);
  EXPECT_EQ(::read(reader.get(), &byte, 1), 1);
}

TEST(DescriptorNumbers, UseTheUpperHalfOfTheProcess) {
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  DescriptorNumbers numbers = DescriptorNumbers::ForProcess();
  const Result<Fd> moved = numbers.Move(Open());
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_GE(static_cast<rlim_t>(moved->get()), std::min<rlim_t>(limit.rlim_cur, 16384) / 2);
}

}  // namespace
}  // namespace probed::control
