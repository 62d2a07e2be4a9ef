/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Records of a segment: how an author's function sends what it has seen to user space (probed_ship, probed_ship_seen).
 * Part of probed.bpf.h.
 */
#ifndef PROBED_SDK_SHIP_BPF_H
#define PROBED_SDK_SHIP_BPF_H

#include "api/sdk/bpf/probed.bpf.h"

enum { PROBED_SHIP_CAUSE = 0x80 /* flag of probed_ship: fill in the cause */ };

static __always_inline void probed_record_place(struct probed_segment *segment, struct pb_record *record, __u32 skip,
                                                __u32 captured, __u32 total, __u8 flags, __u8 hint) {
  record->size = sizeof(*record) + captured;
  record->direction = (__u8)segment->at.direction;
  record->flags = flags & ~PROBED_SHIP_CAUSE;
  record->hint = hint;
  record->cookie = segment->at.state->cookie;
  record->offset = segment->at.offset + skip;
  record->wire_sequence = segment->at.wire_sequence + skip;
  record->total = total;
  record->captured = captured;
  if (flags & PROBED_SHIP_CAUSE) probed_cause_fill(segment, record);
}

PB_COPY_VECTOR(256)
PB_COPY_VECTOR(512)
PB_COPY_VECTOR(1024)
PB_COPY_VECTOR(4096)
PB_COPY_VECTOR(16384)

/* One reservation of a fixed size: the verifier wants it constant. `copy_call` fills record->data and gives a count. */
#define PROBED_SHIP_CLASS(segment, skip, want, total, flags, hint, room, copy_call) \
  do {                                                                              \
    struct {                                                                        \
      struct pb_record head;                                                        \
      __u8 data[room];                                                              \
    } *record = bpf_ringbuf_reserve((segment)->ring, sizeof(*record), 0);           \
    if (!record) return PROBED_FULL;                                                \
    const __u32 copied = (__u32)(copy_call);                                        \
    flags |= probed_unread(segment, want, copied);                                  \
    probed_record_finish(segment, &record->head, skip, copied, total, flags, hint); \
    return PROBED_SHIPPED;                                                          \
  } while (0)

/* The flag of a record that lacks bytes. */
static __always_inline __u8 probed_unread(struct probed_segment *segment, __u32 want, __u32 copied) {
  if (copied >= want) return 0;
  segment->line->unreadable++;
  return PB_SEGMENT_UNREADABLE;
}

/* Fills in the head of a reserved record whose bytes are copied, and submits it. */
static __always_inline void probed_record_finish(struct probed_segment *segment, struct pb_record *head, __u32 skip,
                                                 __u32 copied, __u32 total, __u8 flags, __u8 hint) {
  const __u64 sequence = segment->line->sequence++;
  pb_record_fill(head, segment->line, segment->settings, sequence, segment->slot, (__u16)segment->incarnation,
                 PB_RECORD_SEGMENT);
  probed_record_place(segment, head, skip, copied, total, flags, hint);
  bpf_ringbuf_submit(head, pb_wake_flag(segment->ring, segment->at.control, sequence));
}

/* Ships no bytes: that `total` bytes passed from position `skip` on. */
static __always_inline int probed_ship_count(struct probed_segment *segment, __u32 skip, __u32 total, __u8 flags,
                                             __u8 hint) {
  struct pb_record *record = bpf_ringbuf_reserve(segment->ring, sizeof(*record), 0);
  if (!record) return PROBED_FULL;
  pb_record_fill(record, segment->line, segment->settings, segment->line->sequence++, segment->slot,
                 (__u16)segment->incarnation, PB_RECORD_SEGMENT);
  probed_record_place(segment, record, skip, 0, total, flags, hint);
  bpf_ringbuf_submit(record, pb_wake_flag(segment->ring, segment->at.control, segment->line->sequence));
  return PROBED_SHIPPED;
}

static __always_inline int probed_ship_plain(struct probed_segment *segment, __u32 skip, __u32 want, __u32 total,
                                             __u8 flags, __u8 hint) {
  if (want <= 128)
    PROBED_SHIP_CLASS(segment, skip, want, total, flags, hint, 128,
                      pb_copy_plain(record->data, 128, segment->at.buffer, skip, want));
  if (want <= 512)
    PROBED_SHIP_CLASS(segment, skip, want, total, flags, hint, 512,
                      pb_copy_plain(record->data, 512, segment->at.buffer, skip, want));
  if (want <= 1024)
    PROBED_SHIP_CLASS(segment, skip, want, total, flags, hint, 1024,
                      pb_copy_plain(record->data, 1024, segment->at.buffer, skip, want));
  if (want <= 4096)
    PROBED_SHIP_CLASS(segment, skip, want, total, flags, hint, 4096,
                      pb_copy_plain(record->data, 4096, segment->at.buffer, skip, want));
  PROBED_SHIP_CLASS(segment, skip, want, total, flags, hint, 16384,
                    pb_copy_plain(record->data, 16384, segment->at.buffer, skip, want));
}

static __always_inline int probed_ship_vector(struct probed_segment *segment, __u32 skip, __u32 want, __u32 total,
                                              __u8 flags, __u8 hint) {
  if (want <= 256)
    PROBED_SHIP_CLASS(segment, skip, want, total, flags, hint, 2 * 256,
                      pb_copy_vector_256((struct pb_room_256 *)record->data, segment->at.buffer, skip, want));
  if (want <= 1024)
    PROBED_SHIP_CLASS(segment, skip, want, total, flags, hint, 2 * 1024,
                      pb_copy_vector_1024((struct pb_room_1024 *)record->data, segment->at.buffer, skip, want));
  if (want <= 4096)
    PROBED_SHIP_CLASS(segment, skip, want, total, flags, hint, 2 * 4096,
                      pb_copy_vector_4096((struct pb_room_4096 *)record->data, segment->at.buffer, skip, want));
  PROBED_SHIP_CLASS(segment, skip, want, total, flags, hint, 2 * 16384,
                    pb_copy_vector_16384((struct pb_room_16384 *)record->data, segment->at.buffer, skip, want));
}

/* Ships `want` bytes from position `skip` of the segment, and says that the record stands for `total` bytes from there
 * (0: for the rest of the segment). flags: enum pb_segment_flag, PROBED_SHIP_CAUSE. Returns a probed_outcome. */
static __always_inline int probed_ship(struct probed_segment *segment, __u32 skip, __u32 want, __u32 total, __u8 flags,
                                       __u8 hint) {
  const __u32 rest = segment->at.total - skip;
  if (total == 0 || total > rest) total = rest;
  if (want > total) want = total;
  if (!probed_readable(segment)) {
    segment->line->unreadable++;
    return probed_ship_count(segment, skip, total, flags | PB_SEGMENT_UNREADABLE, hint);
  }
  if (want == 0) return probed_ship_count(segment, skip, total, flags, hint);
  if (want > 16384) want = 16384;
  if (segment->at.buffer->segments) return probed_ship_vector(segment, skip, want, total, flags, hint);
  return probed_ship_plain(segment, skip, want, total, flags, hint);
}

/* What a program makes of bytes it has seen before they are shipped. */
struct probed_shipment {
  __u32 captured; /* how many of them to ship; preset: all */
  __u32 total;    /* what the record stands for; 0: the rest of the segment (preset) */
  __u8 flags;
  __u8 hint;
  __u8 withdrawn; /* ship nothing: the program goes another way */
};

enum {
  PROBED_SEEN_BYTES = 512, /* at most, of one call of probed_ship_seen */
  PROBED_WITHDRAWN = 15,   /* outcome of probed_ship_seen: the program withdrew, nothing was shipped */
};

/* The first eight bytes and the last four of `length`, where what is not there is 0, and the four behind the first
 * eight, where it is anything. */
struct probed_sight {
  __u64 first;
  __u32 next;
  __u32 last;
};

static __always_inline struct probed_sight probed_look(const __u8 *bytes, __u32 most, __u64 length) {
  struct probed_sight sight = {.first = *(const __u64 *)bytes, .next = *(const __u32 *)(bytes + 8)};
  if (length < 8) sight.first &= (1ULL << (length * 8)) - 1;
  if (length >= 4) sight.last = *(const __u32 *)(bytes + pb_clamp(length - 4, most - 4));
  return sight;
}

typedef void (*probed_decide)(void *context, struct probed_sight sight, struct probed_shipment *shipment);

static __always_inline int probed_ship_seen_bytes(struct probed_segment *segment, __u32 skip, __u32 copied, __u32 want,
                                                  struct pb_record *record, const struct probed_shipment *shipment) {
  const __u32 captured = shipment->captured < copied ? shipment->captured : copied;
  const __u32 total = shipment->total ? shipment->total : segment->at.total - skip;
  const __u8 flags = shipment->flags | probed_unread(segment, want, copied);
  probed_record_finish(segment, record, skip, captured, total, flags, shipment->hint);
  return PROBED_SHIPPED;
}

#define PROBED_SEEN_CLASS(room, most, copy_call)                                          \
  do {                                                                                    \
    struct {                                                                              \
      struct pb_record head;                                                              \
      __u8 data[room];                                                                    \
    } *record = bpf_ringbuf_reserve(segment->ring, sizeof(*record), 0);                   \
    if (!record) return PROBED_FULL;                                                      \
    const __u32 copied = (__u32)(copy_call);                                              \
    decide(context, probed_look(record->data, most, copied), &shipment);                  \
    if (shipment.withdrawn) {                                                             \
      bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);                                      \
      return PROBED_WITHDRAWN;                                                            \
    }                                                                                     \
    return probed_ship_seen_bytes(segment, skip, copied, want, &record->head, &shipment); \
  } while (0)

/* Copies `want` bytes (at most PROBED_SEEN_BYTES) from position `skip`, shows them to `decide` and ships what that
 * says: every byte of user memory is read once, and reading it is the dearest part of a hook. `decide` must be a
 * constant and always inlined. Returns a probed_outcome or PROBED_WITHDRAWN. */
static __always_inline int probed_ship_seen(struct probed_segment *segment, __u32 skip, __u32 want,
                                            probed_decide decide, void *context) {
  struct probed_shipment shipment = {.captured = want};
  const struct pb_buffer *buffer = segment->at.buffer;
  if (!buffer->segments) {
    if (want <= 128) PROBED_SEEN_CLASS(128, 128, pb_copy_plain(record->data, 128, buffer, skip, want));
    PROBED_SEEN_CLASS(512, 512, pb_copy_plain(record->data, 512, buffer, skip, want));
  }
  if (want <= 256)
    PROBED_SEEN_CLASS(2 * 256, 256, pb_copy_vector_256((struct pb_room_256 *)record->data, buffer, skip, want));
  PROBED_SEEN_CLASS(2 * 512, 512, pb_copy_vector_512((struct pb_room_512 *)record->data, buffer, skip, want));
}

#endif
