/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Kernel side of the SQL module: recognises PostgreSQL on any port. Everything of a stream leaves the kernel, in
 * records of at most SQL_MOST_PIECE; rows are passed over by the decoder.
 */
#include "api/sdk/bpf/probed.bpf.h"
#include "modules/sql/bpf/pg_classify.h"

PROBED_MODULE();

enum { SQL_MOST_PIECE = 16384 }; /* of one record */

/* This module's memory per stream. */
struct sql_stream {
  __u64 resume[2]; /* where the program goes on in a segment longer than a record */
};

PROBED_CLASSIFY(sql) { return pg_recognise(head->bytes, head->length); }

PROBED_SEGMENT(sql) {
  struct sql_stream *stream = probed_scratch(segment);
  const __u32 direction = probed_direction(segment) & 1;
  const __u64 begin = probed_offset(segment);
  const __u64 end = begin + probed_total(segment);
  const __u64 resume = stream->resume[direction];
  const __u64 at = resume > begin && resume < end ? resume : begin;
  const __u32 skip = (__u32)(at - begin);
  __u32 size = probed_total(segment) - skip;
  if (size > SQL_MOST_PIECE) size = SQL_MOST_PIECE;
  const int outcome = probed_ship(segment, skip, size, size, direction == PB_SENT ? PROBED_SHIP_CAUSE : 0, 0);
  const __u64 next = at + size;
  stream->resume[direction] = outcome == PROBED_SHIPPED && next < end ? next : 0;
  return stream->resume[direction] ? PROBED_AGAIN : outcome;
}
