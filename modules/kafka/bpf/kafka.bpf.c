/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Kernel side of the Kafka module: recognises requests on any port, follows messages by their sizes and ships the first
 * bytes of each.
 */
#include "api/sdk/bpf/probed.bpf.h"
#include "modules/kafka/bpf/kafka_walk.h"

PROBED_MODULE();

_Static_assert(sizeof(struct kfk_stream) <= PB_SCRATCH_BYTES, "the stream's own memory");

PROBED_CLASSIFY(kafka) {
  if (head->datagram) return PROBED_NOT_MINE;
  return kfk_recognise(head->bytes, head->length);
}

/* A segment while it is planned. */
struct kfk_run {
  struct kfk_stream *stream;
  __u32 direction;
  __u32 skip; /* where the record begins in the segment */
  struct kfk_plan plan;
};

/* One message, or what there is of it. Whether the record may go on. */
static __always_inline int kfk_step(struct probed_segment *segment, struct kfk_run *run) {
  struct kfk_way *way = &run->stream->ways[run->direction & 1];
  const struct kfk_way *other = &run->stream->ways[~run->direction & 1];
  const __u32 limit = *(const __u32 *)probed_settings(segment);
  const __u32 place = run->skip + run->plan.total;
  const __u32 rest = probed_total(segment) - place;
  if (way->left) return kfk_take(way, rest, &run->plan);
  /* What is behind a place nobody knows is not known either; and so is what follows a size that was gathered before
   * the stream became this module's. */
  const bool unknown = !(way->state & KFK_KNOWN);
  if (unknown && (place || probed_offset(segment) == KFK_SIZE_BYTES)) {
    kfk_take_all(way, rest, &run->plan);
    return 0;
  }
  const __u64 word = probed_readable(segment) ? probed_peek8(segment, place) : 0;
  const int verdict = kfk_begin(way, (const __u8 *)&word, kfk_least(rest, 8), probed_total(segment), limit,
                                other->correlation);
  if (verdict == KFK_MORE) {
    run->plan.want += rest;
    run->plan.total += rest;
    return 0;
  }
  if (verdict == KFK_NOT) {
    kfk_take_all(way, rest, &run->plan);
    return 0;
  }
  if (verdict == KFK_REQUEST && rest >= 12)
    way->correlation = __builtin_bswap32((__u32)probed_peek8(segment, place + 8));
  return kfk_take(way, rest, &run->plan);
}

PROBED_SEGMENT(kafka) {
  const __u32 direction = probed_direction(segment) & 1;
  struct kfk_run run = {.stream = probed_scratch(segment), .direction = direction};
  struct kfk_way *way = &run.stream->ways[direction];
  const __u64 begin = probed_offset(segment);
  const __u64 end = begin + probed_total(segment);
  const __u64 at = kfk_resume(way, begin, end);
  run.skip = (__u32)(at - begin);
  for (__u32 i = 0; i < KFK_MESSAGES; i++) {
    if (!kfk_step(segment, &run) || run.skip + run.plan.total >= probed_total(segment)) break;
  }
  way->at = at + run.plan.total;
  /* Of bytes in the middle of what is left out nobody need know. Those at its end are the message's end. */
  if (!run.plan.want && way->left && way->at == end) return PROBED_SKIPPED;
  __u8 flags = direction == PB_SENT ? PROBED_SHIP_CAUSE : 0;
  if (run.plan.want < run.plan.total) flags |= PB_SEGMENT_SKIPPED;
  const int outcome = probed_ship(segment, run.skip, run.plan.want, run.plan.total, flags, 0);
  return outcome == PROBED_SHIPPED && way->at < end ? PROBED_AGAIN : outcome;
}
