/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Whether bytes begin like PostgreSQL's protocol, version 3. No includes and no kernel types: compiled for the kernel
 * and for the host.
 *
 *   first message of a client   length(4) code(4) ...            startup, or a request for TLS, GSS or to cancel
 *   every other message         type(1) length(4) payload        the length counts itself
 *
 * The same letter may be a message of either side (E: Execute or ErrorResponse), so a connection without its beginning
 * is taken only at what tells the sides apart.
 */
#ifndef PROBED_MOD_SQL_PG_CLASSIFY_H
#define PROBED_MOD_SQL_PG_CLASSIFY_H

#include "modules/sql/bpf/head_masks.h"

enum {
  PG_HEAD_BYTES = SQL_HEAD_BYTES,
  PG_HEADER_BYTES = 5, /* type and length */
  PG_LEAST_LENGTH = 4,
  PG_MOST_STARTUP = 10000,
  PG_MOST_QUERY = 1 << 24, /* of a message that is taken for the first one */
  PG_MOST_NAME = 20,       /* of the name of a statement or portal there */
};
enum { PG_NOT = 0, PG_YES = 1, PG_MORE = 2 }; /* the values of enum probed_verdict */
enum {
  PG_CODE_3_0 = 0x00030000,
  PG_CODE_3_2 = 0x00030002,
  PG_CODE_CANCEL = 0x04d2162e, /* 1234.5678 */
  PG_CODE_SSL = 0x04d2162f,
  PG_CODE_GSS = 0x04d21630,
};

#define PG_INLINE SQL_INLINE

PG_INLINE unsigned pg_u16(const unsigned char *bytes) { return (unsigned)bytes[0] << 8 | bytes[1]; }
PG_INLINE unsigned pg_u32(const unsigned char *bytes) { return pg_u16(bytes) << 16 | pg_u16(bytes + 2); }
/* The empty assembly hides the value: a compiler that knows its range leaves out the mask, which the verifier
 * (6.1, 6.12: "R3 unbounded memory access") needs to see. */
PG_INLINE unsigned char pg_at(const unsigned char *bytes, unsigned at) {
  __asm__ volatile("" : "+r"(at));
  return bytes[at & (PG_HEAD_BYTES - 1)];
}

PG_INLINE int pg_is_letter(unsigned char c) { return (unsigned char)((c | 0x20) - 'a') < 26; }
/* What a statement's text can begin with. */
PG_INLINE int pg_begins_text(unsigned char c) {
  return pg_is_letter(c) || c == '/' || c == '-' || c == '(' || c == ' ' || c == '\n' || c == '\t' || c == '\r' ||
         c == ';';
}

/* The first message of a client. */
PG_INLINE int pg_recognise_startup(const unsigned char *bytes, unsigned length) {
  if (length >= 1 && bytes[0] != 0) return PG_NOT;
  if (length >= 2 && bytes[1] != 0) return PG_NOT;
  if (length >= 5 && bytes[4] != 0 && bytes[4] != 4) return PG_NOT;
  if (length < 9) {
    if (length < 8) return PG_MORE;
    if (pg_u32(bytes + 4) >= PG_CODE_SSL && pg_u32(bytes + 4) <= PG_CODE_GSS) return pg_u32(bytes) == 8;
    return PG_MORE;
  }
  const unsigned code = pg_u32(bytes + 4);
  const unsigned size = pg_u32(bytes);
  if (code == PG_CODE_CANCEL) return size >= 16 && size <= 512;
  if (code == PG_CODE_SSL || code == PG_CODE_GSS) return size == 8; /* what follows is another message */
  return code >= PG_CODE_3_0 && code <= PG_CODE_3_2 && size > 8 && size <= PG_MOST_STARTUP &&
         (pg_is_letter(bytes[8]) || (bytes[8] == 0 && size == 9));
}

/* A statement's text from `at` on, which ends at `end` with its only zero byte; other fields may follow the zero if
 * `open`. It begins like one, and is text as far as it can be seen. */
PG_INLINE int pg_is_statement(const unsigned char *bytes, unsigned length, unsigned at, unsigned end, int open) {
  if (at >= length) return PG_MORE;
  struct sql_masks masks;
  sql_masks_of(bytes, &masks);
  if (!open && at + 1 == end) return pg_at(bytes, at) == 0;
  if (!pg_begins_text(pg_at(bytes, at))) return PG_NOT;
  const unsigned zero = sql_first(masks.zero & sql_bits(at, length));
  const unsigned text_end = zero < length ? zero : length;
  if (masks.odd & sql_bits(at, text_end)) return PG_NOT;
  if (!open && text_end >= end) return PG_NOT;
  if (zero < length) return open ? zero + 2 < end && zero >= at + 2 : zero + 1 == end;
  return length >= PG_HEAD_BYTES || length >= at + 12 ? PG_YES : PG_MORE;
}

/* Where the zero-ended name at `at` ends, behind its zero; 0: no name. */
PG_INLINE unsigned pg_skip_name(const struct sql_masks *masks, unsigned length, unsigned at) {
  const unsigned zero = sql_first(masks->zero & sql_bits(at, length));
  if (zero >= length || zero > at + PG_MOST_NAME || ((masks->odd | masks->wide) & sql_bits(at, zero))) return 0;
  return zero + 1;
}

/* Bind: portal, statement, formats of the parameters, and as many parameters as can be. */
PG_INLINE int pg_is_bind(const unsigned char *bytes, unsigned length, unsigned size) {
  struct sql_masks masks;
  sql_masks_of(bytes, &masks);
  unsigned at = pg_skip_name(&masks, length, PG_HEADER_BYTES);
  if (at == 0) return PG_NOT;
  at = pg_skip_name(&masks, length, at);
  if (at == 0 || at + 2 > length || at + 2 > PG_HEAD_BYTES) return PG_NOT;
  const unsigned formats = (unsigned)pg_at(bytes, at) << 8 | pg_at(bytes, at + 1);
  if (formats > 8 || at + 2 + formats * 2 + 4 > size + 1) return PG_NOT;
  if (masks.high & sql_bits(at + 2, at + 2 + formats * 2)) return PG_NOT;
  at += 2 + formats * 2;
  if (at + 2 > length || at + 2 > PG_HEAD_BYTES) return PG_NOT;
  const unsigned parameters = (unsigned)pg_at(bytes, at) << 8 | pg_at(bytes, at + 1);
  if (formats > 1 && parameters != formats) return PG_NOT;
  if (parameters == 0) return size + 1 >= at + 4;
  return parameters <= 4096 && at + 2 + parameters * 4 + 2 <= size + 1 ? PG_YES : PG_NOT;
}

/* A message that only a client sends, and that says enough of itself. */
PG_INLINE int pg_recognise_front(const unsigned char *bytes, unsigned length) {
  if (length == 0) return PG_MORE;
  const unsigned char type = bytes[0];
  if (type != 'Q' && type != 'P' && type != 'B') return PG_NOT;
  if (length >= 2 && bytes[1] != 0) return PG_NOT;
  if (length < PG_HEADER_BYTES + 1) return PG_MORE;
  const unsigned size = pg_u32(bytes + 1);
  if (size < PG_LEAST_LENGTH + 1 || size > PG_MOST_QUERY) return PG_NOT;
  if (type == 'Q') return pg_is_statement(bytes, length, PG_HEADER_BYTES, size + 1, 0);
  if (size < PG_LEAST_LENGTH + 4) return PG_NOT;
  if (type == 'B') return pg_is_bind(bytes, length, size);
  struct sql_masks masks;
  sql_masks_of(bytes, &masks);
  const unsigned text = pg_skip_name(&masks, length, PG_HEADER_BYTES);
  return text == 0 ? PG_NOT : pg_is_statement(bytes, length, text, size + 1, 1);
}

/* A message that only a server sends: ReadyForQuery at the end; or the short ones that begin an answer, followed by
 * another such. */
PG_INLINE int pg_recognise_back(const unsigned char *bytes, unsigned length) {
  if (length < 11) return PG_NOT;
  const unsigned size = pg_u32(bytes + 1);
  const unsigned char next = bytes[5];
  if ((bytes[0] == '1' || bytes[0] == '2' || bytes[0] == '3') && size == PG_LEAST_LENGTH) {
    if (bytes[6] != 0) return PG_NOT;
    return next == '2' || next == 'T' || next == 'C' || next == 'D' || next == 't' || next == 'n' || next == 'Z';
  }
  if (bytes[0] != 'C' || size < 8 || size > 48 || size + 7 > length) return PG_NOT;
  /* CommandComplete and ReadyForQuery */
  const unsigned end = size + 1;
  return bytes[5] >= 'A' && bytes[5] <= 'Z' && bytes[6] >= 'A' && bytes[6] <= 'Z' && pg_at(bytes, end - 1) == 0 &&
         pg_at(bytes, end) == 'Z' && pg_at(bytes, end + 1) == 0;
}

/* `bytes` has PG_HEAD_BYTES of memory, of which `length` (at most that) are the direction's. */
PG_INLINE int pg_recognise(const unsigned char *bytes, unsigned length) {
  if (length == 0) return PG_MORE;
  if (length > PG_HEAD_BYTES) length = PG_HEAD_BYTES;
  if (bytes[0] == 0) return pg_recognise_startup(bytes, length);
  if (bytes[0] == 'Q' || bytes[0] == 'P' || bytes[0] == 'B') return pg_recognise_front(bytes, length);
  return pg_recognise_back(bytes, length);
}

#endif
