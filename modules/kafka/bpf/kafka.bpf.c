/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Kernel side of the Kafka module: recognises requests on any port, follows messages by their sizes and ships the first
 * bytes of each, and of long ones the heads of all record batches.
 */
#include "api/sdk/bpf/probed.bpf.h"
#include "modules/kafka/bpf/kafka_pack.h"

PROBED_MODULE();

_Static_assert(sizeof(struct kfk_stream) <= PB_SCRATCH_BYTES, "the stream's own memory");

PROBED_CLASSIFY(kafka) {
  if (head->datagram) return PROBED_NOT_MINE;
  return kfk_recognise(head->bytes, head->length);
}

static __always_inline __u64 kfk_peek8(const void *source, __u32 place, __u32 have) {
  const struct pb_buffer *buffer = source;
  return !PB_PAGES && buffer->readable ? pb_peek8(buffer, place, have) : 0;
}

/* Global: what it comes to is one state to the verifier, not one per path (docs/verifier_cookbook.md#global-functions).
 */
__noinline int kfk_plan(struct kfk_run *run, struct kfk_stream *stream, const struct pb_buffer *buffer) {
  if (!run || !stream || !buffer) return 0;
  return kfk_plan_record(run, stream, buffer);
}

/* Long messages under way. Whose entry is gone is counted no further. The walk is here because the stack is full. */
struct kfk_long {
  struct kfk_large large;
  struct kfk_pack walk;
};
struct kfk_large_key {
  __u64 cookie;
  __u32 direction;
  __u32 incarnation;
};
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 1024);
  __type(key, struct kfk_large_key);
  __type(value, struct kfk_long);
} kfk_large SEC(".maps");

static const struct kfk_long kfk_nothing;

static __always_inline struct kfk_long *kfk_large_of(struct probed_segment *segment, const struct kfk_way *way) {
  const struct kfk_large_key key = {.cookie = segment->at.state->cookie,
                                    .direction = probed_direction(segment) & 1,
                                    .incarnation = segment->incarnation};
  if (way->state & KFK_FRESH) bpf_map_update_elem(&kfk_large, &key, &kfk_nothing, BPF_NOEXIST);
  return bpf_map_lookup_elem(&kfk_large, &key);
}

/* The first iovecs, up to the one that holds the walk's first byte. */
struct kfk_aim {
  struct kfk_pack *walk;
  __u32 skip;
  __u32 pad;
};

static long kfk_aim_step(__u32 index, struct kfk_aim *aim) {
  struct kfk_pack *walk = aim->walk;
  if (kfk_next_piece(walk)) return 1;
  struct user_iovec part;
  if (bpf_probe_read_user(&part, sizeof(part), kfk_user(walk->vector - sizeof(part)))) return 1;
  walk->piece = 0;
  if (part.length <= aim->skip) {
    aim->skip -= (__u32)part.length;
    return 0;
  }
  const __u64 length = part.length - aim->skip;
  walk->address = part.base + aim->skip;
  walk->piece = length < walk->rest ? (__u32)length : walk->rest;
  return 1;
}

__noinline int kfk_aim(struct kfk_pack *walk, __u32 skip) {
  if (!walk) return 0;
  struct kfk_aim aim = {.walk = walk, .skip = skip};
  bpf_loop(PB_MAX_IOVECS, kfk_aim_step, &aim, 0);
  return 0;
}

static __always_inline void kfk_find_bytes(const struct probed_segment *segment, struct kfk_pack *walk, __u32 skip) {
  const struct pb_buffer *buffer = segment->at.buffer;
  if (buffer->segments) {
    walk->vector = buffer->base;
    walk->vectors = buffer->segments;
    kfk_aim(walk, skip);
    return;
  }
  walk->address = buffer->base + skip;
  walk->piece = walk->rest;
}

static __always_inline __u8 kfk_flags(__u32 direction) { return direction == PB_SENT ? PROBED_SHIP_CAUSE : 0; }

enum {
  KFK_WENT_ASTRAY = 16 /* behind the values of enum probed_outcome: only the message's first bytes are shipped */
};

/* A record of a long message. */
static __always_inline int kfk_ship_packed(struct probed_segment *segment, const struct kfk_run *run,
                                           struct kfk_way *way) {
  struct kfk_long *message = kfk_large_of(segment, way);
  if (!message) {
    way->state |= KFK_ASTRAY;
    return KFK_WENT_ASTRAY;
  }
  struct kfk_large *large = &message->large;
  struct kfk_pack *walk = &message->walk;
  __builtin_memset(walk, 0, sizeof(*walk));
  kfk_pack_begin(run, way, large, walk);
  const bool more = run->skip + walk->rest < run->total;
  if (kfk_pack_is_body(walk, large)) {
    kfk_pack_skip(walk, large);
    const __u32 passed = kfk_pack_end(way, walk);
    if (way->left) return PROBED_SKIPPED;
    /* The record's time is the message's end. */
    const int outcome = probed_ship_count(segment, run->skip, passed, PB_SEGMENT_SKIPPED, 0);
    return outcome == PROBED_SHIPPED && more ? PROBED_AGAIN : outcome;
  }
  struct {
    struct pb_record head;
    struct kfk_pack_room room;
  } *record = bpf_ringbuf_reserve(segment->ring, sizeof(*record), 0);
  if (!record) return PROBED_FULL;
  kfk_find_bytes(segment, walk, run->skip);
  kfk_pack_walk(&record->room, walk, large);
  const __u32 passed = kfk_pack_end(way, walk);
  if (!passed) {
    bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
    return PROBED_FAULT;
  }
  const __u32 captured = (__u32)pb_clamp(walk->out, KFK_PACKED);
  probed_record_finish(segment, &record->head, run->skip, captured, passed,
                       kfk_flags(run->direction) | PB_SEGMENT_SKIPPED, KFK_HINT_PACKED);
  return more || walk->rest ? PROBED_AGAIN : PROBED_SHIPPED;
}

PROBED_SEGMENT(kafka) {
  struct kfk_stream *stream = probed_scratch(segment);
  struct kfk_run run = {
      .offset = probed_offset(segment),
      .total = probed_total(segment),
      .limit = *(const __u32 *)probed_settings(segment),
      .direction = probed_direction(segment) & 1,
      .readable = probed_readable(segment),
  };
  if (!kfk_plan(&run, stream, segment->at.buffer)) return PROBED_SKIPPED;
  if (run.packs) {
    struct kfk_way *way = &stream->ways[run.direction & 1];
    const int outcome = kfk_ship_packed(segment, &run, way);
    if (outcome != KFK_WENT_ASTRAY) return outcome;
    if (!kfk_plan_astray(&run, way)) return PROBED_SKIPPED;
  }
  __u8 flags = kfk_flags(run.direction);
  if (run.plan.want < run.plan.total) flags |= PB_SEGMENT_SKIPPED;
  const int outcome = probed_ship(segment, run.skip, run.plan.want, run.plan.total, flags, 0);
  const bool more = run.skip + run.plan.total < run.total;
  return outcome == PROBED_SHIPPED && more ? PROBED_AGAIN : outcome;
}
