/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Kernel side of the TLS module. Of the raw layer it follows the records of a connection until the handshake is over:
 * what is sent in the clear (handshake messages, ChangeCipherSpec, alerts) is shipped whole, of encrypted records the
 * header, and nothing at all once both directions have finished. Plaintext is taken at the functions of OpenSSL's
 * interface and handed to whoever speaks its protocol; nothing of it is shipped here.
 */
#include "api/sdk/bpf/probed.bpf.h"
#include "modules/tls/bpf/tls_records.h"

PROBED_MODULE();

PROBED_CLASSIFY(tls) { return tls_recognise(head->bytes, head->length); }

enum {
  TLS_RECORDS_PER_RUN = 64,
  TLS_MOST_PIECE = 16384, /* bytes of one record of the ring */
};

struct tls_direction {
  __u64 next;    /* offset at which the next record's header begins, or goes on */
  __u32 partial; /* its first bytes, when it does */
  __u8 held;     /* how many */
  __u8 flags;    /* enum tls_flag */
  __u8 reserved[2];
};

/* This module's memory per stream. */
struct tls_stream {
  struct tls_direction directions[2];
  __u64 resume; /* where the program goes on in a segment that it did not get through at once */
};

/* What one run ships: [from, clear), and says that it stands for [from, at). Offsets of the stream. */
struct tls_walk {
  __u64 begin; /* of the segment */
  __u64 end;
  __u64 from;
  __u64 clear;
  __u64 at;
  __u8 other; /* flags of the other direction */
  __u8 over;  /* nothing more of this segment */
};

/* The same, with what is walked. */
struct tls_walking {
  struct tls_walk *walk;
  struct tls_direction *d;
  const struct pb_buffer *buffer;
};

/* The header at walk->at, or as much of it as there is. */
static __always_inline void tls_take_header(const struct tls_walking *walking) {
  struct tls_walk *walk = walking->walk;
  struct tls_direction *d = walking->d;
  const __u64 rest = walk->end - walk->at;
  const __u32 held = d->held & 7;
  const __u32 missing = TLS_HEADER_BYTES - held;
  const __u64 word = pb_peek8(walking->buffer, walk->at - walk->begin, rest) << (8 * held) | d->partial;
  if (rest < missing) {
    d->partial = (__u32)word;
    d->held = (__u8)(held + rest);
    d->next = walk->at = walk->clear = walk->end;
    return;
  }
  struct tls_header header;
  d->held = 0;
  d->partial = 0;
  if (!tls_read_header(word, &header)) {
    d->flags |= TLS_LOST;
    walk->over = 1;
    return;
  }
  d->flags = tls_after_header(d->flags, walk->other, &header);
  walk->at += missing;
  walk->clear = walk->at;
  d->next = walk->at + header.length;
}

/* The bytes of the record under way. 1: what is to be shipped is together. */
static __always_inline int tls_take_bytes(struct tls_walk *walk, const struct tls_direction *d) {
  walk->at = d->next < walk->end ? d->next : walk->end;
  if (!(d->flags & TLS_CLEAR)) {
    if (walk->clear > walk->from) return 1;
    walk->from = walk->clear = walk->at;
    return 0;
  }
  if (walk->at - walk->from > TLS_MOST_PIECE) walk->at = walk->from + TLS_MOST_PIECE;
  walk->clear = walk->at;
  return walk->at - walk->from >= TLS_MOST_PIECE;
}

/* A header and what follows it. */
static long tls_step(__u32 index, struct tls_walking *walking) {
  struct tls_walk *walk = walking->walk;
  const struct tls_direction *d = walking->d;
  if (walk->over || walk->at >= walk->end) return 1;
  if (d->next <= walk->at) tls_take_header(walking);
  if (d->flags & (TLS_LOST | TLS_FINISHED)) walk->over = 1;
  if (walk->over || walk->at >= walk->end) return 1;
  return tls_take_bytes(walk, d);
}

/* Global: what it comes to is one state to the verifier, not one per path (docs/verifier_cookbook.md#global-functions).
 */
__noinline int tls_walk_on(struct tls_walk *walk, struct tls_direction *d, const struct pb_buffer *buffer) {
  if (!walk || !d || !buffer) return 0;
  struct tls_walking walking = {.walk = walk, .d = d, .buffer = buffer};
  bpf_loop(TLS_RECORDS_PER_RUN, tls_step, &walking, 0);
  return 0;
}

/* False: bytes are missing, those at hand or some before them. */
static __always_inline bool tls_begin(struct probed_segment *segment, struct tls_direction *d, __u64 begin) {
  if (!(d->flags & TLS_STARTED)) {
    d->flags |= TLS_STARTED;
    d->next = begin;
  }
  return d->next >= begin && probed_readable(segment);
}

PROBED_SEGMENT(tls) {
  struct tls_stream *stream = probed_scratch(segment);
  const __u32 direction = probed_direction(segment) & 1;
  struct tls_direction *d = &stream->directions[direction];
  const __u64 begin = probed_offset(segment);
  const __u64 end = begin + probed_total(segment);
  const __u64 at = stream->resume > begin && stream->resume < end ? stream->resume : begin;
  stream->resume = 0;
  if (d->flags & (TLS_FINISHED | TLS_LOST)) return PROBED_SKIPPED;
  if (!tls_begin(segment, d, at)) { /* the decoder is to know */
    d->flags |= TLS_LOST;
    return probed_ship(segment, 0, 0, 0, 0, 0);
  }
  struct tls_walk walk = {
      .begin = begin, .end = end, .from = at, .at = at, .clear = at, .other = stream->directions[direction ^ 1].flags};
  tls_walk_on(&walk, d, segment->at.buffer);
  if (d->flags & TLS_LOST || walk.clear == walk.from) return PROBED_SKIPPED;
  const int outcome = probed_ship(segment, (__u32)(walk.from - begin), (__u32)(walk.clear - walk.from),
                                  (__u32)(walk.at - walk.from), direction == PB_SENT ? PROBED_SHIP_CAUSE : 0,
                                  probed_plaintext_is_bound(segment) ? TLS_HINT_BOUND : 0);
  if (outcome != PROBED_SHIPPED || walk.over || walk.at >= end) return outcome;
  stream->resume = walk.at;
  return PROBED_AGAIN;
}

/* --- plaintext ---------------------------------------------------------------------------------------------------- */

/* int SSL_read(SSL *, void *, int), int SSL_write(SSL *, const void *, int); those of GnuTLS likewise */
PROBED_UPROBE(tls_enter) {
  return probed_plaintext_begin(probed_argument(registers, 1), probed_argument(registers, 2), PB_BIND_TLS);
}

PROBED_UPROBE(tls_read) {
  return probed_plaintext_commit(probe, registers, PB_RECEIVED, (int)probed_result(registers));
}

PROBED_UPROBE(tls_wrote) { return probed_plaintext_commit(probe, registers, PB_SENT, (int)probed_result(registers)); }

/* The same at the cheap places of attach.cc (sites.h). A negative size never comes to the other one. */
PROBED_UPROBE(tls_enter_at) {
  if ((int)probed_argument(registers, 3) < 0) return PROBED_SKIPPED;
  return probed_plaintext_begin(probed_argument(registers, 1), probed_argument(registers, 2), PB_BIND_TLS);
}

/* What the call that just came back has written, if it succeeded. */
static __always_inline int tls_count_at(struct pt_regs *registers) {
  __u64 count = 0;
  if ((int)probed_result(registers) <= 0) return 0;
  if (bpf_probe_read_user(&count, sizeof(count), (void *)probed_stack(registers))) return 0;
  return (int)count;
}

PROBED_UPROBE(tls_read_at) { return probed_plaintext_commit(probe, registers, PB_RECEIVED, tls_count_at(registers)); }

PROBED_UPROBE(tls_wrote_at) { return probed_plaintext_commit(probe, registers, PB_SENT, tls_count_at(registers)); }

/* int SSL_read_ex(SSL *, void *, size_t, size_t *), int SSL_write_ex(SSL *, const void *, size_t, size_t *) */
PROBED_UPROBE(tls_enter_ex) {
  return probed_plaintext_begin_counted(probed_argument(registers, 1), probed_argument(registers, 2),
                                        probed_argument(registers, 4), PB_BIND_TLS);
}

PROBED_UPROBE(tls_read_ex) {
  return probed_plaintext_commit_counted(probe, registers, PB_RECEIVED, (int)probed_result(registers) > 0);
}

PROBED_UPROBE(tls_wrote_ex) {
  return probed_plaintext_commit_counted(probe, registers, PB_SENT, (int)probed_result(registers) > 0);
}

/* int SSL_do_handshake(SSL *): where a connection's first socket calls are made, and its cause is still known. Also
 * ssize_t SSL_sendfile(SSL *, int, off_t, size_t, int): the bytes are not in user memory. */
PROBED_UPROBE(tls_enter_blind) { return probed_plaintext_begin(probed_argument(registers, 1), 0, PB_BIND_TLS); }

PROBED_UPROBE(tls_shook_hands) { return probed_plaintext_end(); }

/* int BIO_write(BIO *, const void *, int): where the library puts what is to be sent. Into memory, if the program sends
 * it itself. */
PROBED_UPROBE(tls_seal) {
  return probed_plaintext_sealed(probe, probed_argument(registers, 2), (int)probed_argument(registers, 3));
}

/* --- what TLS 1.3 encrypts ---------------------------------------------------------------------------------------- */

/* A certificate that a handshake of `object` hands to a parser. Others are parsed there as well, those that are trusted
 * say, so it is told only if it stands where the other end's stands: in a message. */
static __always_inline int tls_tell_certificate(struct probed_uprobe *probe, __u64 object, __u64 address,
                                                __u64 length) {
  unsigned char head[TLS_CERTIFICATE_HEAD + 1];
  if (!object || length > PROBED_EVENT_MAX) return PROBED_SKIPPED;
  if (bpf_probe_read_user(head, TLS_CERTIFICATE_HEAD, (void *)(address - TLS_CERTIFICATE_HEAD))) return PROBED_SKIPPED;
  if (!tls_is_first_of_message(head, (__u32)length)) return PROBED_SKIPPED;
  return probed_ship_about(probe, object, TLS_EVENT_CERTIFICATE, address, (__u32)length);
}

/* X509 *d2i_X509(X509 **, const unsigned char **, long) */
PROBED_UPROBE(tls_certificate) {
  const __u64 object = probed_plaintext_object();
  __u64 address = 0;
  if (!object || bpf_probe_read_user(&address, sizeof(address), (void *)probed_argument(registers, 2)))
    return PROBED_SKIPPED;
  return tls_tell_certificate(probe, object, address, probed_argument(registers, 3));
}

enum { TLS_OPENSSL_LIBRARY = 20, TLS_OPENSSL_ALERTS = 1000 };

/* void ERR_vset_error(int library, int reason, ...): a fatal alert that came is a reason of its own. */
PROBED_UPROBE(tls_error) {
  const __u32 alert = (__u32)probed_argument(registers, 2) - TLS_OPENSSL_ALERTS;
  const __u64 object = probed_plaintext_object();
  if (!object || (int)probed_argument(registers, 1) != TLS_OPENSSL_LIBRARY || alert > 255) return PROBED_SKIPPED;
  const __u8 description = (__u8)alert;
  return probed_ship_about_own(probe, object, TLS_EVENT_ALERT_RECEIVED, &description, sizeof(description));
}

/* --- Go: crypto/tls ----------------------------------------------------------------------------------------------- */

/* Go: runtime.g begins with the bounds of the goroutine's stack, [low, high). */
struct tls_go_stack {
  __u64 low;
  __u64 high;
};

/* A goroutine's stack may be copied to another place while a call waits; what lies on it keeps its distance from the
 * end. */
static __always_inline __u64 tls_go_stack_end(__u64 goroutine, struct tls_go_stack *stack) {
  if (bpf_probe_read_user(stack, sizeof(*stack), (const void *)goroutine)) stack->low = stack->high = 0;
  return stack->high;
}

/* func (c *Conn) Read(b []byte) (int, error) */
PROBED_UPROBE(tls_go_enter) {
  if (!probed_go_has_room(registers)) return PROBED_SKIPPED;
  const __u64 goroutine = probed_goroutine(registers);
  const __u64 address = probed_go_word(registers, 2);
  struct tls_go_stack stack;
  tls_go_stack_end(goroutine, &stack);
  const bool on_stack = address >= stack.low && address < stack.high;
  return probed_context_begin(probe, goroutine, probed_go_word(registers, 1), address, on_stack ? stack.high : 0,
                              PB_BIND_TLS);
}

PROBED_UPROBE(tls_go_read) {
  const __u64 goroutine = probed_goroutine(registers);
  struct tls_go_stack stack;
  return probed_context_commit(probe, registers, goroutine, tls_go_stack_end(goroutine, &stack), PB_RECEIVED,
                               (int)probed_go_word(registers, 1));
}

/* func (c *Conn) writeRecordLocked(typ recordType, data []byte) (int, error): what Write gives to be encrypted, in the
 * order in which it is sent. */
PROBED_UPROBE(tls_go_write) {
  if (!probed_go_has_room(registers)) return PROBED_SKIPPED;
  const __u8 type = (__u8)probed_go_word(registers, 2);
  if (type == TLS_ALERT)
    return probed_ship_about(probe, probed_go_word(registers, 1), TLS_EVENT_ALERT_SENT, probed_go_word(registers, 3),
                             TLS_ALERT_BYTES);
  if (type != TLS_APPLICATION_DATA) return PROBED_SKIPPED;
  return probed_context_send(probe, registers, probed_goroutine(registers), probed_go_word(registers, 1),
                             probed_go_word(registers, 3), (int)probed_go_word(registers, 4), PB_BIND_TLS);
}

/* func (c *Conn) clientHandshake(ctx context.Context) error, and serverHandshake: often inside of the others. What the
 * socket gives in them may hold the first plaintext already. */
PROBED_UPROBE(tls_go_shake) {
  if (!probed_go_has_room(registers)) return PROBED_SKIPPED;
  return probed_context_begin_blind(probe, probed_goroutine(registers), probed_go_word(registers, 1), PB_BIND_TLS);
}

PROBED_UPROBE(tls_go_shook) { return probed_context_end_blind(probed_goroutine(registers)); }

/* []byte, without its capacity */
struct tls_go_bytes {
  __u64 address;
  __u64 length;
};

/* func (c *Conn) verifyServerCertificate(certificates [][]byte) error: the message's memory, in pieces */
PROBED_UPROBE(tls_go_certificate) {
  struct tls_go_bytes first;
  if (!probed_go_has_room(registers) || !probed_go_word(registers, 3)) return PROBED_SKIPPED;
  if (bpf_probe_read_user(&first, sizeof(first), (void *)probed_go_word(registers, 2))) return PROBED_SKIPPED;
  return tls_tell_certificate(probe, probed_go_word(registers, 1), first.address, first.length);
}
