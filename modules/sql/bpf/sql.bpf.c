/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Kernel side of the SQL module: recognises PostgreSQL on any port. Everything of a stream leaves the kernel, in
 * records of at most SQL_MOST_PIECE, but for passwords; rows are passed over by the decoder.
 */
#include "api/sdk/bpf/probed.bpf.h"
#include "modules/sql/bpf/pg_classify.h"

PROBED_MODULE();

enum {
  SQL_MOST_PIECE = 16384,   /* of one record */
  SQL_STARTUP_BYTES = 8192, /* of a direction, among which passwords are looked for */
};

/* This module's memory per stream. */
struct sql_stream {
  __u64 resume[2]; /* where the program goes on in a segment longer than a record */
};

PROBED_CLASSIFY(sql) { return pg_recognise(head->bytes, head->length); }

/* A segment that is one message with a password, or another step of authentication: its payload stays in the kernel. */
static __always_inline bool sql_is_secret(const struct probed_segment *segment) {
  if (probed_offset(segment) > SQL_STARTUP_BYTES || !probed_readable(segment)) return false;
  const __u64 word = probed_peek8(segment, 0);
  const __u8 *bytes = (const __u8 *)&word;
  return bytes[0] == 'p' && pg_u32(bytes + 1) + 1 == probed_total(segment);
}

PROBED_SEGMENT(sql) {
  struct sql_stream *stream = probed_scratch(segment);
  const __u32 direction = probed_direction(segment) & 1;
  if (sql_is_secret(segment)) return probed_ship(segment, 0, PG_HEADER_BYTES, 0, 0, 0);
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
