/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Datagrams: one hook call moves one of them, and each is a record of its own, with the address of the other end.
 *
 *   PROBED_DATAGRAM(line) { return probed_ship_datagram(datagram, probed_capture_bytes(datagram), 0); }
 *
 * Part of probed.bpf.h. The function sees a struct probed_segment like that of a stream: the accessors are the same.
 */
#ifndef PROBED_SDK_DATAGRAM_BPF_H
#define PROBED_SDK_DATAGRAM_BPF_H

#include "api/sdk/bpf/probed.bpf.h"

#if PB_LAYER

/* Plaintext has no datagrams. */
static __always_inline int probed_ship_datagram(struct probed_segment *datagram, __u32 want, __u8 flags) {
  return PROBED_SKIPPED;
}
#define PROBED_DATAGRAM(name) \
  static __always_inline __attribute__((unused)) int name##_datagram(struct probed_segment *datagram)

#else

/* The address as the kernel has it, if the call asked for it or gave it; where the caller has it, it is not written
 * before the hook (received), or may be read from there (sent). */
#if defined(PROBED_PROTOTYPE_FEXIT_RX) || defined(PROBED_PROTOTYPE_FEXIT_UDP_TX)
#define PROBED_MESSAGE_NAME (__u64) message->msg_name
#else
#define PROBED_MESSAGE_NAME 0
#endif

static __always_inline bool probed_peer_of_name(struct pb_peer *peer, const struct socket_name *name) {
  if (name->family == AF_INET)
    __builtin_memcpy(peer->address, name->rest, 4);
  else if (name->family == AF_INET6)
    __builtin_memcpy(peer->address, name->rest + sizeof(__u32) /* flow label */, 16);
  else
    return false;
  peer->port = __builtin_bswap16(name->port);
  peer->family = (__u8)name->family;
  return true;
}

static __always_inline bool probed_peer_of_call(const struct probed_segment *datagram, struct pb_peer *peer) {
  struct socket_name name = {};
  const struct pb_buffer *buffer = datagram->at.buffer;
  if (datagram->kernel_name) {
    if (bpf_probe_read_kernel(&name, sizeof(name), (void *)datagram->kernel_name)) return false;
  } else {
    if (datagram->at.direction != PB_SENT || !buffer->name) return false;
    const __u32 length = (__u32)pb_clamp(buffer->name_length, sizeof(name));
    if (bpf_probe_read_user(&name, length, (void *)buffer->name)) return false;
  }
  return probed_peer_of_name(peer, &name);
}

/* What was noted while this thread received the datagram; once, for what is not noted anew may be another one's. */
static __always_inline bool probed_peer_of_source(const struct probed_segment *datagram, struct pb_peer *peer) {
  struct pb_source *source = bpf_sk_storage_get(&pb_sources, datagram->at.sk, 0, 0);
  if (!source || source->thread != bpf_get_current_pid_tgid()) return false;
  source->thread = 0;
  __builtin_memcpy(peer, &source->peer, sizeof(*peer));
  return true;
}

/* What the call names, else what the socket is connected to, else what was noted at the reception; else unknown. */
static __always_inline void probed_peer_fill(const struct probed_segment *datagram, struct pb_peer *peer) {
  const struct sock *sk = datagram->at.sk;
  __builtin_memset(peer, 0, sizeof(*peer));
  if (probed_peer_of_call(datagram, peer)) return;
  if (!sk->__sk_common.skc_dport) {
    if (datagram->at.direction == PB_RECEIVED) probed_peer_of_source(datagram, peer);
    return;
  }
  pb_copy_address(peer->address, sk, true);
  peer->port = __builtin_bswap16(sk->__sk_common.skc_dport);
  peer->family = (__u8)sk->__sk_common.skc_family;
}

static __always_inline void probed_datagram_finish(struct probed_segment *datagram, struct pb_record *head, __u32 want,
                                                   __u32 copied, __u8 flags) {
  if (copied < want) {
    flags |= PB_SEGMENT_UNREADABLE;
    datagram->line->unreadable++;
  } else if (want < datagram->at.total) {
    flags |= PB_SEGMENT_TRUNCATED;
    datagram->line->truncated++;
  }
  pb_record_fill(head, datagram->line, datagram->settings, datagram->line->sequence++, datagram->slot,
                 (__u16)datagram->incarnation, PB_RECORD_DATAGRAM);
  probed_record_place(datagram, head, 0, sizeof(struct pb_peer) + copied, datagram->at.total, flags, 0);
  bpf_ringbuf_submit(head, pb_wake_flag(datagram->ring, datagram->at.control, head->sequence));
}

#define PROBED_DATAGRAM_CLASS(room, copy_call)                            \
  do {                                                                    \
    struct {                                                              \
      struct pb_record head;                                              \
      struct pb_peer peer;                                                \
      __u8 data[room];                                                    \
    } *record = bpf_ringbuf_reserve(datagram->ring, sizeof(*record), 0);  \
    if (!record) return PROBED_FULL;                                      \
    probed_peer_fill(datagram, &record->peer);                            \
    const __u32 copied = (__u32)(copy_call);                              \
    probed_datagram_finish(datagram, &record->head, want, copied, flags); \
    return PROBED_SHIPPED;                                                \
  } while (0)

/* Ships the datagram's first `want` bytes, all of them if it has fewer. flags: PROBED_SHIP_CAUSE. Returns a
 * probed_outcome. */
static __always_inline int probed_ship_datagram(struct probed_segment *datagram, __u32 want, __u8 flags) {
  const struct pb_buffer *buffer = datagram->at.buffer;
  if (want > datagram->at.total) want = datagram->at.total;
  if (want > 16384) want = 16384;
  /* With MSG_TRUNC the length is the datagram's, and the buffer may have been too small for it. */
  if (buffer->readable && !buffer->segments && want > buffer->room) want = (__u32)buffer->room;
  if (!buffer->readable) PROBED_DATAGRAM_CLASS(8, 0);
  if (buffer->segments) {
    if (want <= 256)
      PROBED_DATAGRAM_CLASS(2 * 256, pb_copy_vector_256((struct pb_room_256 *)record->data, buffer, 0, want));
    if (want <= 1024)
      PROBED_DATAGRAM_CLASS(2 * 1024, pb_copy_vector_1024((struct pb_room_1024 *)record->data, buffer, 0, want));
    if (want <= 4096)
      PROBED_DATAGRAM_CLASS(2 * 4096, pb_copy_vector_4096((struct pb_room_4096 *)record->data, buffer, 0, want));
    PROBED_DATAGRAM_CLASS(2 * 16384, pb_copy_vector_16384((struct pb_room_16384 *)record->data, buffer, 0, want));
  }
  if (want <= 128) PROBED_DATAGRAM_CLASS(128, pb_copy_plain(record->data, 128, buffer, 0, want));
  if (want <= 512) PROBED_DATAGRAM_CLASS(512, pb_copy_plain(record->data, 512, buffer, 0, want));
  if (want <= 4096) PROBED_DATAGRAM_CLASS(4096, pb_copy_plain(record->data, 4096, buffer, 0, want));
  PROBED_DATAGRAM_CLASS(16384, pb_copy_plain(record->data, 16384, buffer, 0, want));
}

/* One function for both directions; becomes programs <name>_drx and <name>_dtx. Returns a probed_outcome, but not
 * PROBED_AGAIN. */
#define PROBED_DATAGRAM(name)                                                                                         \
  static __always_inline int name##_datagram(struct probed_segment *datagram);                                        \
  PROBED_RECORD_PROGRAM(name##_datagram, name##_drx, PROBED_SECTION_RX, PB_RECEIVED, PB_DATAGRAM_RX,                  \
                        PROBED_MESSAGE_NAME)                                                                          \
  PROBED_RECORD_PROGRAM(name##_datagram, name##_dtx, PROBED_SECTION_TX, PB_SENT, PB_DATAGRAM_TX, PROBED_MESSAGE_NAME) \
  static __always_inline int name##_datagram(struct probed_segment *datagram)

#endif
#endif
