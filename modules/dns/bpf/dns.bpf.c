/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Kernel side of the DNS module: recognises messages on any port. Datagrams are shipped whole. So are streams, where
 * several messages may share a read and one message several reads: the decoder finds the boundaries. Only a long
 * message at the beginning of a read, as in a zone transfer, is cut after its first bytes.
 */
#include "api/sdk/bpf/probed.bpf.h"
#include "modules/dns/bpf/dns_classify.h"

PROBED_MODULE();

enum { DNS_MOST_PIECE = 16384 }; /* of one record */

/* This module's memory per stream. */
struct dns_stream {
  __u64 unwanted_end[2]; /* offset up to which bytes are the rest of a message whose beginning was shipped */
  __u64 resume;          /* where the program goes on in a segment longer than a record */
};

PROBED_CLASSIFY(dns) {
  if (!head->datagram) return dns_recognise_stream(head->bytes, head->length);
  return dns_is_message(head->bytes, head->length) ? PROBED_MINE : PROBED_NOT_MINE;
}

PROBED_DATAGRAM(dns) {
  const __u8 flags = probed_direction(datagram) == PB_SENT ? PROBED_SHIP_CAUSE : 0;
  return probed_ship_datagram(datagram, probed_capture_bytes(datagram), flags);
}

/* What is shipped of a segment from `skip` on. */
struct dns_plan {
  __u32 want;
  __u32 total; /* bytes the record stands for */
};

/* A message that begins here: one received is what the thread works for from now on, and of a long one the rest is left
 * out. */
static __always_inline void dns_plan_message(struct probed_segment *segment, struct dns_stream *stream, __u64 at,
                                             __u64 word, struct dns_plan *plan) {
  const __u32 direction = probed_direction(segment) & 1;
  const __u8 *bytes = (const __u8 *)&word;
  const __u32 size = DNS_PREFIX_BYTES + dns_u16(bytes);
  const bool query = !(bytes[4] & 0x80);
  if (query && direction == PB_RECEIVED) probed_cause_begin(segment, at);
  if (size <= probed_capture_bytes(segment) || plan->total <= probed_capture_bytes(segment)) return;
  plan->want = probed_capture_bytes(segment);
  if (size < plan->total) plan->total = size;
  stream->unwanted_end[direction] = at + size;
}

PROBED_SEGMENT(dns) {
  struct dns_stream *stream = probed_scratch(segment);
  const __u32 direction = probed_direction(segment) & 1;
  const __u64 begin = probed_offset(segment);
  const __u64 end = begin + probed_total(segment);
  const __u64 unwanted = stream->unwanted_end[direction];
  if (unwanted > end) return PROBED_SKIPPED;
  if (unwanted == end) return probed_ship(segment, 0, 0, 0, PB_SEGMENT_SKIPPED, 0); /* when the message was complete */

  __u64 at = stream->resume > begin && stream->resume < end ? stream->resume : begin;
  if (unwanted > at) at = unwanted;
  const __u32 skip = (__u32)(at - begin);
  struct dns_plan plan = {.total = probed_total(segment) - skip};
  const __u64 word = probed_readable(segment) ? probed_peek8(segment, skip) : 0;
  plan.want = plan.total;
  if (dns_begins_message((const __u8 *)&word)) dns_plan_message(segment, stream, at, word, &plan);
  if (plan.want > DNS_MOST_PIECE) plan.want = plan.total = DNS_MOST_PIECE;
  const int outcome =
      probed_ship(segment, skip, plan.want, plan.total, direction == PB_SENT ? PROBED_SHIP_CAUSE : 0, 0);
  const __u64 next = at + plan.total;
  stream->resume = outcome == PROBED_SHIPPED && next < end ? next : 0;
  return stream->resume ? PROBED_AGAIN : outcome;
}
