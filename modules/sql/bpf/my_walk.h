/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Follows the packets of one direction of a MySQL connection over segments, and says which bytes are shipped: the
 * beginning of commands and answers, and the first KiB of rows. No includes and no kernel types: compiled for the
 * kernel and for the host.
 *
 * A call takes a segment from `skip` on and finds one piece to be shipped. What is left out is of two kinds: the end of
 * a packet, which its head announced; and whole packets, which the next record counts (MY_HINT).
 */
#ifndef PROBED_MOD_SQL_MY_WALK_H
#define PROBED_MOD_SQL_MY_WALK_H

#include "modules/sql/bpf/my_classify.h"

enum {
  MY_RUN_BYTES = 1024,     /* of rows are shipped before the others are passed over */
  MY_LONG_ROW = 4096,      /* is passed over at once */
  MY_ANSWER_BYTES = 260,   /* of any packet of a server */
  MY_COMMAND_BYTES = 16,   /* of a command without a text */
  MY_TEXT_AHEAD = 8,       /* of a command with one: its head, and what may stand before the text */
  MY_MOST_AHEAD = 1 << 25, /* a packet, and the head of another one */
};

/* A record's hint: 0: every packet in front of it was shipped; MY_UNCOUNTED: packets were passed over, nobody knows how
 * many; else 1 + how many since the record before. Packets of a server with sequence 0 to 2 are shipped, so that the
 * number fits, but not where a segment has more pieces than the program can run for. */
enum { MY_MOST_PASSED = 254, MY_UNCOUNTED = 255, MY_MOST_COUNTED = 24 /* pieces of a segment */ };
/* Of a client's packets nobody asks how many were left out: their records have 0, MY_UNCOUNTED or this, behind which
 * TLS begins and the stream was let go of. */
enum { MY_LET_GO = 254 };

/* What is kept of a direction between calls. Zeroed: nothing is known. Offsets are the lowest 32 bits of the stream's.
 */
struct my_way {
  unsigned next;          /* where a packet begins that was not looked at */
  unsigned resume;        /* where the next call goes on, if that is in the same segment */
  unsigned keep;          /* bytes from there on, or from the next segment's begin, that are shipped without a look */
  unsigned head;          /* the first bytes of a packet whose head goes over the end of a segment */
  unsigned short run;     /* bytes of rows since the last packet that is none */
  unsigned char passed;   /* packets passed over since the last record */
  unsigned char have : 3; /* bytes in `head` */
  unsigned char known : 1;
  unsigned char broken : 1; /* bytes were lost since the last record */
  unsigned char more : 1;   /* the next packet goes on with the last one's payload */
  unsigned char any : 1;    /* `passed` is to be said, even if it is 0 */
};

struct my_walk {
  unsigned place; /* in the segment: a packet begins here */
  unsigned ship;  /* where the piece begins */
  unsigned end;   /* and where it ends: perhaps behind the segment */
  unsigned total;
  unsigned text;        /* bytes that are wanted of a statement's text, and of a bulk execution */
  unsigned parameters;  /* and of the values it is executed with */
  unsigned char back;   /* the server's direction */
  unsigned char first;  /* the segment is the direction's first one, or goes on with a head that was */
  unsigned char piece;  /* number of the piece in its segment */
  unsigned char awaits; /* of the server's direction: a command was not answered yet */
  unsigned char headed;
  unsigned char done;
  unsigned char lost;
  unsigned char asked; /* a command was seen */
  unsigned char login; /* the client's answer to the greeting was */
  unsigned char tls;   /* and TLS begins behind it */
};

PG_INLINE void my_way_lose(struct my_way *way) {
  way->known = 0;
  way->have = 0;
  way->more = 0;
  way->any = 0;
  way->keep = 0;
  way->run = 0;
  way->passed = 0;
  way->broken = 1;
}

/* Inside TLS a server reads the head of the login, and what follows in the next segment: that is `size` bytes. The head
 * was shipped before the stream was this module's. */
PG_INLINE void my_way_head_is_gone(struct my_way *way, unsigned offset, unsigned size) {
  way->next = offset - MY_HEADER_BYTES;
  way->known = 1;
  way->have = MY_HEADER_BYTES;
  way->head = size | 2U << 24;
}

PG_INLINE unsigned my_way_resume(const struct my_way *way, unsigned begin, unsigned total) {
  const unsigned skip = way->resume - begin;
  return skip < total ? skip : 0;
}

/* Whether a segment of a direction whose place is not known begins with a packet. */
PG_INLINE int my_walk_finds(const struct my_walk *walk, unsigned long long word) {
  const unsigned char *bytes = (const unsigned char *)&word;
  if (walk->back) return walk->awaits && bytes[3] == 1;
  return bytes[3] == 0 && my_u24(bytes) + MY_HEADER_BYTES == walk->total;
}

/* The fields of `walk` that describe the segment are set. `word`: its first bytes. */
PG_INLINE void my_walk_begin(struct my_walk *walk, struct my_way *way, unsigned begin, unsigned skip,
                             unsigned long long word) {
  walk->ship = walk->place = skip;
  walk->end = walk->total;
  if (way->have && skip == 0 && way->known && way->next + way->have == begin) {
    walk->headed = 1;
    return;
  }
  if (way->keep >= walk->total - skip) { /* all of it is wanted */
    walk->end = skip + way->keep;
    walk->place = skip + (way->next - (begin + skip));
    walk->done = 1;
    return;
  }
  const unsigned ahead = way->next - (begin + skip);
  if (!way->known || ahead > MY_MOST_AHEAD) {
    way->keep = 0;
    if (!skip && ((walk->first && begin == 0) || my_walk_finds(walk, word))) return;
    walk->lost = walk->done = 1;
    return;
  }
  walk->place = skip + ahead;
  if (way->keep == ahead) return;
  walk->end = skip + way->keep; /* the rest of the packet is not wanted */
  walk->done = way->keep != 0;
  if (way->keep) return;
  walk->ship = walk->place;
  walk->end = walk->total;
  walk->done = walk->place >= walk->total;
}

/* A row, or as good as one: what ends rows, and what begins an answer, is none. */
PG_INLINE int my_walk_is_row(const struct my_walk *walk, unsigned long long word) {
  const unsigned char *bytes = (const unsigned char *)&word;
  return !(bytes[3] == 1 && walk->awaits) && bytes[4] != MY_EOF && bytes[4] != MY_ERROR;
}

/* How much of a packet is shipped; 0: nothing. */
PG_INLINE unsigned my_walk_wants(const struct my_walk *walk, const struct my_way *way, unsigned long long word) {
  const unsigned char *bytes = (const unsigned char *)&word;
  const unsigned size = my_u24(bytes);
  if (way->more) return 0;
  if (walk->back) {
    const int counts = bytes[3] < 3 && walk->piece < MY_MOST_COUNTED;
    const int row = !counts && !walk->headed && my_walk_is_row(walk, word);
    if (row && (way->run >= MY_RUN_BYTES || size >= MY_LONG_ROW)) return 0;
    return MY_ANSWER_BYTES;
  }
  if (bytes[3] != 0) { /* logging in, or data of LOCAL INFILE */
    if (!walk->first || (walk->place && !walk->headed)) return 0;
    return MY_HEADER_BYTES + MY_LEAST_LOGIN;
  }
  if (bytes[4] == MY_QUERY || bytes[4] == MY_STMT_PREPARE || bytes[4] == MY_INIT_DB) return MY_TEXT_AHEAD + walk->text;
  if (bytes[4] == MY_CHANGE_USER) return MY_HEADER_BYTES + 1;
  if (bytes[4] == MY_STMT_EXECUTE) return MY_COMMAND_BYTES + walk->parameters;
  if (bytes[4] == MY_STMT_BULK_EXECUTE) return MY_COMMAND_BYTES + walk->text; /* the sets in it are counted */
  return MY_COMMAND_BYTES;
}

/* What was learned of a packet that is shipped. */
PG_INLINE void my_walk_learn(struct my_walk *walk, struct my_way *way, unsigned long long word, unsigned whole) {
  const unsigned char *bytes = (const unsigned char *)&word;
  const unsigned most = MY_RUN_BYTES;
  const unsigned run = way->run + (whole < most ? whole : most);
  if (walk->back) {
    way->run = my_walk_is_row(walk, word) ? (unsigned short)(run < most ? run : most) : 0;
    if (bytes[3] == 1) walk->awaits = 0;
    return;
  }
  walk->asked = 1;
  if (bytes[3] == 0) return;
  walk->login = 1;
  if (my_u24(bytes) != MY_LEAST_LOGIN || !(my_u32(bytes + 4) & MY_TLS) || walk->place + whole > walk->total) return;
  walk->tls = walk->done = 1;
  walk->end = walk->place + whole;
}

PG_INLINE void my_walk_pass(struct my_walk *walk, struct my_way *way, unsigned whole) {
  if (!way->more && !walk->headed && way->passed < MY_MOST_PASSED) way->passed++;
  way->any = 1;
  walk->place += whole;
  walk->ship = walk->place;
}

/* `word`: the first bytes at `place`, of which the segment has `rest`. Returns 1 at the end of the piece. */
PG_INLINE int my_walk_step(struct my_walk *walk, struct my_way *way, unsigned long long word, unsigned rest) {
  const unsigned char *bytes = (const unsigned char *)&word;
  if (walk->headed) {
    const unsigned have = way->have;
    const unsigned long long kept = way->head & ((1ULL << (have * 8)) - 1);
    word = kept | word << (have * 8);
    walk->place -= have;
    rest += have;
  }
  way->have = 0;
  if (rest < MY_HEADER_BYTES || (rest == MY_HEADER_BYTES && my_u24(bytes))) {
    way->head = (unsigned)word;
    way->have = rest & 7;
    walk->done = 1;
    return 1;
  }
  const unsigned size = my_u24(bytes);
  const unsigned whole = size + MY_HEADER_BYTES;
  const unsigned wanted = my_walk_wants(walk, way, word);
  if (!wanted && !walk->headed && walk->place != walk->ship) {
    walk->end = walk->place;
    walk->done = 1;
    return 1;
  }
  if (!wanted) {
    my_walk_pass(walk, way, whole);
  } else {
    my_walk_learn(walk, way, word, whole);
    if (wanted < whole) {
      walk->end = walk->place + wanted;
      walk->done = 1;
    }
    walk->place += whole;
  }
  way->more = size == MY_LONGEST;
  walk->headed = 0;
  return walk->done ? 1 : 0;
}

/* Bytes of the piece, from walk->ship on, of which at most `most` are shipped now. */
PG_INLINE unsigned my_walk_end(struct my_walk *walk, struct my_way *way, unsigned begin, unsigned most) {
  if (walk->place < walk->total && !walk->done) walk->lost = 1; /* too many packets */
  if (walk->lost) {
    my_way_lose(way);
    walk->end = walk->total;
  } else {
    way->next = begin + walk->place;
    way->known = 1;
    if (!walk->done && walk->place > walk->total) walk->end = walk->place; /* wanted to its end */
  }
  if (walk->ship >= walk->total) {
    way->keep = 0;
    return 0;
  }
  unsigned size = (walk->end < walk->total ? walk->end : walk->total) - walk->ship;
  if (size > most) size = most;
  way->keep = walk->lost ? 0 : walk->end - walk->ship - size;
  way->resume = begin + walk->ship + size;
  return size;
}

PG_INLINE unsigned char my_walk_hint(const struct my_walk *walk, struct my_way *way) {
  const unsigned char hint = way->any && !way->broken ? way->passed + 1 : 0;
  way->passed = 0;
  way->any = 0;
  way->broken = 0;
  if (walk->tls) return MY_LET_GO;
  return walk->back || !hint ? hint : (unsigned char)MY_UNCOUNTED;
}

/* --- the database in a client's answer to the greeting ------------------------------------------------------------ */

enum { MY_MOST_USER = 128, MY_MOST_DATABASE = 65 /* with its zero */ };

#endif
