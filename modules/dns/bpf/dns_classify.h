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

enum { DNS_HEADER_BYTES = 12, DNS_HEAD_BYTES = 64, DNS_MOST_LABELS = 16, DNS_MOST_RECORDS = 64 };

static inline __attribute__((always_inline)) unsigned dns_u16(const unsigned char *bytes) {
  return (unsigned)bytes[0] << 8 | bytes[1];
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
  if (!response && questions != 1) return 0;
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
  if (length < DNS_HEADER_BYTES + 5) return 0; /* header, root name, type and class */
  return dns_is_header(bytes) && dns_is_name(bytes, length);
}

#endif
