/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Stream positions, control words, counters, and the records a stream ships. Shared by the core and, through the SDK,
 * by every module.
 */
#ifndef PROBED_STREAM_BPF_H
#define PROBED_STREAM_BPF_H

#include "bpf/include/cause.bpf.h"
#include "bpf/include/user_buffer.bpf.h"

/* api/module/probe_types.h: enum probe_direction, enum probe_close_reason. */
enum pb_direction { PB_RECEIVED = 0, PB_SENT = 1 };
enum { PB_CLOSE_LOCAL = 0, PB_CLOSE_PEER = 1, PB_CLOSE_RESET = 2, PB_CLOSE_TIMEOUT = 3, PB_CLOSE_HANDED_OVER = 4 };

/* Which layer the programs of this object work on (enum probe_layer), and what a stream of it belongs to. */
#ifdef PROBED_PROTOTYPE_UPROBE
#define PB_LAYER 1
typedef struct pb_plain pb_subject;
#else
#define PB_LAYER 0
typedef struct sock pb_subject;
#endif

/* Calls that bring pages of a file, which the caller has no buffer with. */
#if defined(PROBED_PROTOTYPE_FEXIT_PAGE) || defined(PROBED_PROTOTYPE_FEXIT_UNIX_PAGE)
#define PB_PAGES 1
#else
#define PB_PAGES 0
#endif

/* A TLS record begins with type 20..23 and version 3.x. */
static __always_inline bool pb_is_tls_head(__u64 word) {
  const __u8 type = (__u8)word;
  return type >= 20 && type <= 23 && (__u8)(word >> 8) == 3;
}

static __always_inline bool pb_is_tls_data(__u64 word) { return (__u8)word == 23; }

/* Of type 22, and the first message in it a ClientHello or ServerHello. */
static __always_inline bool pb_is_tls_hello(__u64 word) {
  const __u8 message = (__u8)(word >> 40);
  return (__u8)word == 22 && (message == 1 || message == 2);
}

static __always_inline struct pb_control *pb_control_get(void) { return &pb_controls; }

static __always_inline const struct pb_settings *pb_settings_of(const struct pb_control *control, __u32 slot) {
  return &control->settings[slot & (PB_MAX_SLOTS - 1)][control->parity[slot & (PB_MAX_SLOTS - 1)] & 1];
}

/* The shard of a socket: mixes the cookie, which counts up in small steps per CPU. */
static __always_inline __u32 pb_shard_of(__u64 cookie, __u32 shards) {
  return (__u32)((cookie * 0x9e3779b97f4a7c15ULL) >> 60) & (shards - 1);
}

static __always_inline struct pb_counters *pb_line(__u32 slot, __u32 shard, __u32 shards) {
  const __u32 index = slot * shards + shard;
  return bpf_map_lookup_elem(&pb_counters, &index);
}

/* Both directions may be recognised at the same moment: what the first one has noted by then stays. */
static __always_inline void pb_stream_claim(struct pb_stream *stream, __u32 slot, __u32 incarnation) {
  if (stream->slot == (__u16)slot && stream->incarnation == incarnation) return;
  stream->slot = (__u16)slot;
  stream->incarnation = incarnation;
  stream->route = 0;
  __builtin_memset(stream->scratch, 0, sizeof(stream->scratch));
}

/* Its owner is never asked about it again; the others are, from the next segment on. */
static __always_inline void pb_stream_let_go(struct pb_stream *stream) {
  stream->refused |= 1U << (stream->slot & (PB_MAX_SLOTS - 1));
  if (stream->incarnation > stream->refused_until) stream->refused_until = stream->incarnation;
  stream->slot = 0;
  stream->open_incarnation = 0;
  stream->route = 0;
  stream->chain_generation = 0;
}

/* Which of a slot's programs the next bytes of a stream go to. */
static __always_inline __u32 pb_program_for(const struct pb_sock *state, __u32 direction) {
  if (state->flags & PB_SOCK_DATAGRAM) return direction == PB_SENT ? PB_DATAGRAM_TX : PB_DATAGRAM_RX;
  return direction == PB_SENT ? PB_TX : PB_RX;
}

/* The classifier after `slot` (0: the first) whose module has not given the stream away before; 0: none. */
static __always_inline __u32 pb_next_classifier(const struct pb_control *control, const struct pb_sock *state,
                                                __u32 slot) {
  const struct pb_stream *stream = &state->raw;
  const __u32 select = control->chain_generation & 1;
  const __u32 kind = state->flags & PB_SOCK_DATAGRAM ? PB_CHAIN_DATAGRAMS : PB_CHAIN_STREAMS;
  slot = control->next[select][kind][slot & (PB_MAX_SLOTS - 1)];
  if (!stream->refused) return slot;
  for (int i = 0; i < PB_MAX_SLOTS && slot; i++) {
    slot &= PB_MAX_SLOTS - 1;
    if (!(stream->refused >> slot & 1) || control->incarnation[slot] > stream->refused_until) break;
    slot = control->next[select][kind][slot];
  }
  return slot;
}

/* A hook call as its segment: where its bytes stand in the stream and in user memory. */
struct pb_segment {
  pb_subject *sk;
  struct pb_sock *state;
  struct pb_control *control;
  /* Apart from the segment: its address goes to functions that the compiler cannot see into, and it would have to keep
   * everything beside it in memory. */
  struct pb_buffer *buffer;
  __u64 offset;        /* of the segment's first byte */
  __u32 wire_sequence; /* of the same */
  __u32 total;
  __u32 direction;
};

/* --- where the layers differ ----------------------------------------------------------------------------------- */

#if PB_LAYER
static __always_inline struct pb_sock *pb_state_of(pb_subject *plain) { return &plain->state; }
static __always_inline struct pb_gather *pb_gather_of(pb_subject *plain) {
  return bpf_map_lookup_elem(&pb_plain_heads, &plain->key);
}
static __always_inline void pb_gather_drop(pb_subject *plain) { bpf_map_delete_elem(&pb_plain_heads, &plain->key); }
/* Plaintext has no sequence numbers: its offsets are counted. */
static __always_inline struct tcp_sock *pb_tcp_of(pb_subject *plain) { return 0; }
/* The bytes are where the probed call has them. */
static __always_inline void pb_segment_buffer(struct pb_segment *segment) {
  const struct pb_task *task = bpf_task_storage_get(&pb_tasks, bpf_get_current_task_btf(), 0, 0);
  segment->buffer->base = task ? task->plain_address : 0;
  segment->buffer->segments = 0;
  segment->buffer->readable = task && task->plain_address;
  segment->buffer->of_many = 0;
}
static __always_inline void pb_segment_buffer_of_stream(struct pb_segment *segment) { pb_segment_buffer(segment); }
#else
static __always_inline struct pb_sock *pb_state_of(pb_subject *sk) { return bpf_sk_storage_get(&pb_socks, sk, 0, 0); }
static __always_inline struct pb_gather *pb_gather_of(pb_subject *sk) {
  return bpf_sk_storage_get(&pb_gathers, sk, 0, 0);
}
static __always_inline void pb_gather_drop(pb_subject *sk) { bpf_sk_storage_delete(&pb_gathers, sk); }
#if defined(PROBED_PROTOTYPE_FEXIT_UNIX_RX) || defined(PROBED_PROTOTYPE_FEXIT_UNIX_TX) || \
    defined(PROBED_PROTOTYPE_FEXIT_UNIX_PAGE)
static __always_inline struct tcp_sock *pb_tcp_of(pb_subject *sk) { return 0; }
#else
static __always_inline struct tcp_sock *pb_tcp_of(pb_subject *sk) { return bpf_skc_to_tcp_sock(sk); }
#endif
#if PB_PAGES
static __always_inline void pb_segment_buffer(struct pb_segment *segment) {
  __builtin_memset(segment->buffer, 0, sizeof(*segment->buffer));
}
static __always_inline void pb_segment_buffer_of_stream(struct pb_segment *segment) { pb_segment_buffer(segment); }
#else
static __always_inline void pb_segment_buffer(struct pb_segment *segment) { pb_buffer_find(segment->buffer); }
static __always_inline void pb_segment_buffer_of_stream(struct pb_segment *segment) {
  pb_buffer_find_stream(segment->buffer);
}
#endif
#endif

/* --- positions ---------------------------------------------------------------------------------------------------- */

enum { PB_SOCK_DONE = 1 << 1 /* of skc_flags: the other end's FIN has arrived */ };

/* Where the bytes end that were received and read. A FIN has a sequence number too, which a call that reads the last
 * bytes may have passed over with them. */
static __always_inline __u32 pb_received_end(const struct sock *sk, const struct tcp_sock *tcp) {
  const __u32 end = tcp->copied_seq;
  return sk->__sk_common.skc_flags & PB_SOCK_DONE && end == tcp->rcv_nxt ? end - 1 : end;
}

/* Position of the segment that just ended, from the socket's own sequence numbers (never by counting: splice moves them
 * without a hook). Unix streams have none and are counted. Does not move the stream: several programs may ask. */
static __always_inline void pb_segment_locate(struct pb_segment *segment) {
  struct pb_stream *stream = &segment->state->raw;
  const __u32 direction = segment->direction & 1;
  struct tcp_sock *tcp = pb_tcp_of(segment->sk);
  if (!tcp) {
    segment->wire_sequence = 0;
    segment->offset = stream->end[direction] - (stream->taken[direction] ? segment->total : 0);
    return;
  }
  const __u32 wire_end = direction == PB_SENT ? tcp->write_seq : pb_received_end((const struct sock *)segment->sk, tcp);
  segment->wire_sequence = wire_end - segment->total;
  if (!stream->seen[direction]) {
    segment->offset = 0;
    return;
  }
  segment->offset =
      stream->end[direction] + (__u64)(__s64)(__s32)(segment->wire_sequence - stream->wire_end[direction]);
}

/* Moves the stream past the segment. Once per hook call: a classified stream was moved before its owner was known. */
static __always_inline void pb_segment_finish(struct pb_segment *segment) {
  struct pb_stream *stream = &segment->state->raw;
  const __u32 direction = segment->direction & 1;
  if (stream->taken[direction]) {
    stream->taken[direction] = 0;
    return;
  }
  stream->end[direction] = segment->offset + segment->total;
  stream->wire_end[direction] = segment->wire_sequence + segment->total;
  stream->seen[direction] = 1;
}

enum { PB_RECORDS_PER_LOOK = 8 };

/* Wakes the consumer when the ring is more than half full; below that the kernel's own rule does it, which wakes only a
 * consumer that has caught up (capture design, "Rings and wake-ups"). Looked at once in a while: asking costs more than
 * the few records that may come in between. */
static __always_inline __u64 pb_wake_flag(void *ring, const struct pb_control *control, __u64 sequence) {
  if (sequence & (PB_RECORDS_PER_LOOK - 1)) return 0;
  return bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) > control->ring_half_bytes ? BPF_RB_FORCE_WAKEUP : 0;
}

/* What every record says of itself, whatever it is about. */
static __always_inline void pb_record_begin(struct pb_record *record, __u32 generation, __u64 sequence, __u32 slot,
                                            __u16 incarnation, __u8 type) {
  const __u64 thread = bpf_get_current_pid_tgid();
  record->type = type;
  record->layer = PB_LAYER;
  record->slot = (__u16)slot;
  record->cpu = (__u16)bpf_get_smp_processor_id();
  record->generation = generation;
  record->ktime_ns = bpf_ktime_get_ns();
  record->sequence = sequence;
  record->thread_id = (__u32)thread;
  record->tgid = (__u32)(thread >> 32);
  record->incarnation = incarnation;
  record->hint = 0;
  record->cause_layer = 0;
  /* Volatile: else the compiler joins them with the bytes before, and stores all of it two bytes at a time. */
  *(volatile __u64 *)&record->cause_cookie = 0;
  *(volatile __u64 *)&record->cause_offset = 0;
}

static __always_inline void pb_record_fill(struct pb_record *record, struct pb_counters *line,
                                           const struct pb_settings *settings, __u64 sequence, __u32 slot,
                                           __u16 incarnation, __u8 type) {
  pb_record_begin(record, settings->generation, sequence, slot, incarnation, type);
  line->generation[settings->generation & 1]++;
}

static __always_inline void pb_copy_address(__u8 to[16], const struct sock *sk, bool peer) {
  __builtin_memset(to, 0, 16);
  if (sk->__sk_common.skc_family == AF_INET) {
    const __u32 address = peer ? sk->__sk_common.skc_daddr : sk->__sk_common.skc_rcv_saddr;
    __builtin_memcpy(to, &address, 4);
  } else if (sk->__sk_common.skc_family == AF_INET6) {
    const struct in6_addr *address = peer ? &sk->__sk_common.skc_v6_daddr : &sk->__sk_common.skc_v6_rcv_saddr;
    bpf_probe_read_kernel(to, 16, address);
  }
}

static __always_inline void pb_open_fill(struct pb_open *open, const struct sock *sk, const struct pb_sock *state) {
  struct task_struct *task = bpf_get_current_task_btf();
  open->tgid_start_ns = task->group_leader->start_boottime;
  open->cgroup_id = bpf_get_current_cgroup_id();
  pb_copy_address(open->local, sk, false);
  pb_copy_address(open->peer, sk, true);
  open->local_port = sk->__sk_common.skc_num;
  open->peer_port = __builtin_bswap16(sk->__sk_common.skc_dport);
  open->family = (__u8)sk->__sk_common.skc_family;
  open->transport = open->family == AF_UNIX ? 0 : sk->sk_protocol;
  open->from_start = (state->flags & PB_SOCK_FROM_START) != 0;
  open->netns = sk->__sk_common.skc_net.net->ns.inum;
  open->rule = state->rule;
}

/* Tells a new owner what the stream is. Tried again at each segment until it found room. Both directions may come to it
 * at the same moment: only one tells, and its record stands in the ring before whatever the other ships. False: that
 * was the other one. */
static __always_inline bool pb_ship_open(struct pb_segment *segment, void *ring, struct pb_counters *line,
                                         const struct pb_settings *settings, __u32 slot, __u32 incarnation) {
  struct {
    struct pb_record head;
    struct pb_open open;
  } *record;
  record = bpf_ringbuf_reserve(ring, sizeof(*record), 0);
  if (!record) {
    line->open_full++;
    return true;
  }
  __u32 *told = &segment->state->raw.open_incarnation;
  const __u32 before = *told;
  if (before == incarnation || __sync_val_compare_and_swap(told, before, incarnation) != before) {
    bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
    return false;
  }
  pb_record_fill(&record->head, line, settings, line->sequence++, slot, (__u16)incarnation, PB_RECORD_OPEN);
  record->head.size = sizeof(*record);
  record->head.direction = (__u8)segment->direction;
  record->head.flags = 0;
  record->head.cookie = segment->state->cookie;
  record->head.offset = segment->offset;
  record->head.wire_sequence = segment->wire_sequence;
  record->head.total = 0;
  record->head.captured = sizeof(struct pb_open);
#if PB_LAYER
  record->open = segment->sk->open;
#else
  pb_open_fill(&record->open, segment->sk, segment->state);
#endif
  line->opens++;
  bpf_ringbuf_submit(record, pb_wake_flag(ring, segment->control, record->head.sequence));
  return true;
}

/* The last record a stream's owner gets. False: no room for it. */
static __always_inline bool pb_close_put(void *ring, struct pb_counters *line, const struct pb_control *control,
                                         const struct pb_sock *state, __u32 slot, __u8 reason) {
  struct pb_record *record = bpf_ringbuf_reserve(ring, sizeof(*record), 0);
  if (!record) {
    line->open_full++;
    return false;
  }
  pb_record_fill(record, line, pb_settings_of(control, slot), line->sequence++, slot, (__u16)state->raw.incarnation,
                 PB_RECORD_CLOSE);
  record->size = sizeof(*record);
  record->layer = (state->flags & PB_SOCK_PLAINTEXT) != 0;
  record->direction = 0;
  record->flags = 0;
  record->hint = reason;
  record->cookie = state->cookie;
  record->offset = state->raw.end[PB_RECEIVED];
  record->wire_sequence = 0;
  record->total = 0;
  record->captured = 0;
  line->opens++;
  bpf_ringbuf_submit(record, pb_wake_flag(ring, control, record->sequence));
  return true;
}

#endif
