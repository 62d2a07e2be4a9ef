/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Walks the frames of a segment where they lie in user memory and packs what the decoder needs into one record: heads
 * of all frames, payloads of those h2_keeps_payload names. The walk keeps its place per direction, so that frames and
 * their heads may be split over segments and iovecs as they like.
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
H2_ROOM(512);
H2_ROOM(4096);

struct h2_step {
  __u8 *to;
  struct h2_walk *walk;
  struct h2_direction *way;
};

static __always_inline __u32 h2_least(__u32 a, __u32 b) { return a < b ? a : b; }

static __always_inline void h2_pass(struct h2_walk *walk, struct h2_direction *way, __u32 count) {
  walk->address += count;
  walk->piece -= count;
  walk->rest -= count;
  way->at += count;
}

/* The next iovec becomes the piece at hand. */
static __always_inline long h2_next_piece(struct h2_walk *walk) {
  struct user_iovec part;
  if (!walk->vectors || bpf_probe_read_user(&part, sizeof(part), (void *)walk->vector)) {
    walk->lost = 1;
    return 1;
  }
  walk->vector += sizeof(part);
  walk->vectors--;
  walk->address = part.base;
  walk->piece = part.length < walk->rest ? (__u32)part.length : walk->rest;
  return 0;
}

/* A whole head: what follows it. */
static __always_inline long h2_begin_frame(struct h2_walk *walk, struct h2_direction *way, __u64 head) {
  way->have = 0;
  way->head = 0;
  if ((__u32)head == H2_PREFACE_WORD_LOW) {
    way->left = H2_PREFACE_BYTES - H2_HEAD_BYTES;
    way->keep = 1;
    way->data = 0;
    way->ends = 0;
    return 0;
  }
  const __u8 type = (__u8)(head >> 24);
  const __u8 flags = (__u8)(head >> 32);
  way->left = (__u32)(head & 0xff) << 16 | (__u32)(head & 0xff00) | (__u32)(head >> 16 & 0xff);
  way->keep = walk->all || h2_keeps_payload(type);
  way->data = type == H2_DATA;
  way->ends = way->data && (flags & H2_END_STREAM);
  if (walk->tails && way->ends && way->left <= H2_TAIL_BYTES) way->keep = 1;
  if (type != H2_DATA && way->left > H2_LONGEST_FRAME) {
    walk->lost = 1;
    return 1;
  }
  if (type == H2_RST_STREAM || (type <= H2_HEADERS && (flags & H2_END_STREAM))) walk->ended = 1;
  if (type == H2_HEADERS) {
    walk->blocks++;
    walk->block_rest = walk->rest + H2_HEAD_BYTES;
  }
  return 0;
}

/* The rest of a head of which a piece came before, or a piece of one. */
static __always_inline long h2_split_head(struct h2_walk *walk, struct h2_direction *way, __u8 *to, __u32 most) {
  const __u32 have = way->have;
  __u64 bytes[2] = {};
  const __u32 count = (__u32)pb_clamp(h2_least(H2_HEAD_BYTES - have, h2_least(walk->piece, walk->rest)), H2_HEAD_BYTES);
  if (bpf_probe_read_user(bytes, count, (void *)walk->address) ||
      bpf_probe_read_user(to + pb_clamp(walk->out, most), count, (void *)walk->address)) {
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
  if (bpf_probe_read_user(head, H2_HEAD_BYTES, (void *)walk->address)) {
    walk->lost = 1;
    return 1;
  }
  walk->out += H2_HEAD_BYTES;
  h2_pass(walk, way, H2_HEAD_BYTES);
  return h2_begin_frame(walk, way, *(const __u64 *)head);
}

static __always_inline long h2_payload(struct h2_walk *walk, struct h2_direction *way, __u8 *to, __u32 most) {
  __u32 count = h2_least(way->left, walk->piece);
  if (way->keep) {
    count = (__u32)pb_clamp(h2_least(count, most - walk->out), most);
    if (bpf_probe_read_user(to + pb_clamp(walk->out, most), count, (void *)walk->address)) {
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

#endif
