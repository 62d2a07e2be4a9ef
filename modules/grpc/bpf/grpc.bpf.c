/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Kernel side of the gRPC module: recognises HTTP/2, follows its frames, ships heads and header blocks and leaves DATA
 * out. A place where the frames cannot be followed any more (bytes that no hook can show, lost records) ends at the
 * next segment that begins like a frame; the decoder sees the hole by the offsets.
 */
#include "api/sdk/bpf/probed.bpf.h"
#include "modules/grpc/bpf/h2_walk.h"

PROBED_MODULE();

PROBED_CLASSIFY(grpc) { return h2_recognise(head->bytes, head->length); }

/* This module's memory per stream. */
struct h2_stream {
  struct h2_direction way[2];
};

/* Who sends requests: direction + 1, kept in a spare byte of the first direction. 0: not known. */
static __always_inline __u8 *h2_request_direction(struct h2_stream *stream) { return &stream->way[0].spare[0]; }

/* Whether the segment begins where this module can read frames: at a frame, or at the preface or a rest of it. */
static __always_inline bool h2_find_place(const struct pb_buffer *buffer, __u32 total, struct h2_direction *way) {
  __u64 words[2];
  words[0] = pb_peek8(buffer, 0, total);
  words[1] = total > 8 ? pb_peek8(buffer, 8, total - 8) : 0;
  way->head = 0;
  way->have = 0;
  way->left = 0;
  if ((__u32)words[0] == H2_PREFACE_WORD_LOW) return true;
  return h2_recognise_frame((const __u8 *)words, total < 16 ? total : 16) == H2_YES;
}

/* Takes up the walk in a segment of `total` bytes from offset `begin` on. Returns the position in it to go on from; -1:
 * nothing of it can be read. This and h2_judge are global: what they come to is one state to the verifier, not one per
 * path (docs/verifier_cookbook.md#global-functions). */
__noinline int h2_take_up(const struct pb_buffer *buffer, struct h2_direction *way, __u32 begin, __u32 total) {
  if (!buffer || !way) return -1;
  const __u32 done = way->at - begin;
  if (way->known) {
    if (done < total) return (int)done; /* a new segment, or the next run on the same one */
    const __u32 missed = begin - way->at;
    if (missed <= way->left && !way->have) { /* a hole inside a payload */
      way->left -= missed;
      way->at = begin;
      return 0;
    }
  }
  way->at = begin;
  way->known = h2_find_place(buffer, total, way);
  return way->known ? 0 : -1;
}

/* Bytes of a payload that nobody wants. -1: there is more behind them. */
static __always_inline int h2_skip(struct probed_segment *segment, struct h2_direction *way, __u32 *at) {
  const __u32 rest = probed_total(segment) - *at;
  const __u32 count = h2_least(way->left, rest);
  way->left -= count;
  way->at += count;
  if (count < rest) {
    *at += count;
    return -1;
  }
  /* The record's time is the end of the stream. */
  if (!way->left && way->ends) return probed_ship(segment, *at, 0, 0, PB_SEGMENT_SKIPPED, 0);
  return PROBED_SKIPPED;
}

/* Points the walk at position `at` of the call's buffer, or at its iovecs (then h2_seek finds the position). */
static __always_inline void h2_aim(const struct probed_segment *segment, struct h2_walk *walk, __u32 at) {
  const struct pb_buffer *buffer = segment->at.buffer;
  walk->rest = probed_total(segment) - at;
  if (!buffer->segments) {
    walk->address = buffer->base + at;
    walk->piece = walk->rest;
    return;
  }
  walk->vector = buffer->base;
  walk->vectors = buffer->segments;
}

/* The first iovecs, up to the one that holds position `at`. */
struct h2_seek {
  struct h2_walk *walk;
  __u32 skip;
  __u32 pad;
};

static long h2_seek_step(__u32 index, struct h2_seek *seek) {
  struct h2_walk *walk = seek->walk;
  struct user_iovec part;
  if (!walk->vectors || bpf_probe_read_user(&part, sizeof(part), h2_user(walk->vector))) {
    walk->lost = 1;
    return 1;
  }
  walk->vector += sizeof(part);
  walk->vectors--;
  if (part.length <= seek->skip) {
    seek->skip -= (__u32)part.length;
    return 0;
  }
  const __u64 length = part.length - seek->skip;
  walk->address = part.base + seek->skip;
  walk->piece = length < walk->rest ? (__u32)length : walk->rest;
  return 1;
}

__noinline int h2_seek(struct h2_walk *walk, __u32 skip) {
  if (!walk) return 0;
  struct h2_seek seek = {.walk = walk, .skip = skip};
  bpf_loop(PB_MAX_IOVECS, h2_seek_step, &seek, 0);
  return 0;
}

/* Calls that come one after the other are their threads'. Once two were open together the connection is shared: a
 * thread that reads from it works for nobody in particular, one that writes to it may write for others; no parent
 * rather than a wrong one. Flags are kept in a spare byte of the first direction. */
enum { H2_CALL_OPEN = 1, H2_SHARED = 2 };

/* Who sends requests: the side that sent the preface; on an older connection the side whose blocks do not begin with a
 * status. Where the preface does not begin the connection, HTTP/1 asked for HTTP/2: its request is open as stream 1. */
static __always_inline void h2_learn_roles(struct h2_stream *stream, __u32 direction, __u64 first, __u64 offset) {
  if ((__u32)first != H2_PREFACE_WORD_LOW) return;
  *h2_request_direction(stream) = (__u8)(direction + 1);
  if (offset) stream->way[0].spare[1] |= H2_CALL_OPEN;
}

static __always_inline bool h2_is_shared(struct h2_stream *stream, const struct h2_walk *walk) {
  __u8 *calls = &stream->way[0].spare[1];
  if (walk->blocks > 1 || (*calls & H2_CALL_OPEN)) *calls |= H2_SHARED;
  *calls |= H2_CALL_OPEN;
  return *calls & H2_SHARED;
}

/* What is to be said of the requests that a walk found. */
enum h2_verdict {
  H2_NO_CAUSE = 0,
  H2_HAS_CAUSE = 1,    /* they belong to the request that their thread works for */
  H2_BEGINS_CAUSE = 2, /* their thread works for the last of them now */
  H2_CLEARS_CAUSE = 3, /* their thread works for nobody in particular */
};

__noinline int h2_judge(struct h2_stream *stream, const struct h2_walk *walk, __u32 direction) {
  if (!stream || !walk) return H2_NO_CAUSE;
  const __u32 requests = *h2_request_direction(stream);
  if (requests && requests != direction + 1 && walk->ended) stream->way[0].spare[1] &= (__u8)~H2_CALL_OPEN;
  if (!walk->blocks || requests != direction + 1) return H2_NO_CAUSE;
  const bool shared = h2_is_shared(stream, walk);
  if (direction == PB_SENT) return shared ? H2_NO_CAUSE : H2_HAS_CAUSE;
  return shared ? H2_CLEARS_CAUSE : H2_BEGINS_CAUSE;
}

static __always_inline __u8 h2_causes(struct probed_segment *segment, struct h2_stream *stream,
                                      const struct h2_walk *walk) {
  switch (h2_judge(stream, walk, probed_direction(segment) & 1)) {
    case H2_HAS_CAUSE: return PROBED_SHIP_CAUSE;
    case H2_BEGINS_CAUSE:
      probed_cause_begin(segment, probed_offset(segment) + probed_total(segment) - walk->block_rest);
      return 0;
    case H2_CLEARS_CAUSE: probed_cause_clear(); return 0;
    default: return 0;
  }
}

#define H2_SHIP(room)                                                                \
  do {                                                                               \
    struct {                                                                         \
      struct pb_record head;                                                         \
      struct h2_room_##room bytes;                                                   \
    } *record = bpf_ringbuf_reserve(segment->ring, sizeof(*record), 0);              \
    if (!record) {                                                                   \
      way->known = 0;                                                                \
      return PROBED_FULL;                                                            \
    }                                                                                \
    h2_walk_##room(&record->bytes, &walk, way);                                      \
    const __u32 passed = probed_total(segment) - at - walk.rest;                     \
    if (!passed) {                                                                   \
      bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);                                 \
      way->known = 0;                                                                \
      return PROBED_FAULT;                                                           \
    }                                                                                \
    flags |= h2_causes(segment, stream, &walk);                                      \
    const __u32 captured = (__u32)pb_clamp(walk.out, room);                          \
    probed_record_finish(segment, &record->head, at, captured, passed, flags, hint); \
  } while (0)

/* Copies the rest of the segment and ships as much of it as could be walked. Goes on behind itself if not all of it can
 * be copied. */
#define H2_SHIP_WHOLE(room, most, copy_call)                                       \
  do {                                                                             \
    struct {                                                                       \
      struct pb_record head;                                                       \
      struct h2_room_##room bytes;                                                 \
    } *record = bpf_ringbuf_reserve(segment->ring, sizeof(*record), 0);            \
    if (!record) {                                                                 \
      way->known = 0;                                                              \
      return PROBED_FULL;                                                          \
    }                                                                              \
    if ((__u32)(copy_call) != walk.rest) {                                         \
      bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);                               \
      break;                                                                       \
    }                                                                              \
    h2_read_##most((void *)&record->bytes, &walk, way);                            \
    flags |= h2_causes(segment, stream, &walk);                                    \
    const __u32 passed = (__u32)pb_clamp(walk.out, most);                          \
    hint &= (__u8) ~(H2_HINT_PACKED | H2_HINT_TAILS);                              \
    probed_record_finish(segment, &record->head, at, passed, passed, flags, hint); \
    if (walk.lost) way->known = 0;                                                 \
    return walk.lost || !walk.rest ? PROBED_SHIPPED : PROBED_AGAIN;                \
  } while (0)

/* Walks on from position `at` and ships what it finds. */
static __always_inline int h2_ship(struct probed_segment *segment, struct h2_stream *stream, struct h2_direction *way,
                                   __u32 at, bool first) {
  const __u8 all = *(const __u8 *)probed_settings(segment) == H2_SHIP_DATA;
  struct h2_walk walk = {.all = all};
  __u8 hint = all ? 0 : H2_HINT_PACKED;
  __u8 flags = 0;
  const __u32 requests = *h2_request_direction(stream);
  if (!way->left && !way->have) hint |= H2_HINT_ALIGNED;
  if (!all && requests && requests != (probed_direction(segment) & 1) + 1) {
    walk.tails = 1;
    hint |= H2_HINT_TAILS;
  }
  h2_aim(segment, &walk, at);
  if (walk.rest <= H2_READ_MOST && !way->have) {
    const struct pb_buffer *buffer = segment->at.buffer;
    if (walk.rest <= H2_READ_SMALL && !buffer->segments)
      H2_SHIP_WHOLE(128, 240, pb_copy_plain(record->bytes.data, H2_READ_SMALL, buffer, at, walk.rest));
    else if (!buffer->segments)
      H2_SHIP_WHOLE(512, 512, pb_copy_plain(record->bytes.data, H2_READ_MOST, buffer, at, walk.rest));
    else if (walk.rest <= H2_READ_SMALL)
      H2_SHIP_WHOLE(256, 240, pb_copy_vector_256((struct pb_room_256 *)&record->bytes, buffer, at, walk.rest));
    else
      H2_SHIP_WHOLE(512, 512, pb_copy_vector_512((struct pb_room_512 *)&record->bytes, buffer, at, walk.rest));
  }
  if (walk.vectors) h2_seek(&walk, at);
  if (walk.rest <= 128)
    H2_SHIP(128);
  else if (walk.rest <= 512 ||
           first) /* a long segment is mostly DATA: little is kept of it, unless it turns out else */
    H2_SHIP(512);
  else
    H2_SHIP(4096);
  if (walk.lost) way->known = 0;
  return walk.lost || !walk.rest ? PROBED_SHIPPED : PROBED_AGAIN;
}

PROBED_SEGMENT(grpc) {
  struct h2_stream *stream = probed_scratch(segment);
  const __u32 direction = probed_direction(segment) & 1;
  struct h2_direction *way = &stream->way[direction];
  if (!probed_readable(segment)) {
    if (!way->known || !way->data || way->left < probed_total(segment)) {
      way->known = 0;
      return probed_ship(segment, 0, 0, 0, PB_SEGMENT_UNREADABLE, 0);
    }
    way->keep = 0;
  }
  const bool known = way->known;
  const int place = h2_take_up(segment->at.buffer, way, (__u32)probed_offset(segment), probed_total(segment));
  if (place < 0) return PROBED_SKIPPED;
  __u32 at = (__u32)place;
  if (way->left && !way->keep) {
    const int outcome = h2_skip(segment, way, &at);
    if (outcome >= 0) return outcome;
  }
  if (!known) h2_learn_roles(stream, direction, probed_peek8(segment, 0), probed_offset(segment));
  return h2_ship(segment, stream, way, at, place == 0);
}
