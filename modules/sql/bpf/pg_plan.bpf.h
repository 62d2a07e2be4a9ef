/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * What is shipped of a segment of a PostgreSQL connection. Part of sql.bpf.c. The functions without `static` are
 * checked once (docs/verifier_cookbook.md#global-functions).
 */
#ifndef PROBED_MOD_SQL_PG_PLAN_BPF_H
#define PROBED_MOD_SQL_PG_PLAN_BPF_H

/* A segment that is one message with a password, or another step of authentication: its payload stays in the kernel. */
static __always_inline bool sql_is_secret(const struct pb_buffer *buffer, const struct sql_plan *plan) {
  if (plan->offset > SQL_STARTUP_BYTES) return false;
  const __u64 word = pb_peek8(buffer, 0, plan->total);
  const __u8 *bytes = (const __u8 *)&word;
  return bytes[0] == 'p' && pg_u32(bytes + 1) + 1 == plan->total;
}

struct sql_pg_walk {
  const struct pb_buffer *buffer;
  struct sql_plan *plan;
};

static long sql_pg_step(__u32 index, struct sql_pg_walk *walk) {
  struct pg_walk *at = &walk->plan->pg;
  const __u32 place = at->place;
  if (place >= walk->plan->total) return 1;
  const __u32 rest = walk->plan->total - place;
  return pg_walk_step(at, pb_peek8(walk->buffer, place, rest), rest);
}

/* What is in front of the rows that begin in the segment, or all of it. */
__noinline int sql_pg_plan(struct sql_stream *stream, const struct pb_buffer *buffer, struct sql_plan *plan) {
  if (!stream || !buffer || !plan) return 0;
  struct pg_way *way = &stream->pg[plan->direction & 1];
  const __u32 begin = (__u32)plan->offset;
  const __u32 total = plan->total;
  __u32 skip = pg_way_resume(way, begin, total);
  if (!skip && sql_is_secret(buffer, plan)) {
    pg_way_lose(way);
    way->broken = 0;
    plan->size = PG_HEADER_BYTES;
    plan->says = total;
    plan->ends = 1;
    return 0;
  }
  struct sql_pg_walk walk = {.buffer = buffer, .plan = plan};
  pg_walk_begin(&plan->pg, way, begin, skip, total);
  if (!plan->pg.done) bpf_loop(SQL_MOST_STEPS, sql_pg_step, &walk, 0);
  __u32 size = pg_walk_end(&plan->pg, way, begin, total);
  skip = plan->pg.ship;
  if (!size || skip >= total) return 0;
  if (size > SQL_MOST_PIECE) {
    size = SQL_MOST_PIECE;
    way->rows = 0; /* they begin behind what is not shipped yet */
  }
  plan->ship = skip;
  plan->size = plan->says = size;
  plan->hint = way->passed && !way->broken ? PG_HINT_PASSED : 0;
  plan->let_go =
      !skip && pg_tls_begins(&stream->asked, plan->direction & 1, plan->offset, pb_peek8(buffer, 0, total), total);
  if (plan->let_go) plan->hint |= PG_HINT_LET_GO;
  plan->ends = skip + size >= total;
  way->resume = begin + skip + size;
  way->passed = way->broken = 0;
  return 0;
}

#endif
