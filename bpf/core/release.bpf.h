/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * How a stream leaves its owner before it ends: the owner's decoder said so in user space, which cannot write another
 * process's socket storage. The wish waits here until the stream's next segment.
 */
#ifndef PROBED_CORE_RELEASE_BPF_H
#define PROBED_CORE_RELEASE_BPF_H

#include "bpf/include/stream.bpf.h"

/* By cookie. Wishes about sockets that are gone are never taken: the oldest make room. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, __u64);
  __type(value, struct pb_hint);
} pb_hints SEC(".maps");

/* The last record its owner gets. False: no room for it. */
static __always_inline bool pb_ship_close(struct pb_control *control, struct pb_sock *state, __u8 reason) {
  const __u32 slot = state->raw.slot & (PB_MAX_SLOTS - 1);
  const __u32 index = slot * control->shards + state->raw.shard;
  struct pb_counters *line = bpf_map_lookup_elem(&pb_counters, &index);
  void *ring = bpf_map_lookup_elem(&pb_rings, &index);
  return line && ring && pb_close_put(ring, line, control, state, slot, reason);
}

/* Tells the owner of the stream that nothing more comes. */
static __always_inline void pb_closed(struct pb_control *control, struct pb_sock *state, __u8 reason) {
  const __u32 slot = state->raw.slot & (PB_MAX_SLOTS - 1);
  if (!slot || state->raw.incarnation != control->incarnation[slot]) return;
  if (pb_ship_close(control, state, reason)) state->flags |= PB_SOCK_CLOSED;
}

/* The owner lets go for good; the heir named takes over, or the classifiers of the others are asked. */
static __always_inline void pb_release(struct sock *sk, struct pb_control *control, struct pb_sock *state, __u32 heir) {
  pb_ship_close(control, state, PB_CLOSE_HANDED_OVER);
  pb_stream_let_go(&state->raw);
  bpf_sk_storage_delete(&pb_gathers, sk);
  heir &= PB_MAX_SLOTS - 1;
  if (heir && control->incarnation[heir]) pb_stream_claim(&state->raw, heir, control->incarnation[heir]);
}

/* Somebody's wish is new; if it is about this stream and its owner, and the stream has come that far, it is taken. */
static __always_inline void pb_hint_take(struct sock *sk, struct pb_control *control, struct pb_sock *state) {
  const __u32 generation = control->hint_generation;
  const struct pb_hint *hint = bpf_map_lookup_elem(&pb_hints, &state->cookie);
  if (!hint || hint->incarnation != (__u16)state->raw.incarnation) {
    state->raw.hint_generation = generation;
    return;
  }
  if (hint->offset > state->raw.end[PB_RECEIVED]) return;
  const __u32 heir = hint->heir;
  bpf_map_delete_elem(&pb_hints, &state->cookie);
  state->raw.hint_generation = generation;
  pb_release(sk, control, state, heir);
}

#endif
