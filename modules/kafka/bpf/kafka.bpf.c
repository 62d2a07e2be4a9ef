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

static __always_inline __u64 kfk_peek8(void *source, __u32 place) {
  struct probed_segment *segment = source;
  return probed_readable(segment) ? probed_peek8(segment, place) : 0;
}

PROBED_SEGMENT(kafka) {
  struct kfk_run run = {
      .stream = probed_scratch(segment),
      .source = segment,
      .offset = probed_offset(segment),
      .total = probed_total(segment),
      .limit = *(const __u32 *)probed_settings(segment),
      .direction = probed_direction(segment) & 1,
  };
  if (!kfk_plan_record(&run)) return PROBED_SKIPPED;
  __u8 flags = run.direction == PB_SENT ? PROBED_SHIP_CAUSE : 0;
  if (run.plan.want < run.plan.total) flags |= PB_SEGMENT_SKIPPED;
  const int outcome = probed_ship(segment, run.skip, run.plan.want, run.plan.total, flags, 0);
  const bool more = run.skip + run.plan.total < run.total;
  return outcome == PROBED_SHIPPED && more ? PROBED_AGAIN : outcome;
}
