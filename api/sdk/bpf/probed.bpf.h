/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Kernel side of the SDK. An author writes PROBED_CLASSIFY(name) and PROBED_SEGMENT(name) once; add_probe_module()
 * compiles the file for each attach prototype. How it fits: docs/adding_a_module.md. Kernel types come from
 * bpf/include/kernel_types.h, never from a generated header.
 *
 *   PROBED_MODULE();
 *   PROBED_CLASSIFY(line) { return head->length >= 5 && ... ? PROBED_MINE : PROBED_NOT_MINE; }
 *   PROBED_SEGMENT(line) { return probed_ship(segment, 0, probed_capture_bytes(segment), 0, 0, 0); }
 *   PROBED_DATAGRAM(line) { return probed_ship_datagram(segment, probed_capture_bytes(segment), 0); }
 *
 * Probes in programs and libraries: uprobe.bpf.h.
 */
#ifndef PROBED_SDK_BPF_H
#define PROBED_SDK_BPF_H

/* First: the headers below need its types. */
#include "bpf/include/kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/include/stream.bpf.h"

/* What a classifier says of the first bytes of a direction. */
enum probed_verdict { PROBED_NOT_MINE = 0, PROBED_MINE = 1, PROBED_MORE = 2 };

/* First bytes of one direction, gathered over segments; of a datagram socket, those of one datagram. bytes beyond
 * `length` are stale: bound every index. */
struct probed_head {
  const __u8 *bytes; /* PB_HEAD_BYTES of memory */
  __u32 length;
  __u32 direction;
  __u32 datagram;
};

/* What a segment program came to: the ledger line of this hook call. */
enum probed_outcome {
  PROBED_SHIPPED = 0, /* a record went out (probed_ship) */
  PROBED_SKIPPED = 1, /* left out on purpose */
  PROBED_FAULT = 2,   /* user memory could not be read */
  PROBED_FULL = 3,    /* no room in the ring */
  PROBED_AGAIN = 4,   /* run the program once more on the same segment: it keeps its place in its scratch */
  PROBED_UNBOUND = 5, /* of probes: plaintext of an object whose socket is not known */
  PROBED_PASSED = 6,  /* of probes: the call is in somebody else's line */
  PROBED_LET_GO = 7,  /* shipped, and the last of it: from probed_segment.rest on the stream is whoever claims it */
};

/* The segment at hand, with what its module needs. Fields are read through the accessors below. */
struct probed_segment {
  struct pb_segment at;
  struct pb_counters *line;
  const struct pb_settings *settings;
  void *ring;
  __u32 slot;
  __u32 incarnation;
  __u64 kernel_name; /* of a datagram: where the kernel has the address of the other end; 0: it is not asked for */
  __u32 rest;        /* set by who returns PROBED_LET_GO: where another protocol begins; 0: behind it */
  __u32 passed;      /* bytes before it that were another owner's */
};

/* Set by the loader before the object is loaded: constants to the verifier. */
#define PROBED_MODULE()                     \
  const volatile __u32 cfg_slot = 0;        \
  const volatile __u32 cfg_incarnation = 0; \
  char LICENSE[] SEC("license") = "GPL"

extern const volatile __u32 cfg_slot;
extern const volatile __u32 cfg_incarnation;

#include "api/sdk/bpf/uprobe.bpf.h"
/* After it: its probes hand plaintext on. */
#include "api/sdk/bpf/plaintext.bpf.h"

/* --- accessors for authors ----------------------------------------------------------------------------------- */

static __always_inline __u32 probed_total(const struct probed_segment *segment) { return segment->at.total; }
static __always_inline __u64 probed_offset(const struct probed_segment *segment) { return segment->at.offset; }
static __always_inline __u32 probed_direction(const struct probed_segment *segment) { return segment->at.direction; }
static __always_inline bool probed_readable(const struct probed_segment *segment) {
  return !PB_PAGES && segment->at.buffer->readable;
}
static __always_inline __u32 probed_capture_bytes(const struct probed_segment *segment) {
  return segment->settings->capture_bytes;
}
static __always_inline const void *probed_settings(const struct probed_segment *segment) {
  return segment->settings->values;
}
/* PB_SCRATCH_BYTES of this stream's own memory, zeroed when the module claims the stream. */
static __always_inline void *probed_scratch(struct probed_segment *segment) { return segment->at.state->raw.scratch; }
/* Whether the plaintext that goes over this socket is seen too. */
static __always_inline bool probed_plaintext_is_bound(const struct probed_segment *segment) {
  return segment->at.state->plain.object != 0;
}
static __always_inline __u64 probed_peek8(const struct probed_segment *segment, __u32 skip) {
  return PB_PAGES ? 0 : pb_peek8(segment->at.buffer, skip, segment->at.total - skip);
}

/* What goes over this stream may become another protocol's before user space can say so, as when a client asks for a
 * tunnel or for encryption: probes are asked about it at each call. */
static __always_inline void probed_is_tunnel(struct probed_segment *segment) {
  segment->at.state->flags |= PB_SOCK_TUNNEL;
  segment->at.state->raw.route = 0;
}

/* The calling thread now works for the request received at `offset` of this stream. */
static __always_inline void probed_cause_begin(struct probed_segment *segment, __u64 offset) {
  pb_cause_begin(segment->at.state->cookie, offset, PB_LAYER);
}

/* The calling thread works for nobody in particular: what it reads is shared by several requests. */
static __always_inline void probed_cause_clear(void) { pb_cause_clear(); }

/* Whose request this outgoing one belongs to: at the first one of a connection the reference taken at connect, later
 * the thread's. */
static __always_inline void probed_cause_fill(struct probed_segment *segment, struct pb_record *record) {
  struct pb_sock *state = segment->at.state;
  if (state->cause_cookie) {
    record->cause_cookie = state->cause_cookie;
    record->cause_offset = state->cause_offset;
    record->cause_layer = (state->flags & PB_SOCK_CAUSE_PLAINTEXT) != 0;
    return;
  }
  pb_cause_tell(record);
}

#include "api/sdk/bpf/ship.bpf.h"

/* --- what stands around an author's function -------------------------------------------------------------------- */

/* Bytes that were gathered for classification before this segment: shipped first, so the new owner misses nothing. */
static __always_inline void probed_ship_held(struct probed_segment *segment) {
  struct pb_gather *gather = pb_gather_of(segment->at.sk);
  if (!gather) return;
  for (__u32 direction = 0; direction < 2; direction++) {
    const __u32 held = gather->held[direction];
    if (!held || held > PB_HEAD_BYTES) continue;
    struct {
      struct pb_record head;
      __u8 data[PB_HEAD_BYTES];
    } *record = bpf_ringbuf_reserve(segment->ring, sizeof(*record), 0);
    if (!record) {
      segment->line->ring_full++;
      continue;
    }
    __builtin_memcpy(record->data, gather->bytes[direction], PB_HEAD_BYTES);
    pb_record_fill(&record->head, segment->line, segment->settings, segment->line->sequence++, segment->slot,
                   (__u16)segment->incarnation, PB_RECORD_SEGMENT);
    record->head.size = sizeof(struct pb_record) + held;
    record->head.direction = (__u8)direction;
    record->head.flags = 0;
    record->head.cookie = segment->at.state->cookie;
    record->head.offset = gather->offset[direction];
    record->head.wire_sequence = segment->at.state->raw.wire_end[direction] -
                                 (__u32)(segment->at.state->raw.end[direction] - gather->offset[direction]);
    record->head.total = held;
    record->head.captured = held;
    if (direction == PB_SENT) probed_cause_fill(segment, &record->head);
    segment->line->extra++;
    bpf_ringbuf_submit(record, pb_wake_flag(segment->ring, segment->at.control, segment->line->sequence));
  }
  pb_gather_drop(segment->at.sk);
}

/* The lines, settings and ring of this module for one shard. */
static __always_inline bool probed_segment_find(struct probed_segment *segment, const struct pb_control *control,
                                                __u32 shard) {
  const __u32 slot = cfg_slot & (PB_MAX_SLOTS - 1); /* read once: the compiler may not join reads of it */
  const __u32 index = slot * control->shards + shard;
  segment->slot = slot;
  segment->incarnation = cfg_incarnation;
  segment->settings = pb_settings_of(control, slot);
  segment->line = bpf_map_lookup_elem(&pb_counters, &index);
  segment->ring = bpf_map_lookup_elem(&pb_rings, &index);
  return segment->line && segment->ring;
}

/* A stream that was nobody's a moment ago was counted by the core, plaintext by its probe; any other hook call here. */
static __always_inline bool probed_is_counted_here(const struct pb_sock *state, __u32 direction) {
  return !PB_LAYER && !state->raw.taken[direction & 1];
}

/* What an owner before this one left of the segment. Iovecs are never left (probed_let_go). */
static __always_inline void probed_segment_cut(struct probed_segment *segment) {
  segment->passed = segment->at.state->raw.taken[segment->at.direction & 1] - 1;
  segment->at.offset += segment->passed;
  segment->at.wire_sequence += segment->passed;
  segment->at.total -= segment->passed;
  segment->at.buffer->base += segment->passed;
}

/* Finds everything a segment program needs; false: the socket is not (or no longer) this module's. */
static __always_inline bool probed_segment_begin(struct probed_segment *segment, pb_subject *sk, int length,
                                                 __u32 direction, struct pb_buffer *buffer, bool datagram) {
  struct pb_sock *state = pb_state_of(sk);
  struct pb_control *control = pb_control_get();
  if (!state) return false;
  if (!probed_segment_find(segment, control, state->raw.shard)) return false;
  segment->at.sk = sk;
  segment->at.state = state;
  segment->at.control = control;
  segment->at.buffer = buffer;
  segment->at.total = (__u32)length;
  segment->at.direction = direction;
  pb_segment_locate(&segment->at);
  if (datagram)
    pb_segment_buffer(&segment->at);
  else
    pb_segment_buffer_of_stream(&segment->at);
  if (probed_is_counted_here(state, direction)) segment->line->hooked++;
  segment->passed = 0;
  if (state->raw.taken[direction & 1] > 1) probed_segment_cut(segment);
  if (state->raw.open_incarnation != segment->incarnation &&
      pb_ship_open(&segment->at, segment->ring, segment->line, segment->settings, segment->slot, segment->incarnation))
    probed_ship_held(segment);
  return true;
}

static __always_inline void probed_segment_end(struct probed_segment *segment, int outcome) {
  switch (outcome) {
    case PROBED_LET_GO:
    case PROBED_SHIPPED: segment->line->submitted++; break;
    case PROBED_SKIPPED: segment->line->skipped++; break;
    case PROBED_FULL:
      segment->line->ring_full++;
      segment->line->sequence++;
      break;
    default: segment->line->fault++; break;
  }
  if (segment->at.direction == PB_SENT) segment->at.state->cause_cookie = 0;
  if (segment->at.buffer->of_many) pb_message_passed();
  pb_segment_finish(&segment->at);
}

/* The first bytes behind `rest` become what classifiers look at. False: they cannot be read, or where a new owner would
 * have to read on cannot be said in one number. */
static __always_inline bool probed_gather_rest(struct probed_segment *segment, __u32 rest) {
  const __u32 direction = segment->at.direction & 1;
  if (!rest || rest >= segment->at.total || !segment->at.buffer->readable || segment->at.buffer->segments) return false;
  struct pb_gather *gather = pb_gather_make(segment->at.sk);
  if (!gather) return false;
  __u32 want = segment->at.total - rest;
  if (want > PB_HEAD_BYTES) want = PB_HEAD_BYTES;
  if (pb_copy_plain(gather->bytes[direction], PB_HEAD_BYTES, segment->at.buffer, rest, want) < want) return false;
  gather->offset[direction] = segment->at.offset + rest;
  gather->length[direction] = want;
  pb_asker_note(&segment->at.state->raw, direction);
  return true;
}

/* Both sides agreed on another protocol. The classifier to be asked about the rest of the segment; 0: there is none,
 * and all are asked at the next one. */
static __always_inline __u32 probed_let_go(struct probed_segment *segment) {
  struct pb_sock *state = segment->at.state;
  pb_close_put(segment->ring, segment->line, segment->at.control, state, segment->slot, PB_CLOSE_HANDED_OVER);
  pb_stream_let_go(&state->raw);
  pb_gather_drop(segment->at.sk);
  const __u32 first = pb_next_classifier(segment->at.control, state, 0);
  if (!first || !probed_gather_rest(segment, segment->rest)) return 0;
  segment->line->extra++; /* whoever gets the rest says how the hook call ends */
  segment->line->submitted--;
  state->raw.attempts = 0;
  state->raw.last_direction = (__u8)(segment->at.direction + 1);
  state->raw.taken[segment->at.direction & 1] = 1 + segment->passed + segment->rest;
  return first * PB_SLOT_PROGRAMS + PB_CLASSIFY;
}

/* The classifier was not there. */
static __always_inline void probed_let_go_missed(struct probed_segment *segment) {
  segment->line->extra--;
  segment->line->submitted++;
  segment->at.state->raw.taken[segment->at.direction & 1] = 0;
}

/* One hook call and one record more: the segment is looked at again. */
static __always_inline void probed_again_count(struct probed_segment *segment, __u64 step) {
  segment->line->extra += step;
  if (probed_is_counted_here(segment->at.state, segment->at.direction)) segment->line->hooked -= step;
}

#if defined(PROBED_PROTOTYPE_SOCK)
#define PROBED_PROGS pb_progs_sock
#define PROBED_SECTION_RX "tp_btf/sock_recv_length"
#define PROBED_SECTION_TX "tp_btf/sock_send_length"
#define PROBED_ARGUMENTS struct sock *sk, int length, int flags
#define PROBED_CALL_FLAGS flags
#elif defined(PROBED_PROTOTYPE_FEXIT_RX)
#define PROBED_PROGS pb_progs_frx
#define PROBED_SECTION_RX "fexit/tcp_recvmsg"
#define PROBED_SECTION_TX PROBED_SECTION_RX
#define PROBED_ARGUMENTS \
  struct sock *sk, struct msghdr *message, unsigned long size, int flags, int *address_length, int length
#define PROBED_CALL_FLAGS flags
#elif defined(PROBED_PROTOTYPE_FEXIT_TX)
#define PROBED_PROGS pb_progs_ftx
#define PROBED_SECTION_RX "fexit/tcp_sendmsg"
#define PROBED_SECTION_TX PROBED_SECTION_RX
#define PROBED_ARGUMENTS struct sock *sk, struct msghdr *message, unsigned long size, int length
#elif defined(PROBED_PROTOTYPE_FEXIT_UDP_TX)
#define PROBED_PROGS pb_progs_fudp
#define PROBED_SECTION_RX "fexit/udp_sendmsg"
#define PROBED_SECTION_TX PROBED_SECTION_RX
#define PROBED_ARGUMENTS struct sock *sk, struct msghdr *message, unsigned long size, int length
#elif defined(PROBED_PROTOTYPE_FEXIT_PAGE)
#define PROBED_PROGS pb_progs_fpage
#define PROBED_SECTION_RX "fexit/tcp_sendpage"
#define PROBED_SECTION_TX PROBED_SECTION_RX
#define PROBED_ARGUMENTS struct sock *sk, struct page *page, int offset, unsigned long size, int flags, int length
#elif defined(PROBED_PROTOTYPE_FEXIT_UNIX_RX)
#define PROBED_PROGS pb_progs_fux_rx
#define PROBED_SECTION_RX "fexit/unix_stream_recvmsg"
#define PROBED_SECTION_TX PROBED_SECTION_RX
#define PROBED_UNIX_ARGUMENTS struct socket *socket, struct msghdr *message, unsigned long size, int flags, int length
#elif defined(PROBED_PROTOTYPE_FEXIT_UNIX_TX)
#define PROBED_PROGS pb_progs_fux_tx
#define PROBED_SECTION_RX "fexit/unix_stream_sendmsg"
#define PROBED_SECTION_TX PROBED_SECTION_RX
#define PROBED_UNIX_ARGUMENTS struct socket *socket, struct msghdr *message, unsigned long size, int length
#elif defined(PROBED_PROTOTYPE_FEXIT_UNIX_PAGE)
#define PROBED_PROGS pb_progs_fux_pg
#define PROBED_SECTION_RX "fexit/unix_stream_sendpage"
#define PROBED_SECTION_TX PROBED_SECTION_RX
#define PROBED_UNIX_ARGUMENTS \
  struct socket *socket, struct page *page, int offset, unsigned long size, int flags, int length
#elif defined(PROBED_PROTOTYPE_UPROBE)
#define PROBED_PROGS pb_progs_up
#define PROBED_SECTION_RX "uprobe"
#define PROBED_SECTION_TX PROBED_SECTION_RX
#endif

/* How the call was made; 0 where that is not told. */
#ifndef PROBED_CALL_FLAGS
#define PROBED_CALL_FLAGS 0
#endif

/* A program on `sk` (what the stream belongs to) and `length` bytes of it. */
#if PB_LAYER
#define PROBED_PROGRAM(name) PROBED_PLAINTEXT_PROGRAM(name)
#elif defined(PROBED_UNIX_ARGUMENTS)
#define PROBED_PROGRAM(name)                                                                                       \
  int name(unsigned long long *ctx);                                                                               \
  static __always_inline int name##_on_socket(unsigned long long *ctx, struct sock *sk, int length);               \
  int BPF_PROG(name, PROBED_UNIX_ARGUMENTS) { return socket->sk ? name##_on_socket(ctx, socket->sk, length) : 0; } \
  static __always_inline int name##_on_socket(unsigned long long *ctx, struct sock *sk, int length)
#else
#define PROBED_PROGRAM(name) int BPF_PROG(name, PROBED_ARGUMENTS)
#endif

#if !PB_LAYER
struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, PB_MAX_SLOTS *PB_SLOT_PROGRAMS);
  __type(key, __u32);
  __type(value, __u32);
} PROBED_PROGS SEC(".maps");
#endif

/* The end of the classifier chain: nobody claimed it. Waits for more bytes while somebody wants them. No `gather`: the
 * other direction, at the same moment, came to an end of its own. */
static __always_inline void probed_unclassified(pb_subject *sk, struct pb_sock *state, struct pb_gather *gather,
                                                struct pb_control *control, __u32 direction) {
  struct pb_counters *line = pb_line(0, state->raw.shard, control->shards);
  if (line) line->unclassified++;
  direction &= 1;
  state->raw.taken[direction] = 0; /* the segment at hand ends here */
  if (state->flags & PB_SOCK_DATAGRAM) pb_message_passed();
  if (!gather) return;
  if (!(state->flags & PB_SOCK_DATAGRAM) && gather->more && gather->length[direction] < PB_HEAD_BYTES) {
    gather->held[direction] = gather->length[direction];
    return;
  }
  state->raw.chain_generation = control->chain_generation;
  pb_gather_drop(sk);
}

/* The program of the stream's owner; 0: there is none. */
static __always_inline __u32 probed_owner_program(const struct pb_control *control, const struct pb_sock *state,
                                                  __u32 direction) {
  const __u32 slot = state->raw.slot & (PB_MAX_SLOTS - 1);
  if (!slot || state->raw.incarnation != control->incarnation[slot]) return 0;
  return slot * PB_SLOT_PROGRAMS + pb_program_for(state, direction);
}

/* Runs `body` on the head of the direction at hand and goes on: to the owner's segment program, to the next classifier,
 * or out. Both directions may be at it at the same moment: the owner that one has found is the other's too, and the
 * head may be gone then. A macro, because a tail call must stand in the program itself. */
#define PROBED_CLASSIFY(name)                                                                     \
  static __always_inline int name##_verdict(const struct probed_head *head);                      \
  static __always_inline __u32 name##_next(struct pb_sock *state, struct pb_gather *gather,       \
                                           struct pb_control *control, __u32 direction) {         \
    const struct probed_head head = {.bytes = gather->bytes[direction & 1],                       \
                                     .length = gather->length[direction & 1],                     \
                                     .direction = direction,                                      \
                                     .datagram = (state->flags & PB_SOCK_DATAGRAM) != 0};         \
    const int verdict = name##_verdict(&head);                                                    \
    if (verdict == PROBED_MINE) {                                                                 \
      pb_stream_claim(&state->raw, cfg_slot, cfg_incarnation);                                    \
      return cfg_slot * PB_SLOT_PROGRAMS + pb_program_for(state, direction);                      \
    }                                                                                             \
    if (verdict == PROBED_MORE) gather->more = 1;                                                 \
    const __u32 next = pb_next_classifier(control, state, cfg_slot);                              \
    return next ? next * PB_SLOT_PROGRAMS + PB_CLASSIFY : 0;                                      \
  }                                                                                               \
  SEC(PROBED_SECTION_RX)                                                                          \
  PROBED_PROGRAM(name##_classify) {                                                               \
    struct pb_sock *state = pb_state_of(sk);                                                      \
    struct pb_gather *gather = pb_gather_of(sk);                                                  \
    struct pb_control *control = pb_control_get();                                                \
    if (!state) return 0;                                                                         \
    const __u32 direction = pb_asker_direction(&state->raw);                                      \
    const __u32 owner = probed_owner_program(control, state, direction);                          \
    const __u32 next = owner || !gather ? owner : name##_next(state, gather, control, direction); \
    if (next) bpf_tail_call(ctx, &PROBED_PROGS, next);                                            \
    probed_unclassified(sk, state, gather, control, direction);                                   \
    return 0;                                                                                     \
  }                                                                                               \
  static __always_inline int name##_verdict(const struct probed_head *head)

#define PROBED_RECORD_PROGRAM(function, name, section, way, index, name_address)                                       \
  SEC(section)                                                                                                         \
  PROBED_PROGRAM(name) {                                                                                               \
    struct probed_segment segment;                                                                                     \
    struct pb_buffer buffer;                                                                                           \
    if (length <= 0 || !probed_segment_begin(&segment, sk, length, way, &buffer, (index) >= PB_DATAGRAM_RX)) return 0; \
    segment.kernel_name = name_address;                                                                                \
    if (way == PB_RECEIVED && (index) < PB_DATAGRAM_RX && PROBED_CALL_FLAGS & MSG_TRUNC) buffer.readable = 0;          \
    const int outcome = function(&segment);                                                                            \
    if (outcome == PROBED_AGAIN) {                                                                                     \
      probed_again_count(&segment, 1);                                                                                 \
      bpf_tail_call(ctx, &PROBED_PROGS, cfg_slot *PB_SLOT_PROGRAMS + (index));                                         \
      probed_again_count(&segment, -1ULL);                                                                             \
    }                                                                                                                  \
    probed_segment_end(&segment, outcome == PROBED_AGAIN ? PROBED_SHIPPED : outcome);                                  \
    const __u32 heir = outcome == PROBED_LET_GO ? probed_let_go(&segment) : 0;                                         \
    if (heir) {                                                                                                        \
      bpf_tail_call(ctx, &PROBED_PROGS, heir);                                                                         \
      probed_let_go_missed(&segment);                                                                                  \
    }                                                                                                                  \
    return 0;                                                                                                          \
  }

/* One function for both directions; becomes programs <name>_rx and <name>_tx. Returns a probed_outcome. */
#define PROBED_SEGMENT(name)                                                                 \
  static __always_inline int name##_segment(struct probed_segment *segment);                 \
  PROBED_RECORD_PROGRAM(name##_segment, name##_rx, PROBED_SECTION_RX, PB_RECEIVED, PB_RX, 0) \
  PROBED_RECORD_PROGRAM(name##_segment, name##_tx, PROBED_SECTION_TX, PB_SENT, PB_TX, 0)     \
  static __always_inline int name##_segment(struct probed_segment *segment)

#include "api/sdk/bpf/datagram.bpf.h"

#endif
