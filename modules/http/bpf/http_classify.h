/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Does a run of bytes begin like HTTP/1? Pure functions without kernel calls: also compiled on the host for tests.
 * RFC 9112 section 3 (request line), section 4 (status line); methods are tokens of RFC 9110 section 5.6.2.
 */
#ifndef PROBED_HTTP_CLASSIFY_H
#define PROBED_HTTP_CLASSIFY_H

enum { HTTP_NOT = 0, HTTP_YES = 1, HTTP_MORE = 2 }; /* the values of enum probed_verdict */
enum { HTTP_LONGEST_METHOD = 24, HTTP_HEAD_MASK = 63 };
enum { HTTP_END_OF_HEAD = 0x0a0d0a0d };

/* "HTTP/1." as the low seven bytes of a little-endian word. */
#define HTTP_RESPONSE_WORD 0x2e312f50545448ULL

static __always_inline bool http_begins_response(__u64 word) {
  return (word & 0xffffffffffffffULL) == HTTP_RESPONSE_WORD;
}

/* The four bytes behind "HTTP/1.1": both sides go on with another protocol. */
enum { HTTP_SWITCH_WORD = 0x31303120 /* " 101" */ };

#define HTTP_CONNECT_WORD 0x205443454e4e4f43ULL /* "CONNECT " */

/* "GET " or "HEAD ": a request whose head is all of it. */
static __always_inline bool http_has_no_body(__u64 word) {
  return (__u32)word == 0x20544547 || (word & 0xffffffffffULL) == 0x2044414548ULL;
}

static __always_inline bool http_is_method_byte(__u8 c) { return (c >= 'A' && c <= 'Z') || c == '-' || c == '_'; }

/* Only a cheap guess for the bytes a known HTTP stream goes on with; the decoder decides. */
static __always_inline bool http_begins_message(__u64 word, bool request) {
  if (!request) return http_begins_response(word);
  return http_is_method_byte((__u8)word) && http_is_method_byte((__u8)(word >> 8));
}

static __always_inline bool http_is_target_byte(__u8 c) {
  return c == '/' || c == '*' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '[';
}

/* Whether "HTTP/1" stands at `at`, as far as the bytes reach. */
static __always_inline int http_version_at(const __u8 *bytes, __u32 length, __u32 at) {
  const __u8 version[6] = {'H', 'T', 'T', 'P', '/', '1'};
  for (__u32 i = 0; i < sizeof(version); i++) {
    if (at + i >= length) return length > HTTP_HEAD_MASK ? HTTP_YES : HTTP_MORE;
    if (bytes[(at + i) & HTTP_HEAD_MASK] != version[i]) return HTTP_NOT;
  }
  return HTTP_YES;
}

static __always_inline int http_recognise_response(const __u8 *bytes, __u32 length) {
  const __u8 begin[7] = {'H', 'T', 'T', 'P', '/', '1', '.'};
  for (__u32 i = 0; i < sizeof(begin); i++) {
    if (i >= length) return HTTP_MORE;
    if (bytes[i] != begin[i]) return HTTP_NOT;
  }
  return HTTP_YES;
}

/* A method of two or more capitals, a space, a target of printable bytes, a space, the version: one pass, one state, so
 * that the verifier walks it once (docs/verifier_cookbook.md#one-pass). */
static __always_inline int http_recognise_request(const __u8 *bytes, __u32 length) {
  enum { METHOD, TARGET_BEGIN, TARGET } state = METHOD;
  for (__u32 i = 0; i <= HTTP_HEAD_MASK; i++) {
    if (i >= length) return HTTP_MORE;
    const __u8 c = bytes[i];
    if (state == METHOD) {
      if (http_is_method_byte(c) && i < HTTP_LONGEST_METHOD) continue;
      if (c != ' ' || i < 2) return HTTP_NOT;
      state = TARGET_BEGIN;
    } else if (state == TARGET_BEGIN) {
      if (!http_is_target_byte(c)) return HTTP_NOT;
      state = TARGET;
    } else if (c == ' ') {
      return http_version_at(bytes, length, i + 1);
    } else if (c < ' ' || c >= 0x7f) {
      return HTTP_NOT;
    }
  }
  return HTTP_YES; /* 64 bytes of method and target */
}

/* `bytes` has 64 bytes of memory, `length` of them mean something. */
static __always_inline int http_recognise(const __u8 *bytes, __u32 length) {
  if (length == 0) return HTTP_MORE;
  const int response = http_recognise_response(bytes, length);
  return response != HTTP_NOT ? response : http_recognise_request(bytes, length);
}

#endif
