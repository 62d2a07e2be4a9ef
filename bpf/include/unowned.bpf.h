/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * A stream that nobody owns, in either layer: gathers its first bytes and names the first classifier to be asked.
 */
#ifndef PROBED_UNOWNED_BPF_H
#define PROBED_UNOWNED_BPF_H

#include "bpf/include/stream.bpf.h"

enum { PB_MOST_ATTEMPTS = 8, PB_DONE = 0 };

#if PB_LAYER
static const struct pb_gather pb_no_head;

static __always_inline struct pb_gather *pb_gather_make(pb_subject *plain) {
  struct pb_gather *gather = pb_gather_of(plain);
  if (gather) return gather;
  bpf_map_update_elem(&pb_plain_heads, &plain->key, &pb_no_head, BPF_NOEXIST);
  return pb_gather_of(plain);
}
#else
static __always_inline struct pb_gather *pb_gather_make(pb_subject *sk) {
  struct pb_gather *gather = bpf_sk_storage_get(&pb_gathers, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
  return gather ? gather : pb_gather_of(sk); /* refused where the other direction made it at the same moment */
}
#endif

_Static_assert(PB_HEAD_BYTES == 64, "what the next line makes");
PB_COPY_VECTOR(64)

/* Appends the segment's first bytes to what classifiers look at. False: they cannot be read. */
static __always_inline bool pb_gather_bytes(struct pb_segment *segment, struct pb_gather *gather) {
  const __u32 direction = segment->direction & 1;
  const __u64 held = pb_clamp(gather->length[direction], PB_HEAD_BYTES);
  __u64 want = PB_HEAD_BYTES - held;
  if (want > segment->total) want = segment->total;
  if (!held) gather->offset[direction] = segment->offset;
  __u8 *to = gather->bytes[direction] + held;
  want = pb_clamp(want, PB_HEAD_BYTES);
  const __u32 copied = segment->buffer->segments
                           ? (__u32)pb_copy_vector_64((struct pb_room_64 *)to, segment->buffer, 0, (__u32)want)
                           : pb_copy_plain(to, PB_HEAD_BYTES, segment->buffer, 0, (__u32)want);
  if (copied < want) return false;
  gather->length[direction] = (__u32)(held + want);
  return true;
}

/* The calling thread's call is one of this direction; what it did in the other one is over. */
static __always_inline void pb_asker_note(struct pb_stream *stream, __u32 direction) {
  const __u32 thread = (__u32)bpf_get_current_pid_tgid();
  stream->thread[direction] = thread;
  if (stream->thread[!direction] == thread) stream->thread[!direction] = 0;
}

/* Which direction the calling thread's call was noted for. */
static __always_inline __u32 pb_asker_direction(const struct pb_stream *stream) {
  return stream->thread[PB_SENT] == (__u32)bpf_get_current_pid_tgid();
}

/* What pb_unowned below does, but for the index of the message. */
static __always_inline __u32 pb_unowned_look(struct pb_segment *segment, struct pb_counters *line) {
  struct pb_sock *state = segment->state;
  struct pb_control *control = segment->control;
  const __u32 direction = segment->direction & 1;
  const bool turned = state->raw.last_direction != direction + 1;
  const __u32 first = pb_next_classifier(control, state, 0);
  state->raw.last_direction = (__u8)(direction + 1);
  pb_segment_locate(segment);
  pb_segment_finish(segment);
  if (state->raw.chain_generation == control->chain_generation) {
    if (!turned || state->raw.attempts >= PB_MOST_ATTEMPTS) line->unclassified++;
    if (!turned || state->raw.attempts >= PB_MOST_ATTEMPTS) return PB_DONE;
    state->raw.attempts++;
  } else {
    state->raw.attempts = 0;
  }
  if (!first) state->raw.chain_generation = control->chain_generation;
  pb_segment_buffer(segment);
  if (!first || !segment->buffer->readable) {
    line->unclassified++;
    return PB_DONE;
  }
  struct pb_gather *gather = pb_gather_make(segment->sk);
  if (gather && state->flags & PB_SOCK_DATAGRAM) gather->length[direction] = 0; /* each stands for itself */
  if (!gather || !pb_gather_bytes(segment, gather)) {
    line->fault++;
    return PB_DONE;
  }
  pb_asker_note(&state->raw, direction);
  state->raw.taken[direction] = 1;
  return first * PB_SLOT_PROGRAMS + PB_CLASSIFY;
}

/* A stream nobody owns: the first classifier's program, or PB_DONE when it is not looked at again now. */
static __always_inline __u32 pb_unowned(struct pb_segment *segment, struct pb_counters *line) {
  const __u32 next = pb_unowned_look(segment, line);
  /* Vectors of messages are for datagrams; the many streams that nobody owns need not pay for this. */
  if (next == PB_DONE && segment->state->flags & PB_SOCK_DATAGRAM) pb_message_passed();
  return next;
}

#endif
