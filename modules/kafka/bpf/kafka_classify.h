/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Whether bytes begin like a Kafka request (https://kafka.apache.org/protocol, "Request header"). No includes and no
 * kernel types: compiled for the kernel and, in tests, for the host.
 *
 *    0: size of what follows (4) | 4: api key (2) | 6: api version (2) | 8: correlation id (4)
 *   12: client id: length (2), -1 for none, and so many bytes of text
 *
 * Responses have a size and a correlation id only: nothing to know one by without its request.
 */
#ifndef PROBED_MOD_KAFKA_CLASSIFY_H
#define PROBED_MOD_KAFKA_CLASSIFY_H

enum {
  KFK_HEAD_BYTES = 64,
  KFK_SIZE_BYTES = 4,
  KFK_REQUEST_BYTES = 14,      /* up to the text of the client id */
  KFK_MOST_SIZE = 100 << 20,   /* default of the broker's socket.request.max.bytes */
  KFK_MOST_RESPONSE = 1 << 30, /* a fetch may bring more than a request may */
  KFK_MOST_KEY = 92,           /* of Kafka 4.1 */
  KFK_MOST_VERSION = 24,       /* the highest today is 18 */
  KFK_MOST_CLIENT_ID = 255,
  KFK_NO_TEXT = 0xffff
};
enum { KFK_HINT_PACKED = 1 };                    /* of a record: its bytes are pieces (kafka_pack.h) */
enum { KFK_NOT = 0, KFK_YES = 1, KFK_MORE = 2 }; /* the values of enum probed_verdict */

#define KFK_INLINE static inline __attribute__((always_inline))

KFK_INLINE unsigned kfk_u16(const unsigned char *bytes) { return (unsigned)bytes[0] << 8 | bytes[1]; }
KFK_INLINE unsigned kfk_u32(const unsigned char *bytes) { return kfk_u16(bytes) << 16 | kfk_u16(bytes + 2); }

KFK_INLINE int kfk_is_key(unsigned key, unsigned version) { return key <= KFK_MOST_KEY && version <= KFK_MOST_VERSION; }

/* Text of the client id, as far as it is there. 0x7f and up may be UTF-8. */
KFK_INLINE int kfk_is_text(const unsigned char *bytes, unsigned length, unsigned size) {
  for (unsigned i = 0; i < KFK_HEAD_BYTES - KFK_REQUEST_BYTES; i++) {
    if (i >= size || KFK_REQUEST_BYTES + i >= length) return 1;
    if (bytes[KFK_REQUEST_BYTES + i] < 0x20) return 0;
  }
  return 1;
}

/* `bytes`: KFK_HEAD_BYTES of memory, `length` of them mean something. A prefix of a request is KFK_MORE, so that a size
 * read on its own waits for the rest. */
KFK_INLINE int kfk_recognise(const unsigned char *bytes, unsigned length) {
  if (length > KFK_HEAD_BYTES) length = KFK_HEAD_BYTES;
  if (length >= 1 && bytes[0] > KFK_MOST_SIZE >> 24) return KFK_NOT;
  if (length < KFK_SIZE_BYTES) return KFK_MORE;
  const unsigned size = kfk_u32(bytes);
  if (size > KFK_MOST_SIZE || size + KFK_SIZE_BYTES < KFK_REQUEST_BYTES) return KFK_NOT;
  if (length >= 6 && kfk_u16(bytes + 4) > KFK_MOST_KEY) return KFK_NOT;
  if (length >= 8 && kfk_u16(bytes + 6) > KFK_MOST_VERSION) return KFK_NOT;
  if (length >= 8 && kfk_u32(bytes + 4) == 0) return KFK_NOT; /* Produce 0 is of 2012; ZooKeeper begins so */
  if (length >= 9 && bytes[8] & 0x80) return KFK_NOT;
  if (length < KFK_REQUEST_BYTES) return KFK_MORE;
  const unsigned client = kfk_u16(bytes + 12);
  if (client == KFK_NO_TEXT) return KFK_YES;
  if (client > KFK_MOST_CLIENT_ID || KFK_REQUEST_BYTES + client > size + KFK_SIZE_BYTES) return KFK_NOT;
  return kfk_is_text(bytes, length, client) ? KFK_YES : KFK_NOT;
}

#endif
