/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Kernel side of the SQL module: recognises PostgreSQL and MySQL on any port and follows their messages. Passwords stay
 * in the kernel, and so do rows and data of COPY and LOCAL INFILE where there are many of them: a record behind such
 * bytes says so. Records have at most SQL_MOST_PIECE.
 */
#include "api/sdk/bpf/probed.bpf.h"
#include "modules/sql/bpf/my_walk.h"
#include "modules/sql/bpf/pg_walk.h"

PROBED_MODULE();

enum {
  SQL_MOST_PIECE = 16384,   /* of one record */
  SQL_MOST_STEPS = 32768,   /* messages looked at in one segment */
  SQL_STARTUP_BYTES = 8192, /* of a direction, among which passwords are looked for */
};
enum { SQL_NOT_KNOWN = 0, SQL_PG = 1, SQL_MY = 2 };

/* This module's memory per stream. */
struct sql_stream {
  union {
    struct pg_way pg[2];
    struct my_way my[2];
  };
  __u8 protocol;
  __u8 front;  /* MySQL: direction of the client's packets */
  __u8 awaits; /* MySQL: the client sent a command that was not answered yet */
  __u8 login;  /* MySQL: the segment at hand has a client's answer to the greeting */
  __u8 piece;  /* MySQL: number of the last piece of the segment at hand */
  __u8 asked;  /* PostgreSQL: direction of the client that waits to be granted TLS + 1 */
};
_Static_assert(sizeof(struct sql_stream) <= PB_SCRATCH_BYTES, "the stream's memory");

/* A segment, and what of it is shipped next. On the program's stack: to the functions that get its address its content
 * is unknown, so that the verifier does not follow each number in it (docs/verifier_cookbook.md#loops). */
struct sql_plan {
  __u64 offset;
  __u32 total;
  __u32 text;       /* bytes of a statement that are wanted */
  __u32 ship;       /* the piece */
  __u32 size;       /* 0: nothing more */
  __u32 says;       /* how many bytes the record stands for */
  __u32 parameters; /* bytes of the values of an execution that are wanted */
  __u8 direction;
  __u8 hint;
  __u8 ends;   /* what is behind the piece is not wanted */
  __u8 let_go; /* behind the piece TLS begins */
  __u32 pad;
  union {
    struct pg_walk pg;
    struct my_walk my;
    __u32 place;                    /* where a name may end */
    __u64 words[PG_HEAD_BYTES / 8]; /* the first bytes */
  };
};

PROBED_CLASSIFY(sql) {
  const int pg = pg_recognise(head->bytes, head->length);
  if (pg == PG_YES) return pg;
  const int my = my_recognise(head->bytes, head->length);
  return my == PG_NOT ? pg : my;
}

#include "modules/sql/bpf/my_plan.bpf.h"
#include "modules/sql/bpf/pg_plan.bpf.h"

/* By the first segments: MySQL, or else PostgreSQL once a direction of it is known. */
static __always_inline __u8 sql_protocol(struct sql_stream *stream, struct probed_segment *segment,
                                         struct sql_plan *plan) {
  if (stream->protocol != SQL_NOT_KNOWN || !probed_readable(segment)) return stream->protocol;
  const bool my = sql_my_begins(stream, segment->at.buffer, plan);
  __builtin_memset(plan->words, 0, sizeof(plan->words)); /* a walk begins with zeros */
  if (my) return stream->protocol = SQL_MY;
  if (stream->pg[0].known || stream->pg[1].known) stream->protocol = SQL_PG;
  return stream->protocol;
}

static __always_inline void sql_lose(struct sql_stream *stream, __u32 direction) {
  if (stream->protocol == SQL_MY)
    my_way_lose(&stream->my[direction & 1]);
  else
    pg_way_lose(&stream->pg[direction & 1]);
}

/* The client goes on with TLS before user space could say so: whoever claims the next bytes gets them. */
static __always_inline int sql_let_go(struct probed_segment *segment, const struct sql_plan *plan) {
  const __u32 end = plan->ship + plan->size;
  if (end < plan->total) segment->rest = end;
  return PROBED_LET_GO;
}

PROBED_SEGMENT(sql) {
  struct sql_stream *stream = probed_scratch(segment);
  segment->rest = 0; /* also where nothing is let go of: else the compiler keeps what no verifier lets it read */
  struct sql_plan plan = {.offset = probed_offset(segment),
                          .total = probed_total(segment),
                          .text = probed_capture_bytes(segment),
                          .parameters = *(const __u32 *)probed_settings(segment),
                          .direction = probed_direction(segment) & 1};
  if (stream->protocol == SQL_NOT_KNOWN) probed_is_tunnel(segment); /* TLS may begin behind the first messages */
  const __u8 protocol = sql_protocol(stream, segment, &plan);
  if (!probed_readable(segment)) {
    sql_lose(stream, plan.direction);
    return probed_ship(segment, 0, 0, 0, PB_SEGMENT_UNREADABLE, 0);
  }
  if (protocol == SQL_MY)
    sql_my_plan(stream, segment->at.buffer, &plan);
  else
    sql_pg_plan(stream, segment->at.buffer, &plan);
  if (!plan.size) return PROBED_SKIPPED;
  const __u8 flags = plan.direction == PB_SENT ? PROBED_SHIP_CAUSE : 0;
  const int outcome = probed_ship(segment, plan.ship, plan.size, plan.says, flags, plan.hint);
  if (outcome != PROBED_SHIPPED) {
    sql_lose(stream, plan.direction);
    return outcome;
  }
  if (plan.let_go) return sql_let_go(segment, &plan);
  return plan.ends ? outcome : PROBED_AGAIN;
}
