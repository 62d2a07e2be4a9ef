/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * HTTP/2 frame heads (RFC 9113 section 4.1): their fields, which payloads leave the kernel, and whether bytes begin
 * like HTTP/2. No includes and no kernel calls: compiled for the kernel, for the decoder and for tests.
 *
 *   +-----------------------------------------------+
 *   |                 Length (24)                   |
 *   +---------------+---------------+---------------+
 *   |   Type (8)    |   Flags (8)   |
 *   +-+-------------+---------------+-------------------------------+
 *   |R|                 Stream Identifier (31)                      |
 *   +=+=============================================================+
 */
#ifndef PROBED_GRPC_H2_FRAMES_H
#define PROBED_GRPC_H2_FRAMES_H

#define H2_INLINE static inline __attribute__((always_inline))

enum {
  H2_HEAD_BYTES = 9,
  H2_PREFACE_BYTES = 24,
  H2_SEEN_BYTES = 16,         /* h2_recognise_frame looks at no more */
  H2_DEFAULT_PAYLOAD = 16384, /* SETTINGS_MAX_FRAME_SIZE before anybody raises it */
  H2_MESSAGE_PREFIX = 5       /* of a gRPC message: compressed flag, length */
};

enum h2_type {
  H2_DATA = 0,
  H2_HEADERS = 1,
  H2_PRIORITY = 2,
  H2_RST_STREAM = 3,
  H2_SETTINGS = 4,
  H2_PUSH_PROMISE = 5,
  H2_PING = 6,
  H2_GOAWAY = 7,
  H2_WINDOW_UPDATE = 8,
  H2_CONTINUATION = 9
};

enum { H2_END_STREAM = 0x1, H2_ACK = 0x1, H2_END_HEADERS = 0x4, H2_PADDED = 0x8, H2_HAS_PRIORITY = 0x20 };

/* What the kernel program notes in a record's hint. */
enum h2_hint {
  H2_HINT_ALIGNED = 1, /* the record begins where a frame begins */
  H2_HINT_PACKED = 2,  /* payloads that h2_keeps_payload does not name were left out of the bytes */
  H2_HINT_TAILS = 4 /* but not those of DATA frames that end their stream and are short (gRPC-Web's status is there) */
};
enum { H2_TAIL_BYTES = 128 };

/* First byte of the module's values in the kernel settings. */
enum h2_setting { H2_SHIP_HEADS = 0, H2_SHIP_DATA = 1 };

/* DATA is as long as the traffic; PRIORITY, PING, WINDOW_UPDATE and unknown frames tell the decoder nothing. */
H2_INLINE int h2_keeps_payload(unsigned type) {
  return type <= H2_CONTINUATION && ((1U << type) & (1U << H2_HEADERS | 1U << H2_RST_STREAM | 1U << H2_SETTINGS |
                                                     1U << H2_PUSH_PROMISE | 1U << H2_GOAWAY | 1U << H2_CONTINUATION));
}

/* --- recognition --------------------------------------------------------------------------------------------------
 * Strict, because nobody asks again: the first bytes of a connection, or of the first segment seen of an older one. */

enum { H2_NOT = 0, H2_YES = 1, H2_MORE = 2 }; /* the values of enum probed_verdict */

H2_INLINE unsigned h2_u32(const unsigned char *bytes) {
  return (unsigned)bytes[0] << 24 | (unsigned)bytes[1] << 16 | (unsigned)bytes[2] << 8 | bytes[3];
}

/* "PRI * HTTP/2.0" and two empty lines around "SM" (RFC 9113 section 3.4). */
H2_INLINE int h2_recognise_preface(const unsigned char *bytes, unsigned length) {
  const unsigned char preface[H2_PREFACE_BYTES] = {'P', 'R', 'I',  ' ',  '*',  ' ',  'H', 'T', 'T',  'P',  '/',  '2',
                                                   '.', '0', '\r', '\n', '\r', '\n', 'S', 'M', '\r', '\n', '\r', '\n'};
  for (unsigned i = 0; i < H2_PREFACE_BYTES; i++) {
    if (i >= length) return H2_MORE;
    if (bytes[i] != preface[i]) return H2_NOT;
  }
  return H2_YES;
}

/* The first byte of a header block: a field that peers begin a block with. Indexed fields of the static table's pseudo
 * headers or of the dynamic table, literals named by a pseudo header or by a new name, a change of the table's size. */
H2_INLINE int h2_begins_block(unsigned char byte) {
  if (byte >= 0x81 && byte <= 0x8e) return 1;
  if (byte >= 0xbe) return 1;
  if (byte >= 0x40 && byte <= 0x4e) return 1;
  return byte == 0x7f || (byte >= 0x20 && byte <= 0x3f) || (byte & 0xef) <= 0x0e;
}

/* A frame of a stream that only says something together with its payload's first bytes. */
H2_INLINE int h2_recognise_stream_frame(const unsigned char *bytes, unsigned length, unsigned size, unsigned stream) {
  const unsigned flags = bytes[4];
  if (stream == 0 || stream >> 24 || size == 0 || size > H2_DEFAULT_PAYLOAD) return H2_NOT;
  if (bytes[3] == H2_HEADERS) {
    if ((flags & ~(unsigned)(H2_END_STREAM | H2_END_HEADERS | H2_HAS_PRIORITY)) || !(stream & 1)) return H2_NOT;
    const unsigned at = H2_HEAD_BYTES + (flags & H2_HAS_PRIORITY ? 5 : 0);
    if (size <= at - H2_HEAD_BYTES) return H2_NOT;
    if (length <= at) return H2_MORE;
    if ((flags & H2_HAS_PRIORITY) && h2_u32(bytes + H2_HEAD_BYTES) << 1 >> 25) return H2_NOT;
    return h2_begins_block(bytes[at & (H2_SEEN_BYTES - 1)]);
  }
  /* DATA that is exactly one gRPC message: other contents look like nothing. */
  if (bytes[3] != H2_DATA || (flags & ~(unsigned)H2_END_STREAM) || !(stream & 1)) return H2_NOT;
  if (size < H2_MESSAGE_PREFIX) return H2_NOT;
  if (length < H2_HEAD_BYTES + H2_MESSAGE_PREFIX) return H2_MORE;
  return bytes[9] <= 1 && h2_u32(bytes + 10) == size - H2_MESSAGE_PREFIX;
}

/* A frame about the connection, or one of fixed size: nearly all of its bytes are given. */
H2_INLINE int h2_recognise_fixed_frame(const unsigned char *bytes, unsigned length, unsigned size, unsigned stream) {
  const unsigned flags = bytes[4];
  switch (bytes[3]) {
    case H2_SETTINGS:
      if (stream) return H2_NOT;
      if (flags == H2_ACK) return size == 0;
      if (flags || size % 6 || size > 96) return H2_NOT;
      if (size == 0) return H2_YES;
      if (length < H2_HEAD_BYTES + 2) return H2_MORE;
      /* Identifiers are small, but for GREASE and gRPC's own 0xfe03. */
      return bytes[9] == 0 ? bytes[10] <= 16 : bytes[9] == 0xfe || (bytes[9] & 0x0f) == 0x0a;
    case H2_PING: return size == 8 && stream == 0 && (flags & ~(unsigned)H2_ACK) == 0;
    case H2_GOAWAY: return size >= 8 && size <= 1024 && stream == 0 && flags == 0;
    case H2_RST_STREAM:
    case H2_WINDOW_UPDATE:
      if (size != 4 || flags || (bytes[3] == H2_RST_STREAM && !stream)) return H2_NOT;
      if (length < H2_HEAD_BYTES + 4) return H2_MORE;
      if (bytes[3] == H2_RST_STREAM) return h2_u32(bytes + H2_HEAD_BYTES) <= 0xd;
      return h2_u32(bytes + H2_HEAD_BYTES) != 0 && !(bytes[9] & 0x80);
    default: return H2_NOT;
  }
}

/* Whether `bytes` (memory of H2_SEEN_BYTES at least, `length` of them mean something) begin with a frame. */
H2_INLINE int h2_recognise_frame(const unsigned char *bytes, unsigned length) {
  if (length == 0) return H2_MORE;
  if (bytes[0]) return H2_NOT;
  if (length >= 4 && (bytes[3] > H2_WINDOW_UPDATE || bytes[3] == H2_PRIORITY || bytes[3] == H2_PUSH_PROMISE))
    return H2_NOT;
  if (length < H2_HEAD_BYTES) return H2_MORE;
  const unsigned size = (unsigned)bytes[1] << 8 | bytes[2];
  const unsigned stream = h2_u32(bytes + 5);
  if (stream >> 31) return H2_NOT;
  if (bytes[3] <= H2_HEADERS) return h2_recognise_stream_frame(bytes, length, size, stream);
  return h2_recognise_fixed_frame(bytes, length, size, stream);
}

H2_INLINE int h2_recognise(const unsigned char *bytes, unsigned length) {
  const int preface = h2_recognise_preface(bytes, length);
  return preface != H2_NOT ? preface : h2_recognise_frame(bytes, length);
}

#endif
