/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Follows the messages of a direction by their sizes and plans what of a segment is shipped: of each message its first
 * bytes. What of the rest of a long one is shipped is found by kafka_pack.h; where that does not find its way it is
 * left out. Compiled for the kernel and, in tests, for the host: the includer brings __u8, __u32,
 * __u64, bpf_loop and kfk_peek8, which reads eight of the `have` bytes that there are from a place of the segment on
 * (what is not there is 0). Words are little endian, as all machines the daemon runs on.
 *
 * A place is a boundary when the message before ended there. Where the boundary is lost (bytes that no hook showed, a
 * connection older than the daemon) all is shipped until a segment begins like a message; the decoder searches too.
 */
#ifndef PROBED_MOD_KAFKA_WALK_H
#define PROBED_MOD_KAFKA_WALK_H

#include "modules/kafka/bpf/kafka_classify.h"

enum {
  KFK_MOST_PIECE = 16384,      /* of one record */
  KFK_MESSAGES = 8,            /* of one record */
  KFK_NEAR_CORRELATION = 1024, /* a response is at most so many requests behind */
  KFK_KNOWN = 0x80,            /* kfk_way.state: `left` is true */
  KFK_FRESH = 0x40,            /* kfk_way.state: a long message begins */
  KFK_ASTRAY = 0x20,           /* kfk_way.state: of the long message under way only the first bytes are shipped */
  KFK_HAVE = 0x03,             /* kfk_way.state: bytes of an unfinished size */
  KFK_REQUEST = 3              /* verdict of kfk_begin: KFK_YES, and its correlation id is at byte 8 */
};

/* One direction between two segments. Zeroed memory: nothing seen yet. */
struct kfk_way {
  __u64 at;          /* offset that was followed to */
  __u32 left;        /* bytes of the message under way that are still to come; 0: a boundary, or not known */
  __u32 tail;        /* how many bytes at its end are left out */
  __u32 correlation; /* of the last request */
  __u8 partial[3];
  __u8 state;
};

struct kfk_stream {
  struct kfk_way ways[2];
};

/* What is shipped of a segment from `at` on, in one record. */
struct kfk_plan {
  __u32 want;
  __u32 total; /* bytes the record stands for */
};

KFK_INLINE __u32 kfk_least(__u32 a, __u32 b) { return a < b ? a : b; }

KFK_INLINE void kfk_forget(struct kfk_way *way) {
  way->left = 0;
  way->tail = 0;
  way->state = 0;
  way->partial[0] = way->partial[1] = way->partial[2] = 0;
}

/* Where in [begin, end) to go on. Bytes that were missed inside a message do no harm. */
KFK_INLINE __u64 kfk_resume(struct kfk_way *way, __u64 begin, __u64 end) {
  if (way->at > begin && way->at < end) return way->at;
  if (way->at != begin) {
    const __u64 missed = begin - way->at;
    if (way->at < begin && missed <= way->left) {
      way->left -= (__u32)missed;
      way->state |= KFK_ASTRAY;
    } else {
      kfk_forget(way);
    }
  }
  way->at = begin;
  return begin;
}

/* A message's first eight bytes, all of them there: a request, a response, or none. */
KFK_INLINE int kfk_look(__u64 word, __u32 size, __u32 correlation) {
  const __u32 behind = __builtin_bswap32((__u32)(word >> 32));
  if (size <= KFK_MOST_SIZE && size + KFK_SIZE_BYTES >= KFK_REQUEST_BYTES && kfk_is_key(behind >> 16, behind & 0xffff))
    return KFK_REQUEST;
  return correlation - behind <= KFK_NEAR_CORRELATION ? KFK_YES : KFK_NOT;
}

/* A place where a message may begin. `word`: the bytes there, of which `count` (at most eight) are the segment's, the
 * others 0; `total`: of the segment; `limit`: how much of a message is shipped; `correlation`: the last request's of
 * the other direction. KFK_NOT: nothing is known of this place; KFK_MORE: the size goes on in the next segment. */
KFK_INLINE int kfk_begin(struct kfk_way *way, __u64 word, __u32 count, __u32 total, __u32 limit, __u32 correlation) {
  const __u32 have = way->state & KFK_HAVE;
  const __u32 before = (__u32)way->partial[0] | (__u32)way->partial[1] << 8 | (__u32)way->partial[2] << 16;
  const __u64 head = have ? before | word << (have * 8) : word;
  if (have + count < KFK_SIZE_BYTES) {
    if (!(way->state & KFK_KNOWN)) return KFK_NOT;
    way->partial[0] = (__u8)head;
    way->partial[1] = (__u8)(head >> 8);
    way->partial[2] = (__u8)(head >> 16);
    way->state = (__u8)(KFK_KNOWN | (have + count));
    return KFK_MORE;
  }
  const __u32 size = __builtin_bswap32((__u32)head);
  if (size < 4 || size > KFK_MOST_RESPONSE) return KFK_NOT;
  int verdict = KFK_YES;
  if (!have && count >= 8)
    verdict = kfk_look(word, size, correlation);
  else if (!(way->state & KFK_KNOWN) && total != KFK_SIZE_BYTES) /* many read the size on its own */
    verdict = KFK_NOT;
  if (verdict == KFK_NOT) return KFK_NOT;
  way->left = size + KFK_SIZE_BYTES - have;
  way->tail = size + KFK_SIZE_BYTES > limit ? size + KFK_SIZE_BYTES - limit : 0;
  way->state = way->tail ? KFK_KNOWN | KFK_FRESH : KFK_KNOWN;
  way->partial[0] = way->partial[1] = way->partial[2] = 0;
  return verdict;
}

/* Adds to the plan what comes of the message under way, of `rest` bytes. Whether the record may go on behind it. */
KFK_INLINE int kfk_take(struct kfk_way *way, __u32 rest, struct kfk_plan *plan) {
  const __u32 wanted = way->left > way->tail ? way->left - way->tail : 0;
  const __u32 room = KFK_MOST_PIECE - plan->want;
  __u32 chunk = kfk_least(way->left, rest);
  __u32 take = kfk_least(wanted, chunk);
  if (take > room) take = chunk = room;
  plan->want += take;
  plan->total += chunk;
  way->left -= chunk;
  return take == chunk && plan->want < KFK_MOST_PIECE;
}

/* Nothing is known of these bytes: they are shipped. */
KFK_INLINE void kfk_take_all(struct kfk_way *way, __u32 rest, struct kfk_plan *plan) {
  const __u32 take = kfk_least(rest, KFK_MOST_PIECE - plan->want);
  kfk_forget(way);
  plan->want += take;
  plan->total += take;
}

/* A segment while a record of it is planned. */
struct kfk_run {
  __u64 offset; /* of the segment's first byte */
  __u32 total;  /* its bytes */
  __u32 limit;  /* how much of a message is shipped */
  __u32 direction;
  __u32 skip; /* where the record begins in the segment */
  struct kfk_plan plan;
  __u8 readable;
  __u8 packs; /* the record is kfk_pack's: there is no plan */
};

/* The same, with what it is planned by. */
struct kfk_planning {
  struct kfk_run *run;
  struct kfk_stream *stream;
  const void *source; /* kfk_peek8's */
};

static __u64 kfk_peek8(const void *source, __u32 place, __u32 have);

KFK_INLINE int kfk_is_packed(const struct kfk_way *way) { return way->left && way->tail && !(way->state & KFK_ASTRAY); }

/* One message, or what there is of it. Whether the record may go on. */
KFK_INLINE int kfk_step(const struct kfk_planning *planning) {
  struct kfk_run *run = planning->run;
  struct kfk_way *way = &planning->stream->ways[run->direction & 1];
  const struct kfk_way *other = &planning->stream->ways[~run->direction & 1];
  const __u32 place = run->skip + run->plan.total;
  const __u32 rest = run->total - place;
  int verdict = KFK_NOT;
  if (way->left) return kfk_take(way, rest, &run->plan);
  /* What is behind a place nobody knows is not known either; and so is what follows a size that was gathered before
   * the stream became this module's. */
  if (way->state & KFK_KNOWN || !(place || run->offset == KFK_SIZE_BYTES)) {
    const __u64 word = kfk_peek8(planning->source, place, rest);
    verdict = kfk_begin(way, word, kfk_least(rest, 8), run->total, run->limit, other->correlation);
  }
  if (verdict == KFK_MORE) {
    run->plan.want += rest;
    run->plan.total += rest;
    return 0;
  }
  if (verdict == KFK_NOT) {
    kfk_take_all(way, rest, &run->plan);
    return 0;
  }
  if (verdict == KFK_REQUEST && rest >= 12) {
    way->correlation = __builtin_bswap32((__u32)kfk_peek8(planning->source, place + 8, rest - 8));
  }
  if (kfk_is_packed(way)) { /* a record of its own */
    run->packs = !run->plan.total;
    return 0;
  }
  return kfk_take(way, rest, &run->plan);
}

/* A bpf_loop, because the verifier would follow every number a plan can have (docs/verifier_cookbook.md#loops). */
static long kfk_plan_step(__u32 index, struct kfk_planning *planning) {
  const struct kfk_run *run = planning->run;
  return !kfk_step(planning) || run->skip + run->plan.total >= run->total;
}

/* What the segment's next record is. False: none, nobody need know of bytes in the middle of what is left out. Those at
 * its end are the message's end. */
KFK_INLINE int kfk_plan_record(struct kfk_run *run, struct kfk_stream *stream, const void *source) {
  struct kfk_planning planning = {.run = run, .stream = stream, .source = source};
  struct kfk_way *way = &stream->ways[run->direction & 1];
  const __u64 end = run->offset + run->total;
  const __u64 at = kfk_resume(way, run->offset, end);
  run->skip = (__u32)(at - run->offset);
  if (!run->readable) way->state |= KFK_ASTRAY;
  if (kfk_is_packed(way)) {
    run->packs = 1;
    return 1;
  }
  bpf_loop(KFK_MESSAGES, kfk_plan_step, &planning, 0);
  way->at = at + run->plan.total;
  return run->plan.want || !way->left || way->at != end;
}

/* Likewise, of a long message that is not packed after all. */
KFK_INLINE int kfk_plan_astray(struct kfk_run *run, struct kfk_way *way) {
  kfk_take(way, run->total - run->skip, &run->plan);
  way->at += run->plan.total;
  return run->plan.want || !way->left || run->skip + run->plan.total != run->total;
}

#endif
