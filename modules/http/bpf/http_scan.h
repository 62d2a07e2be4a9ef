/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Finds the end of a head, its Content-Length or chunked coding, and chunk sizes, so that bodies need not be shipped.
 * Eight bytes at a time: a head has few line ends and many other bytes. RFC 9112 sections 2.2, 6.1, 6.3, 7.1.
 */
#ifndef PROBED_HTTP_SCAN_H
#define PROBED_HTTP_SCAN_H

#include "api/sdk/bpf/probed.bpf.h"

enum {
  HTTP_SCAN_STEPS = 256 /* words and line ends */,
  HTTP_SCAN_BYTES = 1024,
  HTTP_SCAN_SLACK = 64,
  HTTP_LONGEST_LENGTH = 15
};

struct http_head {
  __u64 body;     /* Content-Length, 0 without */
  __u32 length;   /* of the head, or of what was looked at when it is not complete */
  __u32 at;       /* next byte to look at */
  __u32 line;     /* start of the line at hand */
  __u32 value_at; /* of Content-Length's value; 0: none */
  __u32 complete; /* its end was found */
  __u32 chunked;
  __u32 status;  /* of a response: the four bytes behind its version */
  __u32 doubled; /* Content-Length came twice: what the body's length is, only the decoder may say */
};

/* A chunk-size line, read in pieces: `size`, `begun` and `closed` go from one to the next. */
struct http_chunk {
  __u64 size;
  __u64 data;   /* bytes of data and its line end; of the last chunk 0 */
  __u32 line;   /* bytes of the line that were read */
  __u32 begun;  /* it has a digit */
  __u32 closed; /* its digits are over */
  __u32 whole;  /* it has ended */
};

#define HTTP_EACH_BYTE(c) (0x0101010101010101ULL * (c))

/* Index of the byte of the lowest 0x80 in a mask that has one. BPF has no such instruction; without a branch, because
 * the verifier would follow each of the eight results on its own: below that bit every byte has its lowest bit set. */
static __always_inline __u32 http_lowest(__u64 mask) {
  const __u64 below = (mask - 1) & ~mask & HTTP_EACH_BYTE(1);
  return (__u32)((below * HTTP_EACH_BYTE(1)) >> 56) - 1;
}

/* 0x80 in each byte of `word` that is `c`; bytes above the lowest hit may be wrong, so hits are taken from below. */
static __always_inline __u64 http_match(__u64 word, __u8 c) {
  const __u64 x = word ^ HTTP_EACH_BYTE(c);
  return (x - HTTP_EACH_BYTE(1)) & ~x & HTTP_EACH_BYTE(0x80);
}

static __always_inline __u64 http_word(const __u8 *data, __u64 at) {
  return *(const __u64 *)(data + pb_clamp(at, HTTP_SCAN_BYTES)); /* unaligned on purpose: one load, not eight */
}

static __always_inline __u64 http_decimal(const __u8 *data, __u64 at) {
  __u64 value = 0;
  for (__u32 i = 0; i < HTTP_LONGEST_LENGTH + 1; i++) {
    const __u8 c = data[pb_clamp(at + i, HTTP_SCAN_BYTES)];
    if (c == ' ' || c == '\t') continue;
    if (c < '0' || c > '9') break;
    value = value * 10 + (c - '0');
  }
  return value;
}

/* What is scanned: room for the longest head looked at, and for a word that begins at its end. */
struct http_window {
  __u8 bytes[HTTP_SCAN_BYTES + HTTP_SCAN_SLACK];
};

/* 204 and 304 have no body, whatever they say of its length (RFC 9112 section 6.3). */
static __always_inline bool http_is_bodiless(const __u8 *data) {
  const __u32 status = *(const __u32 *)(data + 8); /* a space and three digits */
  return (status == 0x34303220 || status == 0x34303320) && http_begins_response(*(const __u64 *)data);
}

/* Looks at the name of the header line at `line`, compared in lower case. */
static __always_inline void http_read_line(const __u8 *data, __u64 line, struct http_head *head) {
  const __u64 lower = HTTP_EACH_BYTE(0x20);
  const __u64 first = http_word(data, line) | lower;
  if (first == 0x2d746e65746e6f63ULL /* content- */) {
    const __u64 second = http_word(data, line + 8) | lower;
    if ((second & 0x00ffffffffffffffULL) != 0x3a6874676e656cULL /* length: */) return;
    if (head->value_at) head->doubled = 1;
    head->value_at = (__u32)line + 15;
  } else if (first == 0x726566736e617274ULL /* transfer */) {
    const __u64 second = http_word(data, line + 8) | lower;
    const __u64 third = http_word(data, line + 16) | lower;
    if (second == 0x6e69646f636e652dULL /* -encodin */ && (third & 0xffff) == 0x3a67 /* g: */) head->chunked = 1;
  }
}

/* The walk over a head. Its positions live in `head`, which is not this function's stack: values on the stack are
 * followed by the verifier step by step, and 256 steps are too many (docs/verifier_cookbook.md#loops). */
struct http_walk {
  const __u8 *data;
  struct http_head *head;
};

/* One step: eight bytes without a line end, or up to the next line end. */
static long http_step(__u32 index, struct http_walk *walk) {
  struct http_head *head = walk->head;
  const __u32 from = head->at;
  const __u64 hits = http_match(http_word(walk->data, from), '\n');
  const __u32 at = from + (hits ? http_lowest(hits) : 8);
  if (at >= head->length) return 1;
  head->at = at + (hits != 0);
  if (!hits) return 0;
  const __u32 line = head->line;
  head->line = at + 1;
  if (at - line <= 1) {
    head->complete = 1;
    return 1;
  }
  if (line) http_read_line(walk->data, line, head);
  return 0;
}

/* Scans head->length bytes up to the first empty line; then head->length is that of the head. A global function: the
 * verifier checks it once, not once per path that leads here (docs/verifier_cookbook.md#global-functions). */
__noinline int http_scan(const struct http_window *window, struct http_head *head) {
  if (!window || !head) return 0;
  struct http_walk walk = {.data = window->bytes, .head = head};
  bpf_loop(HTTP_SCAN_STEPS, http_step, &walk, 0);
  if (!head->complete) return 0;
  head->length = head->line;
  if (head->value_at && !head->chunked && !head->doubled && !http_is_bodiless(window->bytes))
    head->body = http_decimal(window->bytes, head->value_at);
  return 1;
}

/* What a record of a head stands for: the whole message as far as this segment has it. */
static __always_inline __u32 http_message_bytes(const struct http_head *head, __u32 rest) {
  const __u64 message = head->length + head->body;
  return message < rest ? (__u32)message : rest;
}

#define HTTP_SHIP_HEAD(segment, skip, most, flags, head, room, copy_call)             \
  do {                                                                                \
    struct {                                                                          \
      struct pb_record record;                                                        \
      __u8 data[room];                                                                \
    } *reserved = bpf_ringbuf_reserve((segment)->ring, sizeof(*reserved), 0);         \
    if (!reserved) return PROBED_FULL;                                                \
    (head)->length = (__u32)(copy_call);                                              \
    if (!(head)->length) {                                                            \
      bpf_ringbuf_discard(reserved, 0);                                               \
      return PROBED_FAULT;                                                            \
    }                                                                                 \
    (head)->status = *(const __u32 *)(reserved->data + 8);                            \
    http_scan((const struct http_window *)reserved->data, head);                      \
    const __u32 total = http_message_bytes(head, (segment)->at.total - (skip));       \
    const __u32 shipped = (head)->length < (most) ? (head)->length : (most);          \
    probed_record_finish(segment, &reserved->record, skip, shipped, total, flags, 0); \
    return PROBED_SHIPPED;                                                            \
  } while (0)

/* Ships the head that begins at `skip`, at most `most` bytes of it, and tells what follows it. Incomplete: that goes
 * for the first HTTP_SCAN_BYTES of it. */
static __always_inline int http_ship_head(struct probed_segment *segment, __u32 skip, __u32 most, __u8 flags,
                                          struct http_head *head) {
  const __u32 rest = segment->at.total - skip;
  const __u32 want = rest < HTTP_SCAN_BYTES ? rest : HTTP_SCAN_BYTES;
  if (segment->at.buffer->segments)
    HTTP_SHIP_HEAD(segment, skip, most, flags, head, 2 * HTTP_SCAN_BYTES,
                   pb_copy_vector_1024((struct pb_room_1024 *)reserved->data, segment->at.buffer, skip, want));
  HTTP_SHIP_HEAD(segment, skip, most, flags, head, HTTP_SCAN_BYTES + HTTP_SCAN_SLACK,
                 pb_copy_plain(reserved->data, HTTP_SCAN_BYTES, segment->at.buffer, skip, want));
}

static __always_inline int http_hex(__u8 c) {
  if (c >= '0' && c <= '9') return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static __always_inline bool http_ends_digits(__u8 c) {
  return c == '\r' || c == '\n' || c == ';' || c == ' ' || c == '\t';
}

/* Reads up to 16 bytes of the chunk-size line at `skip`. False: it is no such line. */
__noinline int http_read_chunk(const struct pb_buffer *buffer, __u32 skip, __u32 rest, struct http_chunk *chunk) {
  if (!buffer || !chunk) return false;
  __u8 line[16];
  const __u64 low = pb_peek8(buffer, skip, rest);
  const __u64 high = rest > 8 ? pb_peek8(buffer, skip + 8, rest - 8) : 0;
  __builtin_memcpy(line, &low, 8);
  __builtin_memcpy(line + 8, &high, 8);
  __u64 size = chunk->size;
  bool begun = chunk->begun, closed = chunk->closed, whole = false;
  __u32 i = 0;
  for (; i < 16 && i < rest && !whole; i++) {
    const int digit = http_hex(line[i]);
    if (digit < 0 && !closed && (!begun || !http_ends_digits(line[i]))) return false;
    if (digit < 0) closed = true;
    if (!closed) {
      begun = true;
      size = size << 4 | (__u64)digit;
    }
    whole = line[i] == '\n';
  }
  chunk->size = size;
  chunk->begun = begun;
  chunk->closed = closed;
  chunk->whole = whole;
  chunk->line = i;
  chunk->data = size ? size + 2 : 0;
  return true;
}

#endif
