/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Which request a thread works for. Noted at each request, so each thread has a place of its own by its id; one whose
 * place another thread has keeps it in its task storage. Only the thread itself writes to its place.
 */
#ifndef PROBED_CAUSE_BPF_H
#define PROBED_CAUSE_BPF_H

#include "bpf/shared/maps.bpf.h"

static __always_inline struct pb_cause *pb_cause_place(__u64 thread) {
  const __u32 place = (__u32)thread & (PB_CAUSES - 1);
  return bpf_map_lookup_elem(&pb_causes, &place);
}

/* The calling thread's. 0: it has none. */
static __always_inline struct pb_cause *pb_cause_get(void) {
  const __u64 thread = bpf_get_current_pid_tgid();
  struct pb_cause *cause = pb_cause_place(thread);
  if (cause && cause->thread == thread) return cause;
  struct pb_task *task = bpf_task_storage_get(&pb_tasks, bpf_get_current_task_btf(), 0, 0);
  return task ? &task->cause : 0;
}

/* The calling thread's, to be written whole: it may hold what its last owner left. 0: no memory. */
static __always_inline struct pb_cause *pb_cause_make(void) {
  const __u64 thread = bpf_get_current_pid_tgid();
  struct pb_cause *cause = pb_cause_place(thread);
  if (cause && cause->thread == thread) return cause;
  if (cause && !cause->thread && !__sync_val_compare_and_swap(&cause->thread, 0, thread)) return cause;
  struct pb_task *task = bpf_task_storage_get(&pb_tasks, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  return task ? &task->cause : 0;
}

static __always_inline void pb_cause_set(struct pb_cause *cause, __u64 cookie, __u64 offset, __u32 layer) {
  cause->cookie = cookie;
  cause->offset = offset;
  cause->layer = layer;
}

/* pb_cause_begin of a thread that has no place yet, or none of its own. This one, pb_cause_clear and pb_cause_tell are
 * global: two places to look at are two paths to the verifier (docs/verifier_cookbook.md#global-functions). */
__noinline int pb_cause_begin_first(__u64 cookie, __u64 offset, __u32 layer) {
  struct pb_cause *cause = pb_cause_make();
  if (cause) pb_cause_set(cause, cookie, offset, layer);
  return 0;
}

/* The calling thread works for the request received at `offset` of a stream. */
static __always_inline void pb_cause_begin(__u64 cookie, __u64 offset, __u32 layer) {
  const __u64 thread = bpf_get_current_pid_tgid();
  struct pb_cause *cause = pb_cause_place(thread);
  if (cause && cause->thread == thread)
    pb_cause_set(cause, cookie, offset, layer);
  else
    pb_cause_begin_first(cookie, offset, layer);
}

/* The calling thread works for nobody in particular. */
__noinline int pb_cause_clear(void) {
  struct pb_cause *cause = pb_cause_get();
  if (cause) cause->cookie = 0;
  return 0;
}

/* Says so in a record about what the thread does. */
__noinline int pb_cause_tell(struct pb_record *record) {
  const struct pb_cause *cause = pb_cause_get();
  if (!cause || !record) return 0;
  record->cause_cookie = cause->cookie;
  record->cause_offset = cause->offset;
  record->cause_layer = (__u8)cause->layer;
  return 0;
}

/* The calling thread ends. */
static __always_inline void pb_cause_end(void) {
  const __u64 thread = bpf_get_current_pid_tgid();
  struct pb_cause *cause = pb_cause_place(thread);
  if (cause && cause->thread == thread) cause->thread = 0;
}

#endif
