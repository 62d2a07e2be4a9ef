// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What a module's BPF headers ask of the kernel, for tests on the host: types, keywords, and helpers that work on
// ordinary memory. To be included before those headers, which are C: the test turns off what g++ warns of in them.
#pragma once

#include <linux/types.h>

#include <cstring>

#undef __always_inline
#define __always_inline inline __attribute__((always_inline))
#define __noinline [[maybe_unused]] static

struct user_iovec {
  __u64 base;
  __u64 length;
};

/// All memory can be read.
inline long bpf_probe_read_user(void* to, __u32 size, const void* from) {
  std::memcpy(to, from, size);
  return 0;
}

template <class Context>
long bpf_loop(__u32 count, long (*step)(__u32, Context*), Context* context, __u64) {
  for (__u32 i = 0; i < count; ++i) {
    if (step(i, context) != 0) return i + 1;
  }
  return count;
}

inline __u64 pb_clamp(__u64 value, __u64 most) { return value > most ? most : value; }
