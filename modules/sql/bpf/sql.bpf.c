/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Kernel side of the SQL module: recognises PostgreSQL on any port and follows its messages. Passwords stay in the
 * kernel, and so do rows and data of COPY where there are many of them: a record behind such bytes says so. Records
 * have at most SQL_MOST_PIECE.
 */
#include "api/sdk/bpf/probed.bpf.h"
#include "modules/sql/bpf/pg_walk.h"

PROBED_MODULE();

enum {
  SQL_MOST_PIECE = 16384,   /* of one record */
  SQL_MOST_STEPS = 4096,    /* messages looked at in one segment */
  SQL_STARTUP_BYTES = 8192, /* of a direction, among which passwords are looked for */
};

/* This module's memory per stream. */
struct sql_stream {
  struct pg_way pg[2];
};
_Static_assert(sizeof(struct sql_stream) <= PB_SCRATCH_BYTES, "the stream's memory");

/* A segment, and what of it is shipped next. On the program's stack: to the functions that get its address its content
 * is unknown, so that the verifier does not follow each number in it (docs/verifier_cookbook.md#loops). */
struct sql_plan {
  __u64 offset;
  __u32 total;
  __u32 ship; /* the piece */
  __u32 size; /* 0: nothing more */
  __u32 says; /* how many bytes the record stands for */
  __u8 direction;
  __u8 hint;
  __u8 ends; /* what is behind the piece is not wanted */
  __u8 pad;
  struct pg_walk pg;
};

PROBED_CLASSIFY(sql) { return pg_recognise(head->bytes, head->length); }

#include "modules/sql/bpf/pg_plan.bpf.h"

PROBED_SEGMENT(sql) {
  struct sql_stream *stream = probed_scratch(segment);
  struct sql_plan plan = {
      .offset = probed_offset(segment), .total = probed_total(segment), .direction = probed_direction(segment) & 1};
  if (!probed_readable(segment)) {
    pg_way_lose(&stream->pg[plan.direction & 1]);
    return probed_ship(segment, 0, 0, 0, PB_SEGMENT_UNREADABLE, 0);
  }
  sql_pg_plan(stream, segment->at.buffer, &plan);
  if (!plan.size) return PROBED_SKIPPED;
  const __u8 flags = plan.direction == PB_SENT ? PROBED_SHIP_CAUSE : 0;
  const int outcome = probed_ship(segment, plan.ship, plan.size, plan.says, flags, plan.hint);
  if (outcome != PROBED_SHIPPED) {
    pg_way_lose(&stream->pg[plan.direction & 1]);
    return outcome;
  }
  return plan.ends ? outcome : PROBED_AGAIN;
}
