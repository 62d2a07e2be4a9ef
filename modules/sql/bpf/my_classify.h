/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Whether bytes begin like the protocol of MySQL and MariaDB. No includes and no kernel types: compiled for the kernel
 * and for the host.
 *
 *   packet   length(3, little end first) sequence(1) payload      longest: 2^24-1, and then another one goes on with it
 *
 * The server speaks first. A command has sequence 0, its answer goes on from 1; logging in counts from the greeting on.
 */
#ifndef PROBED_MOD_SQL_MY_CLASSIFY_H
#define PROBED_MOD_SQL_MY_CLASSIFY_H

#include "modules/sql/bpf/pg_classify.h"

enum {
  MY_HEADER_BYTES = 4,
  MY_LONGEST = 0xffffff,
  MY_LEAST_LOGIN = 32, /* capabilities, longest packet, character set, filler */
  MY_MOST_GREETING = 512,
  MY_MOST_OK = 512,
  MY_MOST_LOGIN = 0xffff,
};

enum my_command {
  MY_QUIT = 0x01,
  MY_INIT_DB = 0x02,
  MY_QUERY = 0x03,
  MY_FIELD_LIST = 0x04,
  MY_STATISTICS = 0x09,
  MY_PING = 0x0e,
  MY_CHANGE_USER = 0x11,
  MY_BINLOG_DUMP = 0x12,
  MY_TABLE_DUMP = 0x13,
  MY_STMT_PREPARE = 0x16,
  MY_STMT_EXECUTE = 0x17,
  MY_STMT_SEND_LONG_DATA = 0x18,
  MY_STMT_CLOSE = 0x19,
  MY_STMT_RESET = 0x1a,
  MY_SET_OPTION = 0x1b,
  MY_STMT_FETCH = 0x1c,
  MY_BINLOG_DUMP_GTID = 0x1e,
  MY_RESET_CONNECTION = 0x1f,
  MY_STMT_BULK_EXECUTE = 0xfa, /* MariaDB */
};

/* Capabilities of a client that are looked at. */
enum my_capability {
  MY_WITH_DATABASE = 1 << 3,
  MY_COMPRESS = 1 << 5,
  MY_PROTOCOL_41 = 1 << 9,
  MY_TLS = 1 << 11,
  MY_SHORT_PROOF = 1 << 15, /* the proof of the password has a length of one byte */
  MY_LONG_PROOF = 1 << 21,  /* or of several */
  MY_SESSION_TRACK = 1 << 23,
  MY_ZSTD = 1 << 26,
  MY_QUERY_ATTRIBUTES = 1 << 27,
};

/* First bytes of answers that are no columns or rows. */
enum { MY_OK = 0x00, MY_INFILE = 0xfb, MY_EOF = 0xfe, MY_ERROR = 0xff };

/* What bytes are the beginning of; 0: of nothing that is known. */
enum my_begin { MY_GREETING = 1, MY_LOGIN = 2, MY_COMMAND = 3, MY_ANSWER = 4, MY_UNSURE = 5 /* too few bytes */ };

PG_INLINE unsigned my_u16(const unsigned char *bytes) { return (unsigned)bytes[1] << 8 | bytes[0]; }
PG_INLINE unsigned my_u24(const unsigned char *bytes) { return (unsigned)bytes[2] << 16 | my_u16(bytes); }
PG_INLINE unsigned my_u32(const unsigned char *bytes) { return my_u16(bytes + 2) << 16 | my_u16(bytes); }

/* The bytes are all of a packet of this size, or its first PG_HEAD_BYTES. */
PG_INLINE int my_is_all(unsigned size, unsigned length) {
  return size + MY_HEADER_BYTES == length || (length == PG_HEAD_BYTES && size + MY_HEADER_BYTES > length);
}

PG_INLINE int my_is_digit(unsigned char c) { return (unsigned char)(c - '0') < 10; }

/* "8.0.36", "5.5.5-10.11.6-MariaDB" */
PG_INLINE int my_is_greeting(const unsigned char *bytes, unsigned size) {
  return bytes[4] == 10 && my_is_digit(bytes[5]) && (bytes[6] == '.' || my_is_digit(bytes[6])) && size >= 40 &&
         size <= MY_MOST_GREETING;
}

/* A client's answer to the greeting: PROTOCOL_41 in its capabilities, and a filler of zeros. 2: of one inside TLS. */
PG_INLINE int my_is_login(const unsigned char *bytes, unsigned size) {
  unsigned filler = 0;
  for (unsigned i = 13; i < 32; i++) filler |= bytes[i];
  return (bytes[3] == 1 || bytes[3] == 2) && bytes[2] == 0 && size >= MY_LEAST_LOGIN && (bytes[5] & 2) && !filler;
}

/* The same without its head, which a server reads by itself, and nothing but it. */
PG_INLINE int my_is_login_body(const unsigned char *bytes, unsigned total) {
  unsigned filler = 0;
  for (unsigned i = 9; i < 28; i++) filler |= bytes[i];
  return total >= MY_LEAST_LOGIN && total <= MY_MOST_LOGIN && (bytes[1] & 2) && !filler;
}

/* A statement's text, as far as it can be seen. */
PG_INLINE int my_is_text(const unsigned char *bytes, unsigned length, unsigned at) {
  if (length < at + 3) return 0;
  if (bytes[at] == 0 && bytes[at + 1] == 1) at += 2; /* no attributes of the query */
  struct sql_masks masks;
  sql_masks_of(bytes, &masks);
  const unsigned char first = pg_at(bytes, at);
  if ((masks.odd & sql_bits(at, length)) || (masks.wide & sql_bits(at, at + 12))) return 0;
  return pg_begins_text(first) || first == '#';
}

/* A command that says enough of itself. */
PG_INLINE int my_is_command(const unsigned char *bytes, unsigned length, unsigned size) {
  if (bytes[3] != 0 || size == 0 || !my_is_all(size, length)) return 0;
  switch (bytes[4]) {
    case MY_QUERY:
    case MY_STMT_PREPARE: return size >= 3 && my_is_text(bytes, length, 5);
    case MY_STMT_EXECUTE: return size >= 10 && bytes[9] < 16 && my_u32(bytes + 10) == 1; /* flags, iterations */
    case MY_PING:
    case MY_RESET_CONNECTION: return size == 1;
    default: return 0;
  }
}

/* A first answer: a failure with its state; columns; or an OK and nothing else. */
PG_INLINE int my_is_answer(const unsigned char *bytes, unsigned length, unsigned size) {
  if (bytes[3] != 1) return 0;
  if (bytes[4] == MY_ERROR) return size >= 9 && size <= MY_MOST_OK && bytes[7] == '#' && my_is_all(size, length);
  if (size == 1 && length >= 13)
    return bytes[4] != 0 && bytes[7] == 0 && bytes[8] == 2 && bytes[9] == 3 && bytes[10] == 'd' && bytes[11] == 'e' &&
           bytes[12] == 'f';
  /* rows and number of the last one (one byte each), status of a session that commits by itself or is inside a
   * transaction, warnings */
  return bytes[4] == MY_OK && size == 7 && length == 11 && bytes[5] < 0xfb && bytes[6] == 0 && (bytes[7] & 3) &&
         (bytes[8] & 0x80) == 0 && bytes[10] == 0;
}

/* Whether more bytes could make one of the above of these. */
PG_INLINE int my_is_unsure(const unsigned char *bytes, unsigned length, unsigned size) {
  if (length == MY_HEADER_BYTES) return size >= 1 && size <= 0xffff; /* a server reads the head of a packet by itself */
  if (bytes[3] == 0 && bytes[4] == 10) return length < 7 && size <= MY_MOST_GREETING;
  if (bytes[3] == 0) {
    if ((bytes[4] != MY_QUERY && bytes[4] != MY_STMT_PREPARE) || length >= size + MY_HEADER_BYTES) return 0;
    return length < 8 || my_is_text(bytes, length, 5);
  }
  return bytes[2] == 0 && size >= MY_LEAST_LOGIN && length < MY_HEADER_BYTES + MY_LEAST_LOGIN;
}

/* `bytes` has PG_HEAD_BYTES of memory, of which `length` (at most that) are all that came of the direction. */
PG_INLINE int my_begins(const unsigned char *bytes, unsigned length) {
  if (length < MY_HEADER_BYTES) return MY_UNSURE;
  const unsigned size = my_u24(bytes);
  if (bytes[3] > 2) return 0;
  if (length >= 7 && bytes[3] == 0 && my_is_greeting(bytes, size)) return MY_GREETING;
  if (length >= MY_HEADER_BYTES + MY_LEAST_LOGIN && my_is_login(bytes, size)) return MY_LOGIN;
  if (length > MY_HEADER_BYTES && my_is_command(bytes, length, size)) return MY_COMMAND;
  if (length >= 11 && my_is_answer(bytes, length, size)) return MY_ANSWER;
  return length < PG_HEAD_BYTES && my_is_unsure(bytes, length, size) ? (int)MY_UNSURE : 0;
}

/* The values of enum probed_verdict. */
PG_INLINE int my_recognise(const unsigned char *bytes, unsigned length) {
  if (length > PG_HEAD_BYTES) length = PG_HEAD_BYTES;
  const int begin = my_begins(bytes, length);
  if (begin == MY_UNSURE) return PG_MORE;
  return begin ? PG_YES : PG_NOT;
}

#endif
