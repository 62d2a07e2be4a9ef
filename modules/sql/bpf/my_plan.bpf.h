/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * What is shipped of a segment of a MySQL connection. Part of sql.bpf.c. The functions without `static` are checked
 * once (docs/verifier_cookbook.md#global-functions).
 */
#ifndef PROBED_MOD_SQL_MY_PLAN_BPF_H
#define PROBED_MOD_SQL_MY_PLAN_BPF_H

/* Whether the segment begins like MySQL; if so, who is who. */
__noinline int sql_my_begins(struct sql_stream *stream, const struct pb_buffer *buffer, struct sql_plan *plan) {
  if (!stream || !buffer || !plan) return 0;
  const __u32 total = plan->total;
  for (__u32 i = 0; i < PG_HEAD_BYTES / 8; i++)
    plan->words[i] = total > i * 8 ? pb_peek8(buffer, i * 8, total - i * 8) : 0;
  const int begin = my_begins((const __u8 *)plan->words, total < PG_HEAD_BYTES ? total : PG_HEAD_BYTES);
  const __u8 direction = plan->direction & 1;
  if (plan->offset == MY_HEADER_BYTES && my_is_login_body((const __u8 *)plan->words, total)) {
    stream->front = direction;
    __builtin_memset(stream->my, 0, sizeof(stream->my));
    my_way_head_is_gone(&stream->my[direction], (__u32)plan->offset, total);
    return 1;
  }
  if (begin == 0 || begin == MY_UNSURE) return 0;
  stream->front = begin == MY_GREETING || begin == MY_ANSWER ? !direction : direction;
  __builtin_memset(stream->my, 0, sizeof(stream->my));
  stream->my[direction].next = (__u32)plan->offset;
  stream->my[direction].known = 1;
  return 1;
}

struct sql_my_walk {
  const struct pb_buffer *buffer;
  struct my_way *way;
  struct sql_plan *plan;
};

static long sql_my_step(__u32 index, struct sql_my_walk *walk) {
  struct my_walk *at = &walk->plan->my;
  const __u32 place = at->place;
  if (place >= at->total) return 1;
  const __u32 rest = at->total - place;
  return my_walk_step(at, walk->way, pb_peek8(walk->buffer, place, rest), rest);
}

struct sql_name {
  const struct pb_buffer *buffer;
  struct sql_plan *plan;
};

static long sql_name_step(__u32 index, struct sql_name *name) {
  struct sql_plan *plan = name->plan;
  if (plan->place >= plan->total) return 1;
  const __u64 word = pb_peek8(name->buffer, plan->place, plan->total - plan->place);
  const __u64 zeros = sql_gathered(sql_zeros(word));
  plan->place += sql_lowest(zeros);
  return zeros ? 1 : 0;
}

/* Of a client's answer to the greeting, whose fields of fixed size end at `user`: the database, and nothing of what is
 * in front of it. */
__noinline int sql_my_database(const struct pb_buffer *buffer, struct sql_plan *plan, __u32 user) {
  if (!buffer || !plan) return 0;
  const __u32 total = plan->total;
  plan->ends = 1;
  if (user < MY_LEAST_LOGIN || user >= total) return 0;
  const __u32 capabilities = (__u32)pb_peek8(buffer, user - MY_LEAST_LOGIN, MY_LEAST_LOGIN);
  if (!(capabilities & MY_WITH_DATABASE) || !(capabilities & (MY_SHORT_PROOF | MY_LONG_PROOF))) return 0;
  struct sql_name name = {.buffer = buffer, .plan = plan};
  plan->place = user;
  bpf_loop(MY_MOST_USER / 8, sql_name_step, &name, 0);
  if (plan->place + 1 >= total) return 0;
  const __u64 end = pb_peek8(buffer, plan->place, total - plan->place); /* its zero, and how long the proof is */
  const __u32 proof = (__u8)(end >> 8);
  const __u32 place = plan->place + 2 + proof;
  if ((__u8)end || proof >= MY_INFILE || place >= total) return 0;
  plan->ship = place;
  plan->size = plan->says = total - place < MY_MOST_DATABASE ? total - place : MY_MOST_DATABASE;
  return 0;
}

/* The next piece that is wanted. */
__noinline int sql_my_plan(struct sql_stream *stream, const struct pb_buffer *buffer, struct sql_plan *plan) {
  if (!stream || !buffer || !plan) return 0;
  struct my_way *way = &stream->my[plan->direction & 1];
  const __u32 begin = (__u32)plan->offset;
  const __u32 skip = my_way_resume(way, begin, plan->total);
  if (stream->login && skip) {
    stream->login = 0;
    return sql_my_database(buffer, plan, skip);
  }
  struct sql_my_walk walk = {.buffer = buffer, .way = way, .plan = plan};
  struct my_walk *at = &plan->my;
  at->total = plan->total;
  at->text = plan->text;
  at->parameters = plan->parameters;
  at->back = plan->direction != stream->front;
  at->first = plan->offset <= MY_HEADER_BYTES;
  at->awaits = stream->awaits;
  stream->piece = skip ? stream->piece + 1 : 0;
  at->piece = stream->piece;
  my_walk_begin(at, way, begin, skip, pb_peek8(buffer, 0, plan->total));
  if (!at->done) bpf_loop(SQL_MOST_STEPS, sql_my_step, &walk, 0);
  const __u32 size = my_walk_end(at, way, begin, SQL_MOST_PIECE);
  stream->awaits = at->back ? at->awaits : stream->awaits | at->asked;
  stream->login = at->login && !at->tls;
  if (!size) return 0;
  plan->ship = at->ship;
  plan->size = plan->says = size;
  plan->hint = my_walk_hint(at, way);
  plan->let_go = at->tls;
  plan->ends = at->ship + size >= plan->total;
  return 0;
}

#endif
