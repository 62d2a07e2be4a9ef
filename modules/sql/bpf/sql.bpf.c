/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Kernel side of the SQL module: recognises PostgreSQL on any port and follows its messages. Passwords stay in the
 * kernel, and so do rows and data of COPY where there are many of them: a record behind such bytes says so. Everything
 * else is shipped, in records of at most SQL_MOST_PIECE.
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
  struct pg_way way[2];
};
_Static_assert(sizeof(struct sql_stream) <= PB_SCRATCH_BYTES, "the stream's memory");

PROBED_CLASSIFY(sql) { return pg_recognise(head->bytes, head->length); }

/* A segment that is one message with a password, or another step of authentication: its payload stays in the kernel. */
static __always_inline bool sql_is_secret(const struct probed_segment *segment) {
  if (probed_offset(segment) > SQL_STARTUP_BYTES) return false;
  const __u64 word = probed_peek8(segment, 0);
  const __u8 *bytes = (const __u8 *)&word;
  return bytes[0] == 'p' && pg_u32(bytes + 1) + 1 == probed_total(segment);
}

struct sql_walk {
  const struct probed_segment *segment;
  struct pg_walk at;
};

static long sql_step(__u32 index, struct sql_walk *walk) {
  const struct probed_segment *segment = walk->segment;
  const __u32 place = walk->at.place;
  if (place >= probed_total(segment)) return 1;
  return pg_walk_step(&walk->at, probed_peek8(segment, place), probed_total(segment) - place);
}

/* Ships what is in front of the rows that begin in the segment, or all of it. */
PROBED_SEGMENT(sql) {
  struct sql_stream *stream = probed_scratch(segment);
  struct pg_way *way = &stream->way[probed_direction(segment) & 1];
  const __u32 begin = (__u32)probed_offset(segment);
  const __u32 total = probed_total(segment);
  if (!probed_readable(segment)) {
    pg_way_lose(way);
    return probed_ship(segment, 0, 0, 0, PB_SEGMENT_UNREADABLE, 0);
  }
  __u32 skip = pg_way_resume(way, begin, total);
  if (!skip && sql_is_secret(segment)) {
    pg_way_lose(way);
    way->broken = 0;
    return probed_ship(segment, 0, PG_HEADER_BYTES, 0, 0, 0);
  }
  struct sql_walk walk = {.segment = segment};
  pg_walk_begin(&walk.at, way, begin, skip, total);
  if (!walk.at.done) bpf_loop(SQL_MOST_STEPS, sql_step, &walk, 0);
  __u32 size = pg_walk_end(&walk.at, way, begin, total);
  skip = walk.at.ship;
  if (!size || skip >= total) return PROBED_SKIPPED;
  if (size > SQL_MOST_PIECE) {
    size = SQL_MOST_PIECE;
    way->rows = 0; /* they begin behind what is not shipped yet */
  }
  const __u8 hint = way->passed && !way->broken ? PG_HINT_PASSED : 0;
  const __u8 flags = probed_direction(segment) == PB_SENT ? PROBED_SHIP_CAUSE : 0;
  const int outcome = probed_ship(segment, skip, size, size, flags, hint);
  way->resume = begin + skip + size;
  if (outcome != PROBED_SHIPPED) {
    pg_way_lose(way);
    return outcome;
  }
  way->passed = way->broken = 0;
  return skip + size < total ? PROBED_AGAIN : outcome;
}
