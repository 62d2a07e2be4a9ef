/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Whether bytes begin like a DNS message (RFC 1035, section 4.1.1). No includes and no kernel types: compiled for the
 * kernel and, in tests, for the host.
 *
 *    0: id | 2: QR opcode(4) AA TC RD | 3: RA Z AD CD rcode(4) | 4: questions | 6: answers | 8: authority | 10:
 * additional 12: the first question's name: labels of 1..63 bytes, each with its length in front, ended by an empty one
 */
#ifndef PROBED_MOD_DNS_CLASSIFY_H
#define PROBED_MOD_DNS_CLASSIFY_H

enum {
  DNS_HEADER_BYTES = 12,
  DNS_HEAD_BYTES = 64,
  DNS_MOST_LABELS = 16,
  DNS_MOST_RECORDS = 64,
  DNS_PREFIX_BYTES = 2,                     /* length of a message on a stream */
  DNS_LEAST_MESSAGE = DNS_HEADER_BYTES + 5, /* root name, type and class */
  DNS_LEAST_RECORD = 11,
  DNS_MOST_QUERY = 4096,
};
enum { DNS_NOT = 0, DNS_YES = 1, DNS_MORE = 2 }; /* the values of enum probed_verdict */

static inline __attribute__((always_inline)) unsigned dns_u16(const unsigned char *bytes) {
  return (unsigned)bytes[0] << 8 | bytes[1];
}

/* Of multicast DNS, which has no ids and may ask several questions at once (RFC 6762, section 18): nothing is set but
 * that known answers follow in other datagrams. */
static inline __attribute__((always_inline)) int dns_is_multicast_query(const unsigned char *header) {
  return !(header[0] | header[1] | header[3]) && !(header[2] & ~0x02);
}

/* Opcode QUERY, one question, counts that fit a query or a response. mDNS answers (RFC 6762) come without a question.
 */
static inline __attribute__((always_inline)) int dns_is_header(const unsigned char *header) {
  const int response = header[2] >> 7;
  const unsigned questions = dns_u16(header + 4);
  const unsigned answers = dns_u16(header + 6);
  const unsigned authority = dns_u16(header + 8);
  const unsigned additional = dns_u16(header + 10);
  if (header[2] & 0x78) return 0;                /* another opcode */
  if (!response && (header[3] & 0x0f)) return 0; /* a query has no rcode */
  if (header[3] & 0x40) return 0;                /* the reserved bit */
  if (!response && questions != 1 && (questions - 1 >= DNS_MOST_RECORDS || !dns_is_multicast_query(header))) return 0;
  if (response && (questions > 1 || (questions == 0 && answers == 0))) return 0;
  return answers <= DNS_MOST_RECORDS && authority <= DNS_MOST_RECORDS && additional <= DNS_MOST_RECORDS;
}

/* The name at the header's end, as far as it is there: lengths that chain up, and labels that begin with no control
 * character. By labels and not by bytes: a walk whose place is compared at every byte has too many states for 6.1. */
static inline __attribute__((always_inline)) int dns_is_name(const unsigned char *bytes, unsigned length) {
  unsigned at = DNS_HEADER_BYTES;
  for (unsigned label = 0; label < DNS_MOST_LABELS; label++) {
    if (at >= length || at >= DNS_HEAD_BYTES - 1) return 1;
    const unsigned size = bytes[at];
    if (size == 0) return 1;
    if (size > 63) return 0;
    if (at + 1 < length && bytes[at + 1] < 0x20) return 0;
    at += size + 1;
  }
  return 1;
}

/* `bytes` has DNS_HEAD_BYTES of memory, of which `length` are the message's. */
static inline __attribute__((always_inline)) int dns_is_message(const unsigned char *bytes, unsigned length) {
  if (length < DNS_LEAST_MESSAGE) return 0;
  return dns_is_header(bytes) && dns_is_name(bytes, length);
}

/* --- streams: each message has its length in front (RFC 1035, section 4.2.2) ---------------------------------------
 */

/* A stream is judged once, among all protocols there are, so more is asked of it than of a datagram: exactly one
 * question, a length that has room for the records announced, and of a query that it has nothing but the question, EDNS
 * and a signature (or, of IXFR, the zone's version). */
static inline __attribute__((always_inline)) int dns_is_stream_header(unsigned size, const unsigned char *header) {
  const unsigned answers = dns_u16(header + 6);
  const unsigned authority = dns_u16(header + 8);
  const unsigned additional = dns_u16(header + 10);
  if (size < DNS_LEAST_MESSAGE + (answers + authority + additional) * DNS_LEAST_RECORD) return 0;
  if (header[2] >> 7) return 1;
  return size <= DNS_MOST_QUERY && answers == 0 && authority <= 1 && additional <= 2;
}

/* Bytes that must be as they are whatever follows, so that other protocols are let go early. */
static inline __attribute__((always_inline)) int dns_may_be_stream(const unsigned char *bytes, unsigned length) {
  if (length >= 2 && dns_u16(bytes) < DNS_LEAST_MESSAGE) return 0;
  if (length >= 5 && (bytes[4] & 0x78)) return 0; /* another opcode */
  if (length >= 6 && (bytes[5] & 0x40)) return 0; /* the reserved bit */
  /* AA, TC, RA and rcode are of responses */
  if (length >= 6 && !(bytes[4] >> 7) && ((bytes[4] & 0x06) || (bytes[5] & 0x8f))) return 0;
  return length < 8 || dns_u16(bytes + 6) == 1;
}

/* Type and class behind the name, which ends before `at`. Without records the message ends there too. */
static inline __attribute__((always_inline)) int dns_is_tail(const unsigned char *bytes, unsigned length, unsigned at) {
  const unsigned end = dns_u16(bytes) + DNS_PREFIX_BYTES;
  if (at + 4 > end) return DNS_NOT;
  if (at + 4 != end && !(dns_u16(bytes + 8) | dns_u16(bytes + 10) | dns_u16(bytes + 12))) return DNS_NOT;
  if (at + 3 >= length) return length >= DNS_HEAD_BYTES ? DNS_YES : DNS_MORE;
  const unsigned char class_ = bytes[(at + 3) & (DNS_HEAD_BYTES - 1)];
  if (bytes[(at + 2) & (DNS_HEAD_BYTES - 1)] != 0) return DNS_NOT;
  return class_ == 1 || class_ == 3 || class_ == 4 || class_ >= 254 ? DNS_YES : DNS_NOT; /* IN, CH, HS, NONE, ANY */
}

/* Whether a stream's direction begins like a message with its length in front; the question is waited for, as far as
 * it is in the first DNS_HEAD_BYTES. `length` is at most that; nothing behind it is read. */
static inline __attribute__((always_inline)) int dns_recognise_stream(const unsigned char *bytes, unsigned length) {
  if (!dns_may_be_stream(bytes, length)) return DNS_NOT;
  if (length < DNS_PREFIX_BYTES + DNS_HEADER_BYTES) return DNS_MORE;
  if (!dns_is_stream_header(dns_u16(bytes), bytes + DNS_PREFIX_BYTES)) return DNS_NOT;
  const unsigned tail = dns_u16(bytes) + DNS_PREFIX_BYTES - 5; /* where the name ends at the latest */
  unsigned at = DNS_PREFIX_BYTES + DNS_HEADER_BYTES;
  unsigned size = 1;
  for (unsigned label = 0; label < DNS_MOST_LABELS && size; label++) {
    if (at > tail) return DNS_NOT;
    if (at >= length || at >= DNS_HEAD_BYTES) return length >= DNS_HEAD_BYTES ? DNS_YES : DNS_MORE;
    size = bytes[at];
    if (size > 63) return DNS_NOT;
    if (size && at + 1 < length && bytes[(at + 1) & (DNS_HEAD_BYTES - 1)] < 0x20) return DNS_NOT;
    at += size + 1;
  }
  return size ? DNS_YES : dns_is_tail(bytes, length, at);
}

/* Only a guess, from eight bytes: length, id, flags and questions of a message with its length in front. */
static inline __attribute__((always_inline)) int dns_begins_message(const unsigned char *word) {
  return dns_may_be_stream(word, 8);
}

#endif
