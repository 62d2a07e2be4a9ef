/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Where the bytes of the system call under way lie in user memory, and how to copy them. At the exit of the socket
 * layer the caller's registers are still saved and its buffer holds the bytes, so no hook at the entry is needed.
 */
#ifndef PROBED_USER_BUFFER_BPF_H
#define PROBED_USER_BUFFER_BPF_H

#include "bpf/shared/maps.bpf.h"

/* segments 0: `base` is the buffer, of `room` bytes; else `base` is an array of that many iovecs. */
struct pb_buffer {
  __u64 base;
  __u64 room;
  __u32 segments;
  __u32 readable;
  __u64 name; /* socket address that the call names; 0: none */
  __u32 name_length;
  __u32 of_many; /* a message of a recvmmsg or sendmmsg call: pb_message_passed moves on to the next one */
};

/* As many iovecs as a call may have (UIO_MAXIOV); walked by bpf_loop, so the verifier does not care. */
enum { PB_MAX_IOVECS = 1024, PB_MESSAGE_STRIDE = 64 /* sizeof(struct mmsghdr) */ };

#if defined(__TARGET_ARCH_x86)
enum {
  SYS_read = 0,
  SYS_write = 1,
  SYS_readv = 19,
  SYS_writev = 20,
  SYS_sendto = 44,
  SYS_recvfrom = 45,
  SYS_sendmsg = 46,
  SYS_recvmsg = 47,
  SYS_preadv = 295,
  SYS_pwritev = 296,
  SYS_recvmmsg = 299,
  SYS_sendmmsg = 307,
  SYS_preadv2 = 327,
  SYS_pwritev2 = 328,
};
#define PB_SYSCALL_NUMBER(regs) ((regs)->orig_ax)
#define PB_SYSCALL_ARG1(regs) ((regs)->si)
#define PB_SYSCALL_ARG2(regs) ((regs)->dx)
#define PB_SYSCALL_ARG4(regs) ((regs)->r8)
#define PB_SYSCALL_ARG5(regs) ((regs)->r9)
enum { TS_COMPAT = 2 };
#define PB_TASK_IS_COMPAT(task) ((task)->thread_info.status & TS_COMPAT)
/* The most frequent calls, as bits of one word: asked at each call, and a comparison for each of them costs more. */
#define PB_CALL_BIT(number) ((number) < 64 ? 1ULL << (number) : 0)
#elif defined(__TARGET_ARCH_arm64)
enum {
  SYS_read = 63,
  SYS_write = 64,
  SYS_readv = 65,
  SYS_writev = 66,
  SYS_preadv = 69,
  SYS_pwritev = 70,
  SYS_sendto = 206,
  SYS_recvfrom = 207,
  SYS_sendmsg = 211,
  SYS_recvmsg = 212,
  SYS_recvmmsg = 243,
  SYS_sendmmsg = 269,
  SYS_preadv2 = 286,
  SYS_pwritev2 = 287,
};
#define PB_SYSCALL_NUMBER(regs) ((regs)->syscallno)
#define PB_SYSCALL_ARG1(regs) ((regs)->regs[1])
#define PB_SYSCALL_ARG2(regs) ((regs)->regs[2])
#define PB_SYSCALL_ARG4(regs) ((regs)->regs[4])
#define PB_SYSCALL_ARG5(regs) ((regs)->regs[5])
#define PB_TASK_IS_COMPAT(task) 0
#define PB_CALL_BIT(number)                                        \
  ((number) >= 63 && (number) < 67      ? 1ULL << ((number) - 63)  \
   : (number) == 206 || (number) == 207 ? 1ULL << ((number) - 200) \
                                        : 0)
#endif

/* Go keeps the goroutine in a register of its own, at calls of its functions and at system calls. */
#if defined(__TARGET_ARCH_x86)
#define PB_GOROUTINE(regs) ((regs)->r14)
#elif defined(__TARGET_ARCH_arm64)
#define PB_GOROUTINE(regs) ((regs)->regs[28])
#endif

/* Bounds a length in a way the compiler cannot re-derive and drop: the verifier needs to see it
 * (docs/verifier_cookbook.md#clamp). */
static __always_inline __u64 pb_clamp(__u64 value, __u64 most) {
  asm volatile("" : "+r"(value));
  if (value > most) value = most;
  asm volatile("" : "+r"(value));
  return value;
}

/* Index of the message a recvmmsg/sendmmsg call is at: the hook runs once per message of the vector, and several
 * programs of that hook call may ask. */
static __always_inline __u32 pb_message_index(struct task_struct *task, __u64 vector) {
  const struct pb_task *state = bpf_task_storage_get(&pb_tasks, task, 0, 0);
  return state && state->message_vector == vector ? state->message_index : 0;
}

/* The hook call is done with its message: the next one of the same system call is about the next message. */
__noinline int pb_message_passed(void) {
  struct task_struct *task = bpf_get_current_task_btf();
  struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
  const __u64 number = PB_SYSCALL_NUMBER(regs);
  const __u64 vector = PB_SYSCALL_ARG1(regs);
  const __u64 length = PB_SYSCALL_ARG2(regs);
  if (number != SYS_recvmmsg && number != SYS_sendmmsg) return 0;
  struct pb_task *state = bpf_task_storage_get(&pb_tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!state) return 0;
  const __u32 next = state->message_vector == vector ? state->message_index + 1 : 1;
  const bool last = next >= (__u32)length;
  state->message_vector = last ? 0 : vector;
  state->message_index = last ? 0 : next;
  return 0;
}

/* A failed call ends the vector under way: the next one starts again at its first message. */
static __always_inline void pb_message_reset(void) {
  struct task_struct *task = bpf_get_current_task_btf();
  struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
  const __u64 number = PB_SYSCALL_NUMBER(regs);
  if (number != SYS_recvmmsg && number != SYS_sendmmsg) return;
  struct pb_task *state = bpf_task_storage_get(&pb_tasks, task, 0, 0);
  if (state) state->message_vector = 0;
}

static __always_inline void pb_buffer_of_message(struct pb_buffer *buffer, __u64 message) {
  struct user_message header = {};
  if (bpf_probe_read_user(&header, 32, (void *)message)) return;
  buffer->name = header.name;
  buffer->name_length = header.name_length;
  buffer->base = header.iov;
  buffer->segments = header.iov_length > PB_MAX_IOVECS ? PB_MAX_IOVECS : (__u32)header.iov_length;
  buffer->readable = buffer->segments > 0;
}

/* Finds the buffer of the current call. Not readable: kernel threads, io_uring, compat tasks, sendfile and splice.
 * This and the other functions without `static` are global to the verifier: checked once each, not once per path that
 * leads to them (docs/verifier_cookbook.md#global-functions); that is also why they return a number. */
__noinline int pb_buffer_find(struct pb_buffer *buffer) {
  if (!buffer) return 0;
  buffer->base = 0;
  buffer->segments = 0;
  buffer->readable = 0;
  buffer->room = 0;
  buffer->name = 0;
  buffer->name_length = 0;
  buffer->of_many = 0;
  struct task_struct *task = bpf_get_current_task_btf();
  if (task->flags & (PF_KTHREAD | PF_IO_WORKER) || PB_TASK_IS_COMPAT(task)) return 0;
  /* Each register is read once: merged loads through different pointers are refused
   * (docs/verifier_cookbook.md#registers). */
  struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
  const __u64 number = PB_SYSCALL_NUMBER(regs);
  const __u64 address = PB_SYSCALL_ARG1(regs);
  const __u64 count = PB_SYSCALL_ARG2(regs);
  const __u64 name = PB_SYSCALL_ARG4(regs);
  const __u64 name_length = PB_SYSCALL_ARG5(regs);
  switch (number) {
    case SYS_sendto:
      buffer->name = name;
      buffer->name_length = (__u32)name_length;
      buffer->base = address;
      buffer->room = count;
      buffer->readable = 1;
      return 0;
    case SYS_read:
    case SYS_write:
    case SYS_recvfrom:
      buffer->base = address;
      buffer->room = count;
      buffer->readable = 1;
      return 0;
    case SYS_readv:
    case SYS_writev:
    case SYS_preadv:
    case SYS_pwritev:
    case SYS_preadv2:
    case SYS_pwritev2:
      buffer->base = address;
      buffer->segments = count > PB_MAX_IOVECS ? PB_MAX_IOVECS : (__u32)count;
      buffer->readable = buffer->segments > 0;
      return 0;
    case SYS_sendmsg:
    case SYS_recvmsg: pb_buffer_of_message(buffer, address); return 0;
    case SYS_sendmmsg:
    case SYS_recvmmsg:
      buffer->of_many = 1;
      pb_buffer_of_message(buffer, address + (__u64)pb_message_index(task, address) * PB_MESSAGE_STRIDE);
      return 0;
    default: return 0;
  }
}

/* Calls with one buffer, and with an array of them. */
#define PB_BUFFER_CALLS \
  (PB_CALL_BIT(SYS_read) | PB_CALL_BIT(SYS_write) | PB_CALL_BIT(SYS_sendto) | PB_CALL_BIT(SYS_recvfrom))
#define PB_VECTOR_CALLS (PB_CALL_BIT(SYS_readv) | PB_CALL_BIT(SYS_writev))

/* pb_buffer_find for streams, which need no address of the other end: the most frequent calls without a call. */
static __always_inline void pb_buffer_find_stream(struct pb_buffer *buffer) {
  struct task_struct *task = bpf_get_current_task_btf();
  struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
  const __u64 number = PB_SYSCALL_NUMBER(regs);
  const __u64 call = PB_CALL_BIT(number);
  if (!(call & (PB_BUFFER_CALLS | PB_VECTOR_CALLS)) || task->flags & (PF_KTHREAD | PF_IO_WORKER) ||
      PB_TASK_IS_COMPAT(task)) {
    pb_buffer_find(buffer);
    return;
  }
  buffer->base = PB_SYSCALL_ARG1(regs);
  buffer->segments = 0;
  buffer->readable = 1;
  buffer->of_many = 0;
  if (call & PB_BUFFER_CALLS) return;
  const __u64 count = PB_SYSCALL_ARG2(regs);
  buffer->segments = count > PB_MAX_IOVECS ? PB_MAX_IOVECS : (__u32)count;
  buffer->readable = count > 0;
}

/* The walk over an iovec array: a bpf_loop, because the verifier would run an ordinary loop of this size once per
 * iteration and caller (docs/verifier_cookbook.md#loops). */
struct pb_vector_walk {
  __u8 *to;
  __u64 base;
  __u64 skip;
  __u64 done;
  __u64 want;
  __u64 most;
};

static long pb_vector_step(__u32 index, struct pb_vector_walk *walk) {
  struct user_iovec part;
  if (walk->done >= walk->want) return 1;
  if (bpf_probe_read_user(&part, sizeof(part), (void *)(walk->base + index * sizeof(part)))) return 1;
  if (walk->skip >= part.length) {
    walk->skip -= part.length;
    return 0;
  }
  __u64 length = part.length - walk->skip;
  if (length > walk->want - walk->done) length = walk->want - walk->done;
  const __u64 at = pb_clamp(walk->done, walk->most);
  length = pb_clamp(length, walk->most);
  if (bpf_probe_read_user(walk->to + at, (__u32)length, (void *)(part.base + walk->skip))) return 1;
  walk->done = pb_clamp(at + length, walk->most);
  walk->skip = 0;
  return 0;
}

/* The first iovecs of a call are read at once: each read of user memory costs as much as the rest of a hook's work
 * (docs/verifier_cookbook.md#user-reads). */
enum { PB_NEAR_IOVECS = 4 };

/* Copies what lies in the first iovecs. Returns the bytes copied: fewer than wanted, if it goes on behind them. */
static __always_inline __u64 pb_copy_near(__u8 *to, __u32 most, const struct pb_buffer *buffer, __u64 skip,
                                          __u32 want) {
  struct user_iovec parts[PB_NEAR_IOVECS] = {};
  const __u64 read = pb_clamp((__u64)buffer->segments * sizeof(parts[0]), sizeof(parts));
  if (bpf_probe_read_user(parts, (__u32)read, (void *)buffer->base)) return 0;
  __u64 done = 0;
  for (__u32 i = 0; i < PB_NEAR_IOVECS && done < want; i++) {
    __u64 length = parts[i].length;
    if (skip >= length) {
      skip -= length;
      continue;
    }
    length -= skip;
    if (length > want - done) length = want - done;
    const __u64 at = pb_clamp(done, most);
    length = pb_clamp(length, most);
    if (bpf_probe_read_user(to + at, (__u32)length, (void *)(parts[i].base + skip))) break;
    done = at + length;
    skip = 0;
  }
  return done;
}

/* Copies `want` bytes from position `skip` of an iovec array to `to`, which has room for 2 * most bytes (the second
 * half is only for the verifier, which cannot relate position and length). want <= most. Returns the bytes copied. */
static __always_inline __u32 pb_copy_vector(__u8 *to, __u32 most, const struct pb_buffer *buffer, __u64 skip,
                                            __u32 want) {
  const __u64 near = pb_copy_near(to, most, buffer, skip, want);
  if (near >= want || buffer->segments <= PB_NEAR_IOVECS) return (__u32)pb_clamp(near, most);
  struct pb_vector_walk walk = {.to = to, .base = buffer->base, .skip = skip, .want = want, .most = most};
  bpf_loop(buffer->segments, pb_vector_step, &walk, 0);
  return (__u32)pb_clamp(walk.done, most);
}

/* The same as a global function per size of destination. */
#define PB_COPY_VECTOR(bytes)                                                                                   \
  struct pb_room_##bytes {                                                                                      \
    __u8 data[2 * (bytes)];                                                                                     \
  };                                                                                                            \
  __noinline int pb_copy_vector_##bytes(struct pb_room_##bytes *to, const struct pb_buffer *buffer, __u32 skip, \
                                        __u32 want) {                                                           \
    if (!to || !buffer) return 0;                                                                               \
    return (int)pb_copy_vector(to->data, bytes, buffer, skip, want);                                            \
  }

/* Copies from a plain buffer; `to` has room for `most`. Returns the bytes copied: all or none. */
static __always_inline __u32 pb_copy_plain(__u8 *to, __u32 most, const struct pb_buffer *buffer, __u64 skip,
                                           __u32 want) {
  const __u64 length = pb_clamp(want, most);
  return bpf_probe_read_user(to, (__u32)length, (void *)(buffer->base + skip)) ? 0 : (__u32)length;
}

enum { PB_PEEK_IOVECS = 4 };

/* Up to eight bytes at position `skip`, zero-filled: enough to see how a message begins. `have`: bytes of the segment
 * from there on. Does not read across an iovec's end. */
__noinline __u64 pb_peek8(const struct pb_buffer *buffer, __u64 skip, __u64 have) {
  if (!buffer) return 0;
  __u64 word = 0;
  __u64 address = buffer->base + skip;
  __u64 length = have;
  if (buffer->segments) {
    struct user_iovec part = {};
    for (__u32 i = 0; i < PB_PEEK_IOVECS; i++) {
      if (i >= buffer->segments) return 0;
      if (bpf_probe_read_user(&part, sizeof(part), (void *)(buffer->base + i * sizeof(part)))) return 0;
      if (skip < part.length) break;
      skip -= part.length;
    }
    if (skip >= part.length) return 0;
    address = part.base + skip;
    if (part.length - skip < length) length = part.length - skip;
  }
  bpf_probe_read_user(&word, (__u32)pb_clamp(length, 8), (void *)address);
  return word;
}

#endif
