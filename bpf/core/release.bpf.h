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
  if (!line || !ring) return false;
  struct pb_record *record = bpf_ringbuf_reserve(ring, sizeof(*record), 0);
  if (!record) {
    line->open_full++;
    return false;
  }
  pb_record_fill(record, line, pb_settings_of(control, slot), line->sequence++, slot, (__u16)state->raw.incarnation,
                 PB_RECORD_CLOSE);
  record->size = sizeof(*record);
  record->layer = (state->flags & PB_SOCK_PLAINTEXT) != 0;
  record->direction = 0;
  record->flags = 0;
  record->hint = reason;
  record->cookie = state->cookie;
  record->offset = state->raw.end[PB_RECEIVED];
  record->wire_sequence = 0;
  record->total = 0;
  record->captured = 0;
  line->opens++;
  bpf_ringbuf_submit(record, pb_wake_flag(ring, control, record->sequence));
  return true;
}

/* The owner lets go for good; the heir named takes over, or the classifiers of the others are asked. */
static __always_inline void pb_release(struct sock *sk, struct pb_control *control, struct pb_sock *state, __u32 heir) {
  struct pb_stream *stream = &state->raw;
  const __u32 slot = stream->slot & (PB_MAX_SLOTS - 1);
  pb_ship_close(control, state, PB_CLOSE_HANDED_OVER);
  stream->refused |= 1U << slot;
  if (stream->incarnation > stream->refused_until) stream->refused_until = stream->incarnation;
  stream->slot = 0;
  stream->route = 0;
  stream->chain_generation = 0;
  bpf_sk_storage_delete(&pb_gathers, sk);
  heir &= PB_MAX_SLOTS - 1;
  if (heir && control->incarnation[heir]) pb_stream_claim(stream, heir, control->incarnation[heir]);
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
