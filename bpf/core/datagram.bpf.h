/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * What sockets of datagrams need beside the hooks of their bytes: their end, which no state of a connection tells, and,
 * in backend sock, where a datagram came from: there the hook runs before the address is copied to the caller.
 */
#ifndef PROBED_CORE_DATAGRAM_BPF_H
#define PROBED_CORE_DATAGRAM_BPF_H

#include "bpf/core/life.bpf.h"
#include "bpf/include/stream.bpf.h"

enum { PB_ALLOW = 1 /* verdict of a program on a cgroup: go on */ };

static __always_inline void pb_datagram_end(struct bpf_sock *sk) {
  struct pb_sock *state = bpf_sk_storage_get(&pb_socks, sk, 0, 0);
  struct pb_control *control = pb_control_get();
  if (!state || !state->included || !(state->flags & PB_SOCK_DATAGRAM)) return;
  if (!(state->flags & PB_SOCK_CLOSED)) pb_closed(control, state, PB_CLOSE_LOCAL);
}

/* The socket at hand may be a target: it was found one, or nobody has looked yet. */
static __always_inline bool pb_may_be_target(struct bpf_sock *sk) {
  const struct pb_sock *state = bpf_sk_storage_get(&pb_socks, sk, 0, 0);
  return !state || state->included;
}

static __always_inline struct pb_source *pb_source_make(struct bpf_sock_addr *from) {
  struct bpf_sock *sk = from->sk;
  if (!sk || !pb_may_be_target(sk)) return 0;
  struct pb_source *source = bpf_sk_storage_get(&pb_sources, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
  if (!source) return 0;
  source->thread = bpf_get_current_pid_tgid();
  source->peer.port = __builtin_bswap16((__u16)from->user_port);
  return source;
}

static __always_inline void pb_datagram_from4(struct bpf_sock_addr *from) {
  struct pb_source *source = pb_source_make(from);
  if (!source) return;
  const __u32 address = from->user_ip4;
  __builtin_memset(source->peer.address, 0, sizeof(source->peer.address));
  __builtin_memcpy(source->peer.address, &address, sizeof(address));
  source->peer.family = AF_INET;
}

static __always_inline void pb_datagram_from6(struct bpf_sock_addr *from) {
  struct pb_source *source = pb_source_make(from);
  if (!source) return;
  const __u32 address[4] = {from->user_ip6[0], from->user_ip6[1], from->user_ip6[2], from->user_ip6[3]};
  __builtin_memcpy(source->peer.address, address, sizeof(address));
  source->peer.family = AF_INET6;
}

#endif
