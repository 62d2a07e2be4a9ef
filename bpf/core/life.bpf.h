/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Life of connections (references taken at connect, CLOSE records) and of processes.
 */
#ifndef PROBED_CORE_LIFE_BPF_H
#define PROBED_CORE_LIFE_BPF_H

#include "bpf/core/bind.bpf.h"
#include "bpf/core/release.bpf.h"
#include "bpf/core/targets.bpf.h"
#include "bpf/include/stream.bpf.h"

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 256 * 1024);
} pb_life SEC(".maps");

/* Counts process events that found no room. */
__u64 pb_life_full = 0;

static __always_inline void pb_process_ship(struct task_struct *task, __u32 parent, __u32 event) {
  struct pb_process *record = bpf_ringbuf_reserve(&pb_life, sizeof(*record), 0);
  if (!record) {
    __sync_fetch_and_add(&pb_life_full, 1);
    return;
  }
  record->start_ns = task->group_leader->start_boottime;
  record->cgroup_id = bpf_get_current_cgroup_id();
  record->tgid = (__u32)task->tgid;
  record->parent = parent;
  record->inode = 0;
  record->device = 0;
  record->event = event;
  bpf_ringbuf_submit(record, 0);
}

/* Connecting: remembers whose request the thread is handling, and marks the daemon's own connections. */
static __always_inline void pb_connecting(struct sock *sk, struct pb_control *control) {
  const bool self = (__u32)(bpf_get_current_pid_tgid() >> 32) == control->self_tgid;
  const struct pb_cause *cause = pb_cause_get();
  const bool caused = cause && cause->cookie;
  if (!self && !caused) return;
  struct pb_sock *state = bpf_sk_storage_get(&pb_socks, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
  if (!state) return;
  if (self) state->flags |= PB_SOCK_SELF;
  if (!caused) return;
  state->cause_cookie = cause->cookie;
  state->cause_offset = cause->offset;
  state->flags &= (__u16)~PB_SOCK_CAUSE_PLAINTEXT;
  if (cause->layer) state->flags |= PB_SOCK_CAUSE_PLAINTEXT;
}

/* The daemon's connection stands: now its ports are known, so its other end can be recognised. */
static __always_inline void pb_connected(struct sock *sk) {
  struct pb_sock *state = bpf_sk_storage_get(&pb_socks, sk, 0, 0);
  if (!state || !(state->flags & PB_SOCK_SELF)) return;
  struct pb_tuple tuple;
  const __u32 one = 1;
  pb_tuple_of(&tuple, sk, true);
  bpf_map_update_elem(&pb_self_tuples, &tuple, &one, BPF_ANY);
}

static __always_inline __u8 pb_close_reason(const struct sock *sk, int new_state) {
  if (new_state == TCP_LAST_ACK) return PB_CLOSE_PEER;
  if (new_state == TCP_FIN_WAIT1) return PB_CLOSE_LOCAL;
  const int error = sk->sk_err;
  if (error == ETIMEDOUT) return PB_CLOSE_TIMEOUT;
  return error == ECONNRESET || error == EPIPE ? PB_CLOSE_RESET : PB_CLOSE_LOCAL;
}

static __always_inline void pb_connection_state(struct sock *sk, int old_state, int new_state) {
  struct pb_control *control = pb_control_get();
  if (new_state == TCP_SYN_SENT) {
    pb_connecting(sk, control);
    return;
  }
  if (new_state == TCP_ESTABLISHED) {
    if (old_state == TCP_SYN_SENT) pb_connected(sk);
    return;
  }
  if (new_state != TCP_CLOSE && new_state != TCP_FIN_WAIT1 && new_state != TCP_LAST_ACK) return;
  /* shutdown(SHUT_WR) also enters FIN_WAIT1, but the stream goes on. */
  if (new_state != TCP_CLOSE && sk->sk_shutdown != SHUTDOWN_MASK) return;
  struct pb_sock *state = bpf_sk_storage_get(&pb_socks, sk, 0, 0);
  if (!state || !state->included || state->flags & PB_SOCK_CLOSED) return;
  const __u8 reason = pb_close_reason(sk, new_state);
  pb_plain_closed(control, state, reason);
  pb_closed(control, state, reason);
}

#endif
