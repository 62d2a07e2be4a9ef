/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * The core object: programs on the socket layer's exits in both backends (the loader attaches one of them), on the life
 * of connections and of processes. They stay attached while modules come and go: a module is reached by tail call.
 */
/* First: the headers below need its types. */
#include "bpf/include/kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/core/datagram.bpf.h"
#include "bpf/core/hooks.bpf.h"
#include "bpf/core/life.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define PB_PROGRAM_ARRAY(name)                           \
  struct {                                               \
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);               \
    __uint(max_entries, PB_MAX_SLOTS *PB_SLOT_PROGRAMS); \
    __type(key, __u32);                                  \
    __type(value, __u32);                                \
  } name SEC(".maps")

/* One per attach prototype: the kernel refuses to mix them. */
PB_PROGRAM_ARRAY(pb_progs_sock);
PB_PROGRAM_ARRAY(pb_progs_frx);
PB_PROGRAM_ARRAY(pb_progs_ftx);
PB_PROGRAM_ARRAY(pb_progs_fudp);
PB_PROGRAM_ARRAY(pb_progs_fpage);
PB_PROGRAM_ARRAY(pb_progs_fux_rx);
PB_PROGRAM_ARRAY(pb_progs_fux_tx);
PB_PROGRAM_ARRAY(pb_progs_fux_pg);
PB_PROGRAM_ARRAY(pb_progs_up); /* plaintext: no program of the core calls into it */

/* A hook's whole decision. A call that goes on to a stream's owner is counted there (probed_segment_begin), any other
 * here. Most calls of a host are those of sockets that are known to be no target: they are not counted, which would
 * cost them a quarter more, and the arguments are expressions, evaluated where they are needed. */
#define PB_HOOK(progs, sk, length, flags, direction)               \
  struct pb_sock *state = bpf_sk_storage_get(&pb_socks, sk, 0, 0); \
  __u32 next = pb_remembered(state, direction);                    \
  if (next == PB_DONE) return 0;                                   \
  if (next == PB_ASK || pb_is_empty(length, flags, direction)) {   \
    next = pb_decide(sk, state, length, flags, direction);         \
    if (next == PB_DONE) return 0;                                 \
  }                                                                \
  bpf_tail_call(ctx, &progs, next);                                \
  pb_hook_missed(sk, direction);                                   \
  return 0

/* An argument of the hooked function, by its number. */
#define PB_SOCK_AT(i) ((struct sock *)ctx[i])
#define PB_INT_AT(i) ((int)ctx[i])

/* --- backend sock (6.3 and newer): (sk, length, flags) --------------------------------------------------------- */

SEC("?tp_btf/sock_recv_length")
int pb_recv(unsigned long long *ctx) { PB_HOOK(pb_progs_sock, PB_SOCK_AT(0), PB_INT_AT(1), PB_INT_AT(2), PB_RECEIVED); }

SEC("?tp_btf/sock_send_length")
int pb_send(unsigned long long *ctx) { PB_HOOK(pb_progs_sock, PB_SOCK_AT(0), PB_INT_AT(1), PB_INT_AT(2), PB_SENT); }

/* --- backend fexit: the result stands behind the arguments ----------------------------------------------------- */

/* (sk, message, size, flags, address length) */
#define PB_FEXIT_RX(name, function) \
  SEC("?fexit/" #function)          \
  int name(unsigned long long *ctx) { PB_HOOK(pb_progs_frx, PB_SOCK_AT(0), PB_INT_AT(5), PB_INT_AT(3), PB_RECEIVED); }
/* (sk, message, size) */
#define PB_FEXIT_TX(name, function, progs) \
  SEC("?fexit/" #function)                 \
  int name(unsigned long long *ctx) { PB_HOOK(progs, PB_SOCK_AT(0), PB_INT_AT(3), 0, PB_SENT); }

PB_FEXIT_RX(pb_tcp_rx, tcp_recvmsg)
PB_FEXIT_RX(pb_udp_rx, udp_recvmsg)
PB_FEXIT_RX(pb_udp6_rx, udpv6_recvmsg)
PB_FEXIT_TX(pb_tcp_tx, tcp_sendmsg, pb_progs_ftx)
PB_FEXIT_TX(pb_udp_tx, udp_sendmsg, pb_progs_fudp)
PB_FEXIT_TX(pb_udp6_tx, udpv6_sendmsg, pb_progs_fudp)

/* sendfile and splice before 6.5, which handed over a page at a time instead of a message: (sk, page, offset, size,
 * flags). */
SEC("?fexit/tcp_sendpage")
int pb_tcp_page(unsigned long long *ctx) {
  PB_HOOK(pb_progs_fpage, PB_SOCK_AT(0), PB_INT_AT(5), PB_INT_AT(4), PB_SENT);
}

/* The same with a struct socket in front. */
#define PB_UNIX_HOOK(progs, length, flags, direction) \
  struct sock *sk = ((struct socket *)ctx[0])->sk;    \
  if (!sk) return 0;                                  \
  PB_HOOK(progs, sk, length, flags, direction)

SEC("?fexit/unix_stream_recvmsg")
int pb_unix_rx(unsigned long long *ctx) { PB_UNIX_HOOK(pb_progs_fux_rx, PB_INT_AT(4), PB_INT_AT(3), PB_RECEIVED); }

SEC("?fexit/unix_stream_sendmsg")
int pb_unix_tx(unsigned long long *ctx) { PB_UNIX_HOOK(pb_progs_fux_tx, PB_INT_AT(3), 0, PB_SENT); }

SEC("?fexit/unix_stream_sendpage")
int pb_unix_page(unsigned long long *ctx) { PB_UNIX_HOOK(pb_progs_fux_pg, PB_INT_AT(5), PB_INT_AT(4), PB_SENT); }

/* --- connections -------------------------------------------------------------------------------------------------- */

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(pb_state, struct sock *sk, int old_state, int new_state) {
  pb_connection_state(sk, old_state, new_state);
  return 0;
}

/* --- datagram sockets -------------------------------------------------------------------------------------------- */

SEC("?cgroup/sock_release")
int pb_gone(struct bpf_sock *sk) {
  pb_datagram_end(sk);
  return PB_ALLOW;
}

SEC("?cgroup/recvmsg4")
int pb_from4(struct bpf_sock_addr *from) {
  pb_datagram_from4(from);
  return PB_ALLOW;
}

SEC("?cgroup/recvmsg6")
int pb_from6(struct bpf_sock_addr *from) {
  pb_datagram_from6(from);
  return PB_ALLOW;
}

/* --- processes ---------------------------------------------------------------------------------------------------- */

SEC("tp_btf/sched_process_fork")
int BPF_PROG(pb_fork, struct task_struct *parent, struct task_struct *child) {
  if (child->pid == child->tgid) pb_process_ship(child, (__u32)parent->tgid, PB_PROCESS_FORK);
  return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(pb_exec, struct task_struct *task, int old_pid, struct linux_binprm *program) {
  pb_verdict_forget(task);
  pb_process_ship(task, (__u32)task->real_parent->tgid, PB_PROCESS_EXEC);
  return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(pb_exit, struct task_struct *task) {
  pb_cause_end();
  if (task->pid == task->tgid) pb_process_ship(task, (__u32)task->real_parent->tgid, PB_PROCESS_EXIT);
  return 0;
}
