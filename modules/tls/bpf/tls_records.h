/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Records of TLS 1.0 to 1.3 (RFC 8446, section 5.1) as far as they can be told apart without keys. No includes and no
 * kernel types: compiled for the kernel, for the decoder, which must come to the same conclusions, and for tests.
 *
 *    0: type | 1: version, 03 00..04 | 3: length | 5: as many bytes
 */
#ifndef PROBED_MOD_TLS_RECORDS_H
#define PROBED_MOD_TLS_RECORDS_H

enum {
  TLS_HEADER_BYTES = 5,
  TLS_CHANGE_CIPHER_SPEC = 20,
  TLS_ALERT = 21,
  TLS_HANDSHAKE = 22,
  TLS_APPLICATION_DATA = 23,
  TLS_HEARTBEAT = 24,
  TLS_MOST_LENGTH = 16384 + 2048,
  TLS_CLIENT_HELLO = 1,
  TLS_ALERT_BYTES = 2,
  /* An encrypted Finished of TLS 1.0 to 1.2: 16 bytes, and at most an IV of 16, a MAC of 48 and 16 of padding. A hello
   * after a ChangeCipherSpec, which TLS 1.3 sends to please old middle boxes, is longer: with the session id of 32
   * bytes that goes with it, no less than 118. */
  TLS_MOST_FINISHED = 112,
};
/* Events of probes in libraries, behind the socket's cookie. */
enum tls_event {
  TLS_EVENT_CERTIFICATE = 1,    /* X.509 of the other end, as it came encrypted */
  TLS_EVENT_ALERT_RECEIVED = 2, /* one byte: its description */
  TLS_EVENT_ALERT_SENT = 3,     /* the same of two, the first being the level */
};
enum { TLS_HINT_BOUND = 1 /* hint of a record: the plaintext of the connection is seen too */ };
enum { TLS_NOT = 0, TLS_YES = 1, TLS_MORE = 2 }; /* the values of enum probed_verdict */

/* What is known of a direction. */
enum tls_flag {
  TLS_STARTED = 1,
  TLS_SPOKE = 2,    /* it sent a handshake message */
  TLS_CHANGED = 4,  /* it sent a ChangeCipherSpec */
  TLS_FINISHED = 8, /* its part of the handshake is over, or encrypted from here on */
  TLS_LOST = 16,    /* bytes are missing: where the next record begins is not known */
  TLS_CLEAR = 32,   /* the record under way is not encrypted */
};

struct tls_header {
  unsigned char type;
  unsigned short length; /* of what follows it */
};

/* `word`: the first eight bytes, the first one in the lowest place. 0: no TLS record begins like this. */
static inline __attribute__((always_inline)) int tls_read_header(unsigned long long word, struct tls_header *header) {
  const unsigned char major = (unsigned char)(word >> 8);
  const unsigned char minor = (unsigned char)(word >> 16);
  header->type = (unsigned char)word;
  header->length = (unsigned short)((word >> 24 & 0xff) << 8 | (word >> 32 & 0xff));
  if (header->type < TLS_CHANGE_CIPHER_SPEC || header->type > TLS_HEARTBEAT) return 0;
  return major == 3 && minor <= 4 && header->length > 0 && header->length <= TLS_MOST_LENGTH;
}

/* What the flags of a direction become by a record that begins in it. `other`: those of the other one. */
static inline __attribute__((always_inline)) unsigned char tls_after_header(unsigned char flags, unsigned char other,
                                                                            const struct tls_header *header) {
  const int finished = flags & TLS_CHANGED && header->length <= TLS_MOST_FINISHED;
  flags &= (unsigned char)~TLS_CLEAR;
  switch (header->type) {
    case TLS_CHANGE_CIPHER_SPEC: return flags | TLS_CHANGED | TLS_CLEAR;
    case TLS_HANDSHAKE: return flags | TLS_SPOKE | (finished ? TLS_FINISHED : TLS_CLEAR);
    case TLS_ALERT: return header->length == TLS_ALERT_BYTES ? flags | TLS_CLEAR : flags;
    case TLS_APPLICATION_DATA: return other & TLS_SPOKE ? flags | TLS_FINISHED : flags; /* else it is early data */
    default: return flags;
  }
}

static inline __attribute__((always_inline)) unsigned tls_number(const unsigned char *bytes) {
  return (unsigned)bytes[0] << 16 | (unsigned)bytes[1] << 8 | bytes[2];
}

/* What stands in front of the first certificate of a message of TLS 1.3 (RFC 8446, section 4.4.2):
 *    0: type of the message | 1: its length | 4: length of the context, 0 | 5: of the list | 8: of the certificate */
enum { TLS_CERTIFICATE_HEAD = 11, TLS_CERTIFICATE_MESSAGE = 11, TLS_LEAST_CERTIFICATE = 64 };

/* Whether the `length` bytes behind `head` are such a certificate. Behind it stands at least the length of its
 * extensions. */
static inline __attribute__((always_inline)) int tls_is_first_of_message(const unsigned char *head, unsigned length) {
  const unsigned list = tls_number(head + 5);
  return head[0] == TLS_CERTIFICATE_MESSAGE && head[4] == 0 && tls_number(head + 1) == list + 4 &&
         length >= TLS_LEAST_CERTIFICATE && tls_number(head + 8) == length && list >= length + 3 + 2;
}

/* Whether a direction begins with a ClientHello. Claimed by the record's header alone when no more is there: many
 * libraries read it by itself. `bytes` has 64 bytes of memory, of which `length` are the stream's. */
static inline __attribute__((always_inline)) int tls_recognise(const unsigned char *bytes, unsigned length) {
  if (length >= 1 && bytes[0] != TLS_HANDSHAKE) return TLS_NOT;
  if (length >= 2 && bytes[1] != 3) return TLS_NOT;
  if (length >= 3 && bytes[2] > 4) return TLS_NOT;
  if (length < TLS_HEADER_BYTES) return TLS_MORE;
  const unsigned record = (unsigned)bytes[3] << 8 | bytes[4];
  if (record < 4 || record > TLS_MOST_LENGTH) return TLS_NOT;
  if (length >= 6 && bytes[5] != TLS_CLIENT_HELLO) return TLS_NOT;
  if (length >= 7 && bytes[6] != 0) return TLS_NOT; /* of 65536 bytes and more there is none */
  if (length >= 10 && bytes[9] != 3) return TLS_NOT;
  return TLS_YES;
}

#endif
