/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Follows the messages of one direction over segments and finds long runs of rows (DataRow, and CopyData of either
 * side), which nobody needs. No includes and no kernel types: compiled for the kernel and for the host.
 *
 * A call takes a segment from `skip` on: it passes over the rest of a run, if one is under way, and then finds a piece
 * to be shipped, which ends where the next run begins, or with the segment.
 */
#ifndef PROBED_MOD_SQL_PG_WALK_H
#define PROBED_MOD_SQL_PG_WALK_H

#include "modules/sql/bpf/pg_classify.h"

enum {
  PG_RUN_BYTES =
      1024,           /* of rows are shipped before the others are passed over: runs are rare, however small rows are */
  PG_LONG_ROW = 4096, /* is passed over at once */
  PG_HIGHEST_COLUMNS = 6, /* of a row, high byte: 1600 are the most. It tells a row from Describe */
  PG_MOST_LENGTH = 1 << 30,
};
/* A record's hint. */
enum {
  PG_HINT_PASSED = 1, /* between the one before and this there were rows and nothing else */
  PG_HINT_LET_GO = 2, /* TLS begins behind it, and the stream was let go of */
};
enum { PG_MOST_ASKING = 16 /* bytes of a client before its startup: it may ask for GSS first, and for TLS then */ };
enum { PG_MODE_SHIP = 0, PG_MODE_PASS = 1, PG_MODE_HEAD = 2 };

/* What is kept of a direction between calls. Zeroed: nothing is known. Offsets are the lowest 32 bits of the stream's.
 */
struct pg_way {
  unsigned next;        /* where a message begins */
  unsigned resume;      /* where the next call goes on, if that is in the same segment */
  unsigned head;        /* the first bytes of a message whose head goes over the end of a segment */
  unsigned char have;   /* how many; 0: none */
  unsigned char known;  /* `next` is */
  unsigned char rows;   /* a run is under way */
  unsigned char passed; /* rows were passed over since the last record */
  unsigned char broken; /* other bytes were, too */
};

struct pg_walk {
  unsigned place; /* in the segment: a message begins here */
  unsigned ship;  /* where the piece begins */
  unsigned end;   /* and where it ends */
  unsigned run;   /* bytes of rows in front of `place` */
  unsigned head;
  unsigned char have;
  unsigned char mode;
  unsigned char lost;
  unsigned char passed;
  unsigned char done;
  unsigned char idle; /* nothing was looked at: what is known stays */
};

PG_INLINE void pg_way_lose(struct pg_way *way) {
  way->known = 0;
  way->rows = 0;
  way->have = 0;
  way->broken = 1;
}

PG_INLINE unsigned pg_way_resume(const struct pg_way *way, unsigned begin, unsigned total) {
  const unsigned skip = way->resume - begin;
  return skip < total ? skip : 0;
}

/* Whether a segment is a client's question for TLS (`asks`), or the answer that grants it. `word`: its first bytes. */
PG_INLINE int pg_asks_for_tls(unsigned long long word, unsigned total) {
  const unsigned char *bytes = (const unsigned char *)&word;
  return total == 8 && pg_u32(bytes) == 8 && pg_u32(bytes + 4) == PG_CODE_SSL;
}
PG_INLINE int pg_grants_tls(unsigned long long word, unsigned total) { return total == 1 && (word & 0xff) == 'S'; }

/* `asked`: kept of the stream, 0 at first: direction of the client that waits for the answer + 1. Returns 1 if TLS
 * begins behind the segment. */
PG_INLINE int pg_tls_begins(unsigned char *asked, unsigned direction, unsigned long long offset,
                            unsigned long long word, unsigned total) {
  if (offset > PG_MOST_ASKING) return 0;
  if (pg_asks_for_tls(word, total)) {
    *asked = (unsigned char)(direction + 1);
    return 0;
  }
  const int granted = *asked == 2 - direction && pg_grants_tls(word, total);
  if (*asked) *asked = 0;
  return granted;
}

/* Everything up to the segment's end is shipped and nothing is looked at. */
PG_INLINE void pg_walk_none(struct pg_walk *walk, unsigned total) {
  walk->place = total;
  walk->done = walk->idle = 1;
}

PG_INLINE void pg_walk_begin(struct pg_walk *walk, struct pg_way *way, unsigned begin, unsigned skip, unsigned total) {
  const unsigned ahead = way->next - (begin + skip); /* of a message that begins before: huge */
  walk->ship = skip;
  walk->end = total;
  walk->place = skip;
  if (way->have && skip == 0 && way->known && way->next + way->have == begin) {
    walk->mode = PG_MODE_HEAD;
    walk->have = way->have;
    walk->head = way->head;
    return;
  }
  if (way->have && way->known && way->next + way->have == begin + total) return pg_walk_none(walk, total);
  if (!way->known || ahead > PG_MOST_LENGTH) {
    way->rows = 0;
    if (skip) pg_walk_none(walk, total);
    walk->lost = skip != 0;
    return;
  }
  walk->mode = way->rows ? PG_MODE_PASS : PG_MODE_SHIP;
  walk->place = skip + ahead;
  if (way->rows) walk->ship = walk->place < total ? walk->place : total;
  if (way->rows && ahead) walk->passed = 1;
  walk->done = walk->place >= total;
}

/* `word`: the first bytes at `place`, of which the segment has `rest`. Returns 1 at the end of the piece. */
PG_INLINE int pg_walk_step(struct pg_walk *walk, unsigned long long word, unsigned rest) {
  const unsigned char *bytes = (const unsigned char *)&word;
  const int headed = walk->mode == PG_MODE_HEAD;
  if (headed) {
    const unsigned have = walk->have & 7;
    const unsigned long long kept = walk->head & ((1ULL << (have * 8)) - 1);
    word = kept | word << (have * 8);
    walk->place -= have;
    rest += have;
    walk->have = 0;
    walk->mode = PG_MODE_SHIP;
  }
  if (rest < PG_HEADER_BYTES) {
    if (walk->mode == PG_MODE_PASS) walk->ship = walk->place;
    walk->mode = PG_MODE_SHIP;
    walk->head = (unsigned)word;
    walk->have = (unsigned char)rest;
    walk->done = 1;
    return 1;
  }
  const unsigned length = pg_u32(bytes + 1);
  if (length < PG_LEAST_LENGTH || length > PG_MOST_LENGTH || bytes[0] < '1' || bytes[0] > 'v') {
    if (walk->mode == PG_MODE_PASS) walk->ship = walk->place;
    walk->mode = PG_MODE_SHIP;
    walk->lost = walk->done = 1;
    return 1;
  }
  const int row =
      !headed && (bytes[0] == 'd' || (bytes[0] == 'D' && rest > PG_HEADER_BYTES && bytes[5] <= PG_HIGHEST_COLUMNS));
  if (row && walk->mode == PG_MODE_SHIP && (walk->run >= PG_RUN_BYTES || length >= PG_LONG_ROW)) {
    if (walk->place != walk->ship) {
      walk->end = walk->place;
      walk->mode = PG_MODE_PASS;
      walk->done = 1;
      return 1;
    }
    walk->mode = PG_MODE_PASS;
  }
  if (walk->mode == PG_MODE_PASS && !row) walk->mode = PG_MODE_SHIP;
  walk->run = row ? walk->run + length + 1 : 0;
  walk->place += length + 1;
  if (walk->mode == PG_MODE_PASS) {
    walk->ship = walk->place;
    walk->passed = 1;
  }
  return 0;
}

/* Bytes of the piece, from walk->ship on. */
PG_INLINE unsigned pg_walk_end(struct pg_walk *walk, struct pg_way *way, unsigned begin, unsigned total) {
  if (walk->place < total && !walk->done) walk->lost = 1; /* too many messages */
  if (walk->ship > total) walk->ship = total;
  if (walk->idle) return walk->end - walk->ship;
  way->next = begin + walk->place;
  way->known = 1;
  way->rows = walk->mode == PG_MODE_PASS;
  way->have = walk->have;
  way->head = walk->head;
  if (walk->passed) way->passed = 1;
  if (walk->lost) {
    way->known = way->rows = way->have = 0;
    walk->end = total;
  }
  return walk->end - walk->ship;
}

#endif
