/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Walks the frames of a segment, in one of two ways that keep the same place per direction, so that frames and their
 * heads may be split over segments and iovecs as they like:
 *
 *   short segments  copied whole into the record and walked there (h2_read): one read of user memory
 *   long ones       walked where they lie in user memory (h2_walk): what the decoder needs is packed into the record,
 *                   heads of all frames and payloads of those h2_keeps_payload names
 */
#ifndef PROBED_GRPC_H2_WALK_H
#define PROBED_GRPC_H2_WALK_H

/* Kernel types and helpers come from api/sdk/bpf/probed.bpf.h; tests bring their own and walk ordinary memory. */
#include "modules/grpc/bpf/h2_frames.h"

/* One direction between two segments. Zeroed memory: nothing seen yet. */
struct h2_direction {
  __u64 head; /* first eight bytes of an unfinished frame head */
  __u32 at;   /* low half of the offset that was walked to */
  __u32 left; /* payload bytes of the frame under way that are still to come */
  __u8 have;  /* bytes of the unfinished head */
  __u8 known; /* `at` is a place of which the above is true */
  __u8 keep;  /* the payload under way is shipped */
  __u8 ends;  /* the frame under way ends its stream */
  __u8 data;  /* the frame under way is DATA */
  __u8 spare[3];
};

enum { H2_WALK_STEPS = 1024, H2_PREFACE_WORD_LOW = 0x20495250 /* "PRI " */, H2_LONGEST_FRAME = 1 << 20 };

/* One run over a segment. */
struct h2_walk {
  __u64 vector;     /* next iovec */
  __u64 address;    /* next byte */
  __u32 vectors;    /* iovecs left */
  __u32 piece;      /* bytes at `address` */
  __u32 rest;       /* bytes of the segment that were not walked yet, those of the piece included */
  __u32 out;        /* bytes in the record */
  __u32 block_rest; /* `rest` where the last HEADERS frame began */
  __u16 blocks;     /* HEADERS frames that began */
  __u8 ended;       /* a frame came that ends its stream */
  __u8 all;         /* payloads of DATA are shipped too */
  __u8 tails;       /* those of its short last frames are */
  __u8 lost;        /* user memory could not be read, or these are no frames */
};

/* The record's bytes: twice the room, because the verifier cannot relate position and length
 * (docs/verifier_cookbook.md, "Copying from an iovec array"). */
#define H2_ROOM(bytes)      \
  struct h2_room_##bytes {  \
    __u8 data[2 * (bytes)]; \
  }
H2_ROOM(128);
H2_ROOM(256);
H2_ROOM(512);
H2_ROOM(4096);

struct h2_step {
  __u8 *to;
  struct h2_walk *walk;
  struct h2_direction *way;
};

static __always_inline const void *h2_user(__u64 address) {
  return (const void *)address; /* NOLINT(performance-no-int-to-ptr) */
}

static __always_inline __u32 h2_least(__u32 a, __u32 b) { return a < b ? a : b; }

/* Eight bytes wherever they lie. In the kernel one load, for clang would make eight of a copy; tests run it where a
 * load must be aligned. */
#ifdef __bpf__
static __always_inline __u64 h2_word(const __u8 *bytes) { return *(const __u64 *)bytes; }
#else
static __always_inline __u64 h2_word(const __u8 *bytes) {
  __u64 word;
  __builtin_memcpy(&word, bytes, sizeof(word));
  return word;
}
#endif

static __always_inline void h2_pass(struct h2_walk *walk, struct h2_direction *way, __u32 count) {
  walk->address += count;
  walk->piece -= count;
  walk->rest -= count;
  way->at += count;
}

/* The next iovec becomes the piece at hand. */
static __always_inline long h2_next_piece(struct h2_walk *walk) {
  struct user_iovec part;
  if (!walk->vectors || bpf_probe_read_user(&part, sizeof(part), h2_user(walk->vector))) {
    walk->lost = 1;
    return 1;
  }
  walk->vector += sizeof(part);
  walk->vectors--;
  walk->address = part.base;
  walk->piece = part.length < walk->rest ? (__u32)part.length : walk->rest;
  return 0;
}

static __always_inline __u8 h2_type_of(__u64 head) { return (__u8)(head >> 24); }
static __always_inline __u8 h2_flags_of(__u64 head) { return (__u8)(head >> 32); }

/* Bytes behind a head. The preface is taken for a frame. */
static __always_inline __u32 h2_payload_of(__u64 head) {
  if ((__u32)head == H2_PREFACE_WORD_LOW) return H2_PREFACE_BYTES - H2_HEAD_BYTES;
  return __builtin_bswap32((__u32)head) >> 8;
}

/* The payload that follows is under way. */
static __always_inline void h2_note_frame(const struct h2_walk *walk, struct h2_direction *way, __u64 head) {
  const bool preface = (__u32)head == H2_PREFACE_WORD_LOW;
  const __u32 size = h2_payload_of(head);
  way->keep = preface || walk->all || h2_keeps_payload(h2_type_of(head));
  way->data = !preface && h2_type_of(head) == H2_DATA;
  way->ends = way->data && (h2_flags_of(head) & H2_END_STREAM);
  if (walk->tails && way->ends && size <= H2_TAIL_BYTES) way->keep = 1;
}

/* Nobody sends such frames. */
static __always_inline bool h2_is_none(__u64 head) {
  return h2_type_of(head) != H2_DATA && h2_payload_of(head) > H2_LONGEST_FRAME;
}

/* What a head says of its stream. `rest`: bytes of the segment from the head on. */
static __always_inline void h2_count_frame(struct h2_walk *walk, __u64 head, __u32 rest) {
  const __u8 type = h2_type_of(head);
  if (type == H2_RST_STREAM || (type <= H2_HEADERS && (h2_flags_of(head) & H2_END_STREAM))) walk->ended = 1;
  if (type == H2_HEADERS) {
    walk->blocks++;
    walk->block_rest = rest;
  }
}

/* A whole head: what follows it. */
static __always_inline long h2_begin_frame(struct h2_walk *walk, struct h2_direction *way, __u64 head) {
  way->have = 0;
  way->head = 0;
  way->left = h2_payload_of(head);
  h2_note_frame(walk, way, head);
  h2_count_frame(walk, head, walk->rest + H2_HEAD_BYTES);
  walk->lost = h2_is_none(head);
  return walk->lost;
}

/* The rest of a head of which a piece came before, or a piece of one. */
static __always_inline long h2_split_head(struct h2_walk *walk, struct h2_direction *way, __u8 *to, __u32 most) {
  const __u32 have = way->have;
  __u64 bytes[2] = {};
  const __u32 count = (__u32)pb_clamp(h2_least(H2_HEAD_BYTES - have, h2_least(walk->piece, walk->rest)), H2_HEAD_BYTES);
  if (bpf_probe_read_user(bytes, count, h2_user(walk->address)) ||
      bpf_probe_read_user(to + pb_clamp(walk->out, most), count, h2_user(walk->address))) {
    walk->lost = 1;
    return 1;
  }
  if (have < 8) way->head |= bytes[0] << (have * 8);
  way->have = (__u8)(have + count);
  walk->out += count;
  h2_pass(walk, way, count);
  return way->have < H2_HEAD_BYTES ? 0 : h2_begin_frame(walk, way, way->head);
}

static __always_inline long h2_head(struct h2_walk *walk, struct h2_direction *way, __u8 *to, __u32 most) {
  if (way->have || walk->piece < H2_HEAD_BYTES) return h2_split_head(walk, way, to, most);
  __u8 *head = to + pb_clamp(walk->out, most);
  if (bpf_probe_read_user(head, H2_HEAD_BYTES, h2_user(walk->address))) {
    walk->lost = 1;
    return 1;
  }
  walk->out += H2_HEAD_BYTES;
  h2_pass(walk, way, H2_HEAD_BYTES);
  return h2_begin_frame(walk, way, h2_word(head));
}

static __always_inline long h2_payload(struct h2_walk *walk, struct h2_direction *way, __u8 *to, __u32 most) {
  __u32 count = h2_least(way->left, walk->piece);
  if (way->keep) {
    count = (__u32)pb_clamp(h2_least(count, most - walk->out), most);
    if (bpf_probe_read_user(to + pb_clamp(walk->out, most), count, h2_user(walk->address))) {
      walk->lost = 1;
      return 1;
    }
    walk->out += count;
  }
  way->left -= count;
  h2_pass(walk, way, count);
  return 0;
}

/* `most` must be a constant: what a 6.1 kernel's verifier reads back from memory is no bound. */
static __always_inline long h2_one_step(struct h2_step *step, __u32 most) {
  struct h2_walk *walk = step->walk;
  if (!walk->rest || walk->out + H2_HEAD_BYTES > most) return 1;
  if (!walk->piece) return h2_next_piece(walk);
  if (step->way->left) return h2_payload(walk, step->way, step->to, most);
  return h2_head(walk, step->way, step->to, most);
}

/* Walks until the segment ends, the record is full or the steps are used up. Global: checked once
 * (docs/verifier_cookbook.md#global-functions). */
#define H2_WALK(bytes)                                                                                         \
  static long h2_step_##bytes(__u32 index, struct h2_step *step) { return h2_one_step(step, bytes); }          \
  __noinline int h2_walk_##bytes(struct h2_room_##bytes *to, struct h2_walk *walk, struct h2_direction *way) { \
    if (!to || !walk || !way) return 0;                                                                        \
    struct h2_step step = {.to = to->data, .walk = walk, .way = way};                                          \
    bpf_loop(H2_WALK_STEPS, h2_step_##bytes, &step, 0);                                                        \
    return 0;                                                                                                  \
  }
H2_WALK(128)
H2_WALK(512)
H2_WALK(4096)

/* --- short segments ----------------------------------------------------------------------------------------------- */

enum {
  H2_READ_SMALL = 240, /* bytes: with a word of eight behind the last one they fit into the room of 128 */
  H2_READ_MOST = 512,
  H2_READ_FRAMES = 12 /* a unary call has five; what is behind them is for the next run */
};

/* The first bytes of a head whose others are in the next segment. `count` < H2_HEAD_BYTES. */
static __always_inline void h2_keep_head(struct h2_direction *way, const __u8 *bytes, __u32 count) {
  const __u32 shift = 64 - count * 8;
  way->have = (__u8)count;
  way->head = h2_word(bytes) << shift >> shift;
}

/* Walks `walk->rest` bytes (at most `most`) that lie at `bytes`, where no head is half read. What is walked of them
 * becomes `walk->out`. What counts frames is in memory, or the verifier would follow every number it can have
 * (docs/verifier_cookbook.md#loops). A frame that ends in the segment is taken as it is; whether it is one at all is
 * asked of the last one: the length that other bytes make leads out of the segment. */
static __always_inline void h2_read(const __u8 *bytes, __u32 most, struct h2_walk *walk, struct h2_direction *way) {
  const __u32 length = (__u32)pb_clamp(walk->rest, most);
  __u64 head = 0; /* of the frame under way */
  __u32 at = way->left;
  __u32 begun = 0;
  if (!at && length >= H2_HEAD_BYTES && *(const __u32 *)bytes == H2_PREFACE_WORD_LOW) {
    head = h2_word(bytes);
    at = H2_PREFACE_BYTES;
  }
  for (__u32 i = 0; i < H2_READ_FRAMES && at + H2_HEAD_BYTES <= length; i++) {
    head = h2_word(bytes + pb_clamp(at, most));
    begun = at;
    if (h2_type_of(head) <= H2_RST_STREAM) h2_count_frame(walk, head, length - at);
    at += H2_HEAD_BYTES + (__builtin_bswap32((__u32)head) >> 8);
  }
  way->left = 0;
  if (at > length) {
    way->left = at - length;
    at = length;
    if (head) h2_note_frame(walk, way, head);
    if (head && h2_is_none(head)) {
      walk->lost = 1;
      at = begun + H2_HEAD_BYTES;
    }
  } else if (at < length && length - at < H2_HEAD_BYTES) {
    h2_keep_head(way, bytes + pb_clamp(at, most), length - at);
    at = length;
  }
  way->at += at;
  walk->rest -= at;
  walk->out = at;
}

#define H2_READ(most, room)                                                                                    \
  __noinline int h2_read_##most(struct h2_room_##room *from, struct h2_walk *walk, struct h2_direction *way) { \
    if (!from || !walk || !way) return 0;                                                                      \
    h2_read(from->data, most, walk, way);                                                                      \
    return 0;                                                                                                  \
  }
H2_READ(240, 128)
H2_READ(512, 512)

#endif
