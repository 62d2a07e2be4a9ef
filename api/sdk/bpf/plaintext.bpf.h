/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Plaintext that a library encrypts or decrypts, handed by a module's probes to whoever speaks its protocol. The bytes
 * become a stream of layer PLAINTEXT beside the socket's raw one; classifiers and segment programs of all modules see
 * it like any other. Which socket it goes over is found out, never guessed: by the socket calls inside the probed call.
 *
 *   PROBED_UPROBE(tls_write) {            at the entry
 *     return probed_plaintext_begin(probed_argument(registers, 1), probed_argument(registers, 2), PB_BIND_TLS);
 *   }
 *   PROBED_UPROBE(tls_written) {          at the return, where it is known how many bytes went through
 *     return probed_plaintext_commit(probe, registers, PB_SENT, (int)probed_result(registers));
 *   }
 */
#ifndef PROBED_SDK_PLAINTEXT_BPF_H
#define PROBED_SDK_PLAINTEXT_BPF_H

#include "api/sdk/bpf/uprobe.bpf.h"
#include "bpf/include/unowned.bpf.h"

static __always_inline struct pb_task *probed_task(__u64 flags) {
  return bpf_task_storage_get(&pb_tasks, bpf_get_current_task_btf(), 0, flags);
}

/* The calling thread enters a call about `object`, whose plaintext is (or will be) at `address`. Until the commit its
 * socket calls are the object's, if `bind` (enum pb_bind) allows. */
static __always_inline int probed_plaintext_begin(__u64 object, __u64 address, __u32 bind) {
  struct pb_task *task = probed_task(BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!task) return PROBED_FAULT;
  task->plain_object = object;
  task->plain_address = address;
  task->plain_count = 0;
  task->plain_bind = bind;
  return PROBED_SKIPPED;
}

/* The same for a call that returns success or failure, and writes how many bytes (a size_t) to `count`. */
static __always_inline int probed_plaintext_begin_counted(__u64 object, __u64 address, __u64 count, __u32 bind) {
  const int outcome = probed_plaintext_begin(object, address, bind);
  struct pb_task *task = probed_task(0);
  if (task) task->plain_count = count;
  return outcome;
}

/* The call ends, and no plaintext went through: a handshake. */
static __always_inline int probed_plaintext_end(void) {
  struct pb_task *task = probed_task(0);
  if (task) task->plain_object = 0;
  return PROBED_SKIPPED;
}

static __always_inline void pb_context_note(struct pb_control *control, __u32 flag) {
  if (!(control->contexts & flag)) __sync_fetch_and_or(&control->contexts, flag);
}

/* Inside of a call about an object, which does not touch the socket itself: what it made of its plaintext, to be sent
 * by whoever owns the socket. A hello is always looked at, because a new connection may have the address of one that is
 * gone; data as long as the socket is not known; and nothing else, for these are enough and looking costs. */
static __always_inline int probed_plaintext_sealed(struct probed_uprobe *probe, __u64 address, __s64 length) {
  const struct pb_task *task = probed_task(0);
  struct pb_seal seal = {.tgid = (__u32)(bpf_get_current_pid_tgid() >> 32)};
  if (!task || !task->plain_object || length < PB_SEAL_BYTES) return PROBED_SKIPPED;
  const struct pb_plain_key key = {.object = task->plain_object, .tgid = seal.tgid};
  if (bpf_probe_read_user(seal.words, sizeof(seal.words), (void *)address)) return PROBED_SKIPPED;
  const __u64 head = seal.words[0];
  if (!pb_is_tls_head(head) || (!pb_is_tls_hello(head) && !pb_is_tls_data(head))) return PROBED_SKIPPED;
  if (pb_is_tls_data(head) && bpf_map_lookup_elem(&pb_plains, &key)) return PROBED_SKIPPED;
  pb_context_note(probe->control, PB_CONTEXT_SEALS);
  return bpf_map_update_elem(&pb_seals, &seal, &key.object, BPF_ANY) ? PROBED_FAULT : PROBED_SKIPPED;
}

static __always_inline int pb_call_begin(struct probed_uprobe *probe, __u64 context, __u64 object, __u64 address,
                                         __u32 bind, __u16 flags) {
  const struct pb_context_key key = {.context = context, .tgid = (__u32)(bpf_get_current_pid_tgid() >> 32)};
  const struct pb_call call = {.object = object,
                               .address = address,
                               .bind = bind,
                               .slot = (__u16)cfg_slot,
                               .flags = flags,
                               .incarnation = cfg_incarnation};
  pb_context_note(probe->control, PB_CONTEXT_CALLS);
  return bpf_map_update_elem(&pb_calls, &key, &call, BPF_ANY) ? PROBED_FAULT : PROBED_SKIPPED;
}

/* A call is in the hands of a context that runs on many threads, a goroutine: whichever thread makes its socket calls
 * and comes to its end. `anchor`: 0, or an address that moves together with `address` while the call lasts (the end of
 * a stack that may be copied). */
static __always_inline int probed_context_begin(struct probed_uprobe *probe, __u64 context, __u64 object, __u64 address,
                                                __u64 anchor, __u32 bind) {
  return pb_call_begin(probe, context, object, address - anchor, bind, anchor ? PB_CALL_ANCHORED : 0);
}

/* A call inside of which no plaintext goes through: a handshake. One that is part of a call begun before is left to it.
 */
static __always_inline int probed_context_begin_blind(struct probed_uprobe *probe, __u64 context, __u64 object,
                                                      __u32 bind) {
  const struct pb_context_key key = {.context = context, .tgid = (__u32)(bpf_get_current_pid_tgid() >> 32)};
  const struct pb_call *call = bpf_map_lookup_elem(&pb_calls, &key);
  if (call && call->object == object && call->address) return PROBED_SKIPPED;
  return pb_call_begin(probe, context, object, 0, bind, 0);
}

/* Ends it. */
static __always_inline int probed_context_end_blind(__u64 context) {
  const struct pb_context_key key = {.context = context, .tgid = (__u32)(bpf_get_current_pid_tgid() >> 32)};
  const struct pb_call *call = bpf_map_lookup_elem(&pb_calls, &key);
  if (call && !call->address) bpf_map_delete_elem(&pb_calls, &key);
  return PROBED_SKIPPED;
}

/* The object of the call that the thread is inside of. 0: of none. */
static __always_inline __u64 probed_plaintext_object(void) {
  const struct pb_task *task = probed_task(0);
  return task ? task->plain_object : 0;
}

/* Turns to the socket that the plaintext of `object` goes over. False: it is not known. */
static __always_inline bool probed_turn_to(struct probed_uprobe *probe, __u64 object) {
  const struct pb_plain_key key = {.object = object, .tgid = (__u32)(bpf_get_current_pid_tgid() >> 32)};
  const struct pb_plain *plain = object ? bpf_map_lookup_elem(&pb_plains, &key) : 0;
  if (!plain) return false;
  const __u32 shard = plain->state.raw.shard;
  const __u32 index = cfg_slot * probe->control->shards + shard;
  struct pb_counters *line = pb_line(cfg_slot, shard, probe->control->shards);
  void *ring = bpf_map_lookup_elem(&pb_rings, &index);
  if (!line || !ring) return false;
  probe->line = line;
  probe->ring = ring;
  probe->cookie = plain->state.cookie;
  probe->verdict.rule = plain->state.rule;
  return true;
}

/* Ships an event about that socket: its cookie (a word), then `size` bytes of the traced process. Among all that the
 * module gets of the socket it comes in order. PROBED_SKIPPED: the socket is not known. */
static __always_inline int probed_ship_about(struct probed_uprobe *probe, __u64 object, __u32 kind, __u64 address,
                                             __u32 size) {
  if (!probed_turn_to(probe, object)) return PROBED_SKIPPED;
  PROBED_EVENT_SHIP(probe, kind, 8, size, bpf_probe_read_user, (const void *)address);
}

/* The same with bytes of the probe's own memory, at most 64. */
static __always_inline int probed_ship_about_own(struct probed_uprobe *probe, __u64 object, __u32 kind,
                                                 const void *bytes, __u32 size) {
  if (!probed_turn_to(probe, object)) return PROBED_SKIPPED;
  PROBED_EVENT_CLASS(probe, kind, 8, size, 64, bpf_probe_read_kernel, bytes);
}

#if PB_LAYER

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, PB_MAX_SLOTS *PB_SLOT_PROGRAMS);
  __type(key, __u32);
  __type(value, __u32);
} pb_progs_up SEC(".maps");

/* The program the plaintext goes on to, or PB_DONE. */
static __always_inline __u32 probed_plaintext_next(struct pb_plain *plain, struct pb_control *control, __u32 direction,
                                                   __u32 length, struct pb_counters *line) {
  struct pb_sock *state = &plain->state;
  const __u32 slot = state->raw.slot & (PB_MAX_SLOTS - 1);
  if (slot && state->raw.incarnation == control->incarnation[slot])
    return slot * PB_SLOT_PROGRAMS + pb_program_for(state, direction);
  if (slot) {
    state->raw.slot = 0;
    state->raw.chain_generation = 0;
  }
  struct pb_buffer buffer = {};
  struct pb_segment segment = {
      .sk = plain, .state = state, .control = control, .buffer = &buffer, .total = length, .direction = direction};
  return pb_unowned(&segment, line);
}

/* Ends what begin began: `length` bytes went through, none when it is not positive. Does not come back when a module
 * takes them; else the outcome of the probe. */
static __always_inline int probed_plaintext_commit(struct probed_uprobe *probe, struct pt_regs *registers,
                                                   __u32 direction, int length) {
  struct pb_task *task = probed_task(0);
  const __u32 core_line = 0;
  struct pb_counters *core = bpf_map_lookup_elem(&pb_counters, &core_line);
  if (!core || !task || !task->plain_object) return PROBED_SKIPPED;
  const struct pb_plain_key key = {.object = task->plain_object, .tgid = (__u32)(bpf_get_current_pid_tgid() >> 32)};
  task->plain_object = 0;
  if (length <= 0) return PROBED_SKIPPED;
  struct pb_plain *plain = bpf_map_lookup_elem(&pb_plains, &key);
  if (!plain) return PROBED_UNBOUND;
  task->fed_object = key.object;
  task->fed_length = (__u32)length;
  const __u32 next = probed_plaintext_next(plain, probe->control, direction, (__u32)length, core);
  if (next == PB_DONE) return PROBED_PASSED;
  bpf_tail_call(registers, &pb_progs_up, next);
  probed_count(&core->unclassified); /* its owner has no programs for plaintext */
  return PROBED_PASSED;
}

/* Ends what begin_counted began. `succeeded`: whether the count is to be looked at. */
static __always_inline int probed_plaintext_commit_counted(struct probed_uprobe *probe, struct pt_regs *registers,
                                                           __u32 direction, bool succeeded) {
  const struct pb_task *task = probed_task(0);
  __u64 length = 0;
  if (succeeded && task && task->plain_count) bpf_probe_read_user(&length, sizeof(length), (void *)task->plain_count);
  if (length > 0x7fffffff) length = 0x7fffffff;
  return probed_plaintext_commit(probe, registers, direction, (int)length);
}

/* Ends what context_begin began; `anchor` as it is now. A call whose beginning was not seen has no object: unbound. */
static __always_inline int probed_context_commit(struct probed_uprobe *probe, struct pt_regs *registers, __u64 context,
                                                 __u64 anchor, __u32 direction, int length) {
  const struct pb_context_key key = {.context = context, .tgid = (__u32)(bpf_get_current_pid_tgid() >> 32)};
  const struct pb_call *call = bpf_map_lookup_elem(&pb_calls, &key);
  if (!call) return length > 0 ? PROBED_UNBOUND : PROBED_SKIPPED;
  struct pb_task *task = probed_task(BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!task) return PROBED_FAULT;
  task->plain_object = call->object;
  task->plain_address = call->flags & PB_CALL_ANCHORED ? call->address + anchor : call->address;
  task->plain_count = 0;
  bpf_map_delete_elem(&pb_calls, &key);
  return probed_plaintext_commit(probe, registers, direction, length);
}

/* Plaintext that is about to be sent, by code that sends it once and whole, or never anything again. An answer to it
 * can come before that code returns, so it is not waited for. A socket not known by now is that of the next call. */
static __always_inline int probed_context_send(struct probed_uprobe *probe, struct pt_regs *registers, __u64 context,
                                               __u64 object, __u64 address, int length, __u32 bind) {
  const struct pb_plain_key key = {.object = object, .tgid = (__u32)(bpf_get_current_pid_tgid() >> 32)};
  if (length <= 0) return PROBED_SKIPPED;
  if (!bpf_map_lookup_elem(&pb_plains, &key)) {
    pb_call_begin(probe, context, object, 0, bind, PB_CALL_ONCE);
    return PROBED_UNBOUND;
  }
  struct pb_task *task = probed_task(BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!task) return PROBED_FAULT;
  task->plain_object = object;
  task->plain_address = address;
  task->plain_count = 0;
  return probed_plaintext_commit(probe, registers, PB_SENT, length);
}

/* What the commit handed on. */
static __always_inline struct pb_plain *probed_plaintext_fed(int *length) {
  const struct pb_task *task = probed_task(0);
  if (!task) return 0;
  const struct pb_plain_key key = {.object = task->fed_object, .tgid = (__u32)(bpf_get_current_pid_tgid() >> 32)};
  *length = (int)task->fed_length;
  return bpf_map_lookup_elem(&pb_plains, &key);
}

/* The section, written before it, is that of the program: so this begins with it. */
#define PROBED_PLAINTEXT_PROGRAM(name)                                                                  \
  int name(struct pt_regs *ctx);                                                                        \
  static __always_inline int name##_on_plaintext(struct pt_regs *ctx, struct pb_plain *sk, int length); \
  int name(struct pt_regs *ctx) {                                                                       \
    int length = 0;                                                                                     \
    struct pb_plain *plain = probed_plaintext_fed(&length);                                             \
    return plain ? name##_on_plaintext(ctx, plain, length) : 0;                                         \
  }                                                                                                     \
  static __always_inline int name##_on_plaintext(struct pt_regs *ctx, struct pb_plain *sk, int length)

#else /* a module's source is compiled for sockets too, where its probes do not run */
static __always_inline int probed_plaintext_commit(struct probed_uprobe *probe, struct pt_regs *registers,
                                                   __u32 direction, int length) {
  return PROBED_SKIPPED;
}
static __always_inline int probed_plaintext_commit_counted(struct probed_uprobe *probe, struct pt_regs *registers,
                                                           __u32 direction, bool succeeded) {
  return PROBED_SKIPPED;
}
static __always_inline int probed_context_commit(struct probed_uprobe *probe, struct pt_regs *registers, __u64 context,
                                                 __u64 anchor, __u32 direction, int length) {
  return PROBED_SKIPPED;
}
static __always_inline int probed_context_send(struct probed_uprobe *probe, struct pt_regs *registers, __u64 context,
                                               __u64 object, __u64 address, int length, __u32 bind) {
  return PROBED_SKIPPED;
}
#endif

#endif
