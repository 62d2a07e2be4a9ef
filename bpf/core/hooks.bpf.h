/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * What the core does at each socket call, in whatever backend: look up the socket, decide whether it is a target, and
 * name the program the call goes on to. Knows no protocol.
 */
#ifndef PROBED_CORE_HOOKS_BPF_H
#define PROBED_CORE_HOOKS_BPF_H

#include "bpf/core/bind.bpf.h"
#include "bpf/core/release.bpf.h"
#include "bpf/core/targets.bpf.h"
#include "bpf/include/stream.bpf.h"
#include "bpf/include/unowned.bpf.h"

static __always_inline bool pb_is_covered(const struct sock *sk) {
  const __u16 family = sk->__sk_common.skc_family;
  if (family == AF_INET || family == AF_INET6) return sk->sk_protocol == IPPROTO_TCP || sk->sk_protocol == IPPROTO_UDP;
  return family == AF_UNIX && sk->sk_type == SOCK_STREAM;
}

static __always_inline struct pb_counters *pb_core_line(void) {
  const __u32 core_line = 0;
  return bpf_map_lookup_elem(&pb_counters, &core_line);
}

/* First look at a socket, or a look under new rules: makes its state and asks the targets. */
static __always_inline struct pb_sock *pb_judge(struct sock *sk, struct pb_control *control, struct pb_sock *state) {
  if (!state) {
    state = bpf_sk_storage_get(&pb_socks, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
    if (!state) state = bpf_sk_storage_get(&pb_socks, sk, 0, 0); /* the other direction made it at the same moment */
    if (!state) return 0;
  }
  if (!state->cookie) state->cookie = bpf_get_socket_cookie(sk);
  state->raw.shard = (__u16)pb_shard_of(state->cookie, control->shards);
  if (sk->sk_protocol == IPPROTO_UDP) state->flags |= PB_SOCK_DATAGRAM;
  pb_target_decide(sk, control, state);
  return state;
}

/* Where the calls of a socket go, remembered under an epoch of the control words: an epoch below, the programs of both
 * directions above it. Programs PB_DONE: it is no target. */
static __always_inline __u64 pb_route_make(__u32 epoch, __u32 received, __u32 sent) {
  return epoch | (__u64)received << 32 | (__u64)sent << 40;
}

static __always_inline __u32 pb_route_program(__u64 route, __u32 direction) {
  return (__u8)(route >> (direction == PB_SENT ? 40 : 32));
}

/* Whether a call on a socket with an owner may still have to be bound (pb_bind): what a module without probes owns is
 * in the clear, unless that module says otherwise. */
static __always_inline bool pb_may_be_bound(const struct pb_control *control, const struct pb_sock *state, __u32 slot) {
  return control->probers && (control->probers & 1U << slot || state->flags & PB_SOCK_TUNNEL);
}

/* The program of the stream's owner; PB_DONE: it has none, or is gone. */
static __always_inline __u32 pb_owner_program(struct sock *sk, struct pb_control *control, struct pb_sock *state,
                                              __u32 direction, __u32 epoch) {
  __u32 slot = state->raw.slot & (PB_MAX_SLOTS - 1);
  if (slot && state->raw.hint_generation != control->hint_generation) {
    pb_hint_take(sk, control, state);
    slot = state->raw.slot & (PB_MAX_SLOTS - 1);
  }
  if (slot && state->raw.incarnation == control->incarnation[slot]) {
    const __u32 first = slot * PB_SLOT_PROGRAMS;
    if (!pb_may_be_bound(control, state, slot))
      state->raw.route =
          pb_route_make(epoch, first + pb_program_for(state, PB_RECEIVED), first + pb_program_for(state, PB_SENT));
    return first + pb_program_for(state, direction);
  }
  if (slot) {
    state->raw.slot = 0;
    state->raw.chain_generation = 0;
  }
  return PB_DONE;
}

/* A call that brings no bytes, or brings them a second time: looked at before they are read, or own ones given back by
 * the error queue. */
static __always_inline bool pb_is_empty(int length, int flags, __u32 direction) {
  return length <= 0 || (direction == PB_RECEIVED && flags & (MSG_PEEK | MSG_ERRQUEUE));
}

/* With MSG_TRUNC a stream's bytes are thrown away: the caller's buffer holds something else. */
static __always_inline bool pb_is_discarded(const struct pb_sock *state, int flags, __u32 direction) {
  return direction == PB_RECEIVED && flags & MSG_TRUNC && !(state->flags & PB_SOCK_DATAGRAM);
}

static __always_inline void pb_count_empty(int length) {
  struct pb_counters *line = pb_core_line();
  if (length < 0) pb_message_reset();
  if (!line) return;
  line->hooked++;
  if (length > 0)
    line->peek++;
  else
    line->error++;
}

static __always_inline void pb_count_left_out(bool fault) {
  struct pb_counters *line = pb_core_line();
  if (!line) return;
  line->hooked++;
  if (fault)
    line->fault++;
  else
    line->filtered++;
}

/* No hook tells of the end of a unix stream: a call that finds both directions shut does. */
static __always_inline void pb_unix_ended(struct sock *sk, struct pb_control *control, struct pb_sock *state) {
  if (sk->__sk_common.skc_family != AF_UNIX || sk->sk_shutdown != SHUTDOWN_MASK) return;
  if (state->flags & PB_SOCK_CLOSED) return;
  pb_plain_closed(control, state, PB_CLOSE_PEER);
  pb_closed(control, state, PB_CLOSE_PEER);
}

/* A socket that was not judged under these rules. 0: it is no target, and the call was counted. */
static __always_inline struct pb_sock *pb_take_in(struct sock *sk, struct pb_control *control, struct pb_sock *state) {
  if (!pb_is_covered(sk)) {
    pb_count_left_out(false);
    return 0;
  }
  state = pb_judge(sk, control, state);
  if (!state) {
    pb_count_left_out(true);
    return 0;
  }
  if (state->included) return state;
  pb_plain_closed(control, state, PB_CLOSE_LOCAL);
  pb_count_left_out(false);
  return 0;
}

enum { PB_ASK = 1 << 8 /* in place of a program: it is not remembered */ };

/* What the socket remembers of the program that its calls go to. */
static __always_inline __u32 pb_remembered(const struct pb_sock *state, __u32 direction) {
  if (!state || (__u32)state->raw.route != pb_control_get()->route_epoch) return PB_ASK;
  return pb_route_program(state->raw.route, direction);
}

/* The decision about a call whose program is not remembered, or that brings nothing. A function of its own: what it
 * needs of registers and of the stack, most calls need not pay for. */
static __noinline __u32 pb_decide(struct sock *sk, struct pb_sock *state, int length, int flags, __u32 direction) {
  struct pb_control *control = pb_control_get();
  /* Before anything it stands for: what is remembered under it is never older. */
  const __u32 epoch = *(const volatile __u32 *)&control->route_epoch;
  const bool judged = state && state->target_generation == control->target_generation;
  if (judged && !state->included) {
    state->raw.route = pb_route_make(epoch, PB_DONE, PB_DONE);
    return PB_DONE;
  }
  if (pb_is_empty(length, flags, direction)) {
    pb_count_empty(length);
    if (state && length <= 0) pb_unix_ended(sk, control, state);
    return PB_DONE;
  }
  if (!judged) {
    state = pb_take_in(sk, control, state);
    if (!state) return PB_DONE;
  }
  if (control->probers) pb_bind(sk, control, state, length, direction);
  const __u32 program = pb_owner_program(sk, control, state, direction, epoch);
  if (program != PB_DONE) return program;
  struct pb_counters *line = pb_core_line();
  if (!line) return PB_DONE;
  line->hooked++;
  if (pb_is_discarded(state, flags, direction)) {
    line->unclassified++;
    return PB_DONE;
  }
  struct pb_buffer buffer;
  struct pb_segment segment = {
      .sk = sk, .state = state, .control = control, .buffer = &buffer, .total = (__u32)length, .direction = direction};
  return pb_unowned(&segment, line);
}

/* The program a call was to go on to was not there: its module has none for this, or is being unloaded. What the socket
 * remembers may be wrong, where a CPU reads words in another order than they were written: it is asked again. A call on
 * a stream that nobody owns was counted before. Apart, so that the hooks need not keep anything for it. */
static __noinline void pb_hook_missed(struct sock *sk, __u32 direction) {
  struct pb_sock *state = bpf_sk_storage_get(&pb_socks, sk, 0, 0);
  struct pb_counters *line = pb_core_line();
  if (!state || !line) return;
  state->raw.route = 0;
  state->raw.taken[direction & 1] = 0;
  if (state->raw.slot) line->hooked++;
  line->unclassified++;
}

#endif
