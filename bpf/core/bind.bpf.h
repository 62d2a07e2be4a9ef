/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Which socket a plaintext goes over: a socket call made inside a probed call about an object is that object's, and so
 * is a call that sends what was sealed in one. The probes said so (api/sdk/bpf/plaintext.bpf.h); nothing else is
 * believed.
 */
#ifndef PROBED_CORE_BIND_BPF_H
#define PROBED_CORE_BIND_BPF_H

#include "bpf/core/release.bpf.h"
#include "bpf/include/stream.bpf.h"

static const struct pb_plain pb_no_plain;

/* The bytes of the call begin like a TLS record. */
static __always_inline bool pb_begins_like_tls(void) {
  struct pb_buffer buffer = {};
  pb_buffer_find(&buffer);
  return buffer.readable && pb_is_tls_head(pb_peek8(&buffer, 0, 2));
}

/* The object that sealed the bytes that were just sent. 0: none. */
static __always_inline __u64 pb_object_of_seal(__u32 tgid, int length) {
  struct pb_buffer buffer = {};
  struct pb_seal seal = {.tgid = tgid};
  if (length < PB_SEAL_BYTES) return 0;
  pb_buffer_find(&buffer);
  if (!buffer.readable) return 0;
  seal.words[0] = pb_peek8(&buffer, 0, 8);
  if (!pb_is_tls_head(seal.words[0])) return 0;
  for (__u32 i = 1; i < PB_SEAL_BYTES / 8; i++) seal.words[i] = pb_peek8(&buffer, i * 8, 8);
  const __u64 *sealed = bpf_map_lookup_elem(&pb_seals, &seal);
  if (!sealed) return 0;
  const __u64 object = *sealed;
  bpf_map_delete_elem(&pb_seals, &seal);
  return object;
}

static __always_inline bool pb_is_bound(const struct pb_sock *state) {
  if (!state->plain.object) return false;
  const struct pb_plain_key key = state->plain;
  const struct pb_plain *plain = bpf_map_lookup_elem(&pb_plains, &key);
  return plain && plain->state.cookie == state->cookie;
}

/* The last its owner hears of it. */
static __always_inline void pb_plain_end(struct pb_control *control, struct pb_plain *plain, __u8 reason) {
  const __u32 slot = plain->state.raw.slot & (PB_MAX_SLOTS - 1);
  if (slot && plain->state.raw.incarnation == control->incarnation[slot]) pb_ship_close(control, &plain->state, reason);
}

static __always_inline void pb_plain_make(struct sock *sk, const struct pb_plain_key *key, struct pb_sock *state) {
  bpf_map_update_elem(&pb_plains, key, &pb_no_plain, BPF_ANY);
  struct pb_plain *plain = bpf_map_lookup_elem(&pb_plains, key);
  if (!plain) return;
  plain->key = *key;
  plain->state.target_generation = state->target_generation;
  plain->state.included = 1;
  plain->state.rule = state->rule;
  plain->state.flags = PB_SOCK_PLAINTEXT | (state->flags & (PB_SOCK_FROM_START | PB_SOCK_CAUSE_PLAINTEXT));
  plain->state.cookie = state->cookie;
  plain->state.raw.shard = state->raw.shard;
  plain->state.cause_cookie = state->cause_cookie;
  plain->state.cause_offset = state->cause_offset;
  pb_open_fill(&plain->open, sk, state);
}

/* The object whose call this socket call is part of, noted under the context that the caller's registers name. 0: none.
 */
static __always_inline __u64 pb_object_of_context(const struct pb_control *control, __u32 tgid, __u32 *bind) {
  const struct pt_regs *registers = (const struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
  const struct pb_context_key key = {.context = PB_GOROUTINE(registers), .tgid = tgid};
  const struct pb_call *call = bpf_map_lookup_elem(&pb_calls, &key);
  if (!call || call->incarnation != control->incarnation[call->slot & (PB_MAX_SLOTS - 1)]) return 0;
  *bind = call->bind;
  const __u64 object = call->object;
  if (call->flags & PB_CALL_ONCE) bpf_map_delete_elem(&pb_calls, &key);
  return object;
}

/* The object that this socket call is about, by what its thread is inside of or else by the other ways there are. Those
 * leave a socket to the object it has: where TLS is inside of TLS, the inner one comes first. */
static __always_inline __u64 pb_object_at_hand(const struct pb_control *control, const struct pb_sock *state,
                                               __u32 tgid, int length, __u32 direction, __u32 *bind) {
  const struct pb_task *task = bpf_task_storage_get(&pb_tasks, bpf_get_current_task_btf(), 0, 0);
  if (task && task->plain_object) {
    *bind = task->plain_bind;
    return task->plain_object;
  }
  if (!control->contexts || pb_is_bound(state)) return 0;
  const __u64 object = control->contexts & PB_CONTEXT_CALLS ? pb_object_of_context(control, tgid, bind) : 0;
  if (object || direction != PB_SENT || !(control->contexts & PB_CONTEXT_SEALS)) return object;
  return pb_object_of_seal(tgid, length);
}

/* At a call on a socket that is a target. Binds once; an object that moves to another socket begins anew there. */
static __always_inline void pb_bind(struct sock *sk, struct pb_control *control, struct pb_sock *state, int length,
                                    __u32 direction) {
  struct pb_plain_key key = {.tgid = (__u32)(bpf_get_current_pid_tgid() >> 32)};
  __u32 bind = PB_BIND_ANY;
  key.object = pb_object_at_hand(control, state, key.tgid, length, direction, &bind);
  if (!key.object) return;
  struct pb_plain *known = bpf_map_lookup_elem(&pb_plains, &key);
  if (known && known->state.cookie == state->cookie) return;
  if (bind == PB_BIND_TLS && !pb_begins_like_tls()) return;
  if (known) pb_plain_end(control, known, PB_CLOSE_LOCAL);
  state->plain = key;
  pb_plain_make(sk, &key, state);
}

/* The socket ends, and with it the plaintext. An object that moved on is another socket's. */
static __always_inline void pb_plain_closed(struct pb_control *control, struct pb_sock *state, __u8 reason) {
  if (!state->plain.object) return;
  const struct pb_plain_key key = state->plain;
  struct pb_plain *plain = bpf_map_lookup_elem(&pb_plains, &key);
  state->plain.object = 0;
  if (!plain || plain->state.cookie != state->cookie) return;
  pb_plain_end(control, plain, reason);
  bpf_map_delete_elem(&pb_plains, &key);
}

#endif
