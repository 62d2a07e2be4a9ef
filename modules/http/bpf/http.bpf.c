/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Kernel side of the HTTP/1 module: recognises HTTP, ships heads, leaves bodies out. The rule is: what it is not sure
 * to be a body is shipped, at least as a record without bytes, so the decoder can follow by offsets. A head is searched
 * for its end and its Content-Length only where that saves something (http_must_scan).
 */
#include "api/sdk/bpf/probed.bpf.h"
#include "modules/http/bpf/http_classify.h"
#include "modules/http/bpf/http_scan.h"

PROBED_MODULE();

PROBED_CLASSIFY(http) { return http_recognise(head->bytes, head->length); }

/* Below this, shipping head and body together is cheaper than looking for the end of the head. */
enum { HTTP_SMALL_BYTES = 1024 };

/* This module's memory per stream. */
struct http_stream {
  __u64 body_end[2];      /* offset up to which bytes are known to be body */
  __u64 resume;           /* where the program goes on in a segment that holds several messages */
  __u32 budget[2];        /* bytes that may still be shipped in this turn of the conversation */
  __u32 size;             /* of a chunk, as far as its line was seen */
  __u32 turn;             /* where the last change of direction was, modulo 2^32 */
  __u8 request_direction; /* + 1 */
  __u8 last_direction;    /* + 1 */
  __u8 chunked[2];
  __u8 in_line; /* + 1: the direction that is in the line of `size` */
  __u8 closed;  /* its digits are over */
};
_Static_assert(sizeof(struct http_stream) <= PB_SCRATCH_BYTES, "the stream's memory");

static __always_inline bool http_is_request(const struct http_stream *stream, __u32 direction) {
  return stream->request_direction == direction + 1;
}

/* A new turn of the conversation: what comes now begins a message, unless a body is still under way. */
static __always_inline void http_turn(struct probed_segment *segment, struct http_stream *stream, __u32 direction) {
  if (stream->last_direction == direction + 1) return;
  stream->last_direction = (__u8)(direction + 1);
  stream->budget[direction] = probed_capture_bytes(segment);
  stream->resume = 0; /* of the other direction, whose segment was not walked to its end */
  stream->turn = (__u32)probed_offset(segment);
}

/* A response under way is over when its client asks again, whatever its head said: to a HEAD it has no body. Where the
 * client pipelines, what is left of the body is shipped as far as the budget goes. */
static __always_inline void http_ask(struct http_stream *stream, __u32 direction) { stream->body_end[!direction] = 0; }

static __always_inline void http_learn_roles(struct http_stream *stream, __u32 direction, __u64 word) {
  if (stream->request_direction) return;
  stream->request_direction = (__u8)(http_begins_response(word) ? 2 - direction : direction + 1);
}

/* Whether finding the end of this head pays: a long segment, or a head that ends here with a body to come. */
static __always_inline bool http_must_scan(struct probed_segment *segment, __u32 skip, bool request, __u64 word) {
  const __u32 rest = probed_total(segment) - skip;
  if (request && http_has_no_body(word)) return false;
  if (rest > HTTP_SMALL_BYTES) return true;
  return rest >= 4 && (__u32)probed_peek8(segment, skip + rest - 4) == HTTP_END_OF_HEAD;
}

/* What one run of the program ships of a segment, and where the next run goes on. */
struct http_plan {
  __u32 skip;
  __u32 want;
  __u32 total; /* bytes the record stands for; 0: the rest */
  __u8 flags;
  __u8 scan; /* a head whose end is looked for first */
  __u8 request;
  __u8 head;     /* a message begins here */
  __u8 switches; /* it answers that another protocol follows */
  __u64 next;
};

/* A size line that goes on in another piece is kept in the stream: one of both directions, which is enough. */
static __always_inline void http_chunk_begin(const struct http_stream *stream, __u32 direction,
                                             struct http_chunk *chunk) {
  if (stream->in_line != direction + 1) return;
  chunk->size = stream->size;
  chunk->begun = 1;
  chunk->closed = stream->closed;
}

static __always_inline bool http_chunk_keep(struct http_stream *stream, __u32 direction,
                                            const struct http_chunk *chunk) {
  if (chunk->size >> 32 || (stream->in_line && stream->in_line != direction + 1)) return false;
  stream->in_line = (__u8)(direction + 1);
  stream->size = (__u32)chunk->size;
  stream->closed = chunk->closed != 0;
  return true;
}

/* A chunk of a body: its size line is shipped, its data is not. False: the place in the chunks is lost. */
static __always_inline bool http_plan_chunk(struct probed_segment *segment, struct http_stream *stream, __u32 direction,
                                            struct http_plan *plan, __u64 at) {
  struct http_chunk chunk = {};
  const __u32 rest = probed_total(segment) - plan->skip;
  http_chunk_begin(stream, direction, &chunk);
  const bool read = http_read_chunk(segment->at.buffer, plan->skip, rest, &chunk);
  if (!read || (!chunk.whole && !http_chunk_keep(stream, direction, &chunk))) {
    stream->chunked[direction] = 0; /* from here on the budget decides */
    if (stream->in_line == direction + 1) stream->in_line = 0;
    return false;
  }
  if (chunk.whole) {
    if (stream->in_line == direction + 1) stream->in_line = 0;
    stream->chunked[direction] = chunk.data != 0;
    stream->body_end[direction] = at + chunk.line + chunk.data;
  }
  plan->want = chunk.line;
  plan->total = chunk.line;
  plan->next = at + chunk.line + (chunk.whole ? chunk.data : 0);
  return true;
}

/* Who speaks, and whether a message begins here. */
static __always_inline void http_plan_word(struct probed_segment *segment, struct http_stream *stream, __u32 direction,
                                           struct http_plan *plan, __u64 at, __u64 word) {
  http_learn_roles(stream, direction, word);
  plan->request = http_is_request(stream, direction);
  plan->head = stream->in_line != direction + 1 && http_begins_message(word, plan->request);
  if (plan->request && word == HTTP_CONNECT_WORD) probed_is_tunnel(segment);
  if (plan->request && direction == PB_SENT) plan->flags = PROBED_SHIP_CAUSE;
  if (plan->request && direction == PB_RECEIVED) probed_cause_begin(segment, at);
  if (!plan->head) return;
  stream->budget[direction] = probed_capture_bytes(segment);
  if (plan->request) http_ask(stream, direction);
}

/* Whether it answers a request with 101: behind the head another protocol begins. What does not begin the turn may be a
 * body that only looks like it: that is for the decoder to say, which may be too late for what follows. */
static __always_inline bool http_switches(const struct http_stream *stream, const struct http_plan *plan, __u64 at,
                                          __u32 status) {
  return status == HTTP_SWITCH_WORD && plan->head && !plan->request && stream->turn == (__u32)at;
}

/* As much as this turn's budget allows. */
static __always_inline void http_plan_budget(struct http_stream *stream, __u32 direction, struct http_plan *plan,
                                             __u64 at, __u64 word, __u32 rest) {
  plan->want = rest < stream->budget[direction] ? rest : stream->budget[direction];
  stream->budget[direction] -= plan->want;
  /* Pipelined requests beyond one capture: piece by piece. */
  if (plan->head && plan->request && http_has_no_body(word) && plan->want < rest) {
    plan->total = plan->want;
    plan->next = at + plan->want;
  }
}

/* Bytes that are no known body: a head, or what the budget of this turn allows. */
static __always_inline void http_plan_bytes(struct probed_segment *segment, struct http_stream *stream, __u32 direction,
                                            struct http_plan *plan, __u64 at) {
  const __u64 word = probed_peek8(segment, plan->skip);
  http_plan_word(segment, stream, direction, plan, at, word);
  if (stream->chunked[direction] && http_plan_chunk(segment, stream, direction, plan, at)) return;
  plan->scan = plan->head && http_must_scan(segment, plan->skip, plan->request, word);
  if (!plan->scan && plan->head && !plan->request && stream->turn == (__u32)at &&
      probed_total(segment) >= plan->skip + 12)
    plan->scan = http_switches(stream, plan, at, (__u32)probed_peek8(segment, plan->skip + 8));
  if (!plan->scan) http_plan_budget(stream, direction, plan, at, word, probed_total(segment) - plan->skip);
}

/* What http_decide works on. */
struct http_sight {
  struct probed_segment *segment;
  struct http_stream *stream;
  __u64 at;
  struct http_plan *plan;
};

/* The same as http_plan_bytes, for a short segment whose bytes were copied already. */
static __always_inline void http_decide(void *context, struct probed_sight sight, struct probed_shipment *shipment) {
  struct http_sight *on = context;
  struct http_plan *plan = on->plan;
  const __u32 direction = probed_direction(on->segment) & 1;
  http_plan_word(on->segment, on->stream, direction, plan, on->at, sight.first);
  const bool body = plan->head && sight.last == HTTP_END_OF_HEAD && !(plan->request && http_has_no_body(sight.first));
  if (body || http_switches(on->stream, plan, on->at, sight.next)) {
    shipment->withdrawn = 1; /* the body's length, or the end of the head, is worth a look */
    return;
  }
  http_plan_budget(on->stream, direction, plan, on->at, sight.first, probed_total(on->segment) - plan->skip);
  shipment->captured = plan->want;
  shipment->total = plan->total;
  shipment->flags = plan->flags;
}

/* A head was shipped: what follows it is body, or the rest of a head that is longer than what was looked at. */
static __always_inline void http_after_head(struct http_stream *stream, __u32 direction, struct http_plan *plan,
                                            __u64 at, const struct http_head *head) {
  const __u32 budget = stream->budget[direction];
  stream->budget[direction] = head->length < budget ? budget - head->length : 0;
  stream->chunked[direction] = head->complete && head->chunked;
  plan->next = at + head->length;
  if (!head->complete) return;
  stream->body_end[direction] = at + head->length + head->body;
  plan->next = stream->body_end[direction];
}

/* Most messages are short: their bytes are copied before they are looked at. */
static __always_inline int http_ship_short(struct probed_segment *segment, struct http_stream *stream, __u64 at,
                                           struct http_plan *plan) {
  const __u32 rest = probed_total(segment) - plan->skip;
  if (rest > PROBED_SEEN_BYTES || stream->chunked[probed_direction(segment) & 1]) return PROBED_WITHDRAWN;
  struct http_sight sight = {.segment = segment, .stream = stream, .at = at, .plan = plan};
  return probed_ship_seen(segment, plan->skip, rest, http_decide, &sight);
}

static __always_inline int http_ship_long(struct probed_segment *segment, struct http_stream *stream, __u64 at,
                                          struct http_plan *plan) {
  const __u32 direction = probed_direction(segment) & 1;
  if (probed_readable(segment)) http_plan_bytes(segment, stream, direction, plan, at);
  if (!plan->scan) return probed_ship(segment, plan->skip, plan->want, plan->total, plan->flags, 0);
  struct http_head found = {};
  const int outcome = http_ship_head(segment, plan->skip, stream->budget[direction], plan->flags, &found);
  if (outcome == PROBED_SHIPPED) http_after_head(stream, direction, plan, at, &found);
  plan->switches = found.complete && http_switches(stream, plan, at, found.status);
  segment->rest = plan->skip + found.length;
  return outcome;
}

/* A segment inside a body, as the response's head said, that begins a response: that head may have answered a HEAD. */
static __always_inline bool http_contradicts(struct probed_segment *segment, const struct http_stream *stream,
                                             __u32 direction) {
  return !http_is_request(stream, direction) && probed_readable(segment) &&
         http_begins_response(probed_peek8(segment, 0));
}

PROBED_SEGMENT(http) {
  struct http_stream *stream = probed_scratch(segment);
  const __u32 direction = probed_direction(segment) & 1;
  const __u64 begin = probed_offset(segment);
  const __u64 end = begin + probed_total(segment);
  http_turn(segment, stream, direction);
  if (stream->body_end[direction] > end) {
    if (!http_contradicts(segment, stream, direction)) return PROBED_SKIPPED;
    return probed_ship(segment, 0, probed_capture_bytes(segment), 0, 0, 0); /* the decoder knows which it is */
  }

  __u64 at = stream->resume > begin && stream->resume < end ? stream->resume : begin;
  struct http_plan plan = {.next = end};
  int outcome = PROBED_WITHDRAWN;
  if (stream->body_end[direction] == end) { /* the flag tells the decoder that the body is complete */
    outcome = probed_ship(segment, 0, 0, 0, PB_SEGMENT_SKIPPED, 0);
  } else {
    if (stream->body_end[direction] > at) at = stream->body_end[direction];
    plan.skip = (__u32)(at - begin);
    if (probed_readable(segment)) outcome = http_ship_short(segment, stream, at, &plan);
    if (outcome == PROBED_WITHDRAWN) outcome = http_ship_long(segment, stream, at, &plan);
  }
  if (outcome == PROBED_SHIPPED && plan.switches) return PROBED_LET_GO;
  stream->resume = outcome == PROBED_SHIPPED && plan.next < end ? plan.next : 0;
  return stream->resume ? PROBED_AGAIN : outcome;
}
