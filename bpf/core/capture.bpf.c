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

#define PB_HOOK(progs, sk, length, flags, direction)        \
  const __u32 next = pb_hook(sk, length, flags, direction); \
  if (next == PB_DONE) return 0;                            \
  bpf_tail_call(ctx, &progs, next);                         \
  pb_hook_missed(sk, next);                                 \
  return 0

/* --- backend sock (6.3 and newer) ----------------------------------------------------------------------------- */

SEC("?tp_btf/sock_recv_length")
int BPF_PROG(pb_recv, struct sock *sk, int length, int flags) {
  PB_HOOK(pb_progs_sock, sk, length, flags, PB_RECEIVED);
}

SEC("?tp_btf/sock_send_length")
int BPF_PROG(pb_send, struct sock *sk, int length, int flags) { PB_HOOK(pb_progs_sock, sk, length, flags, PB_SENT); }

/* --- backend fexit ---------------------------------------------------------------------------------------------- */

#define PB_FEXIT_RX(name, function)                                                                        \
  SEC("?fexit/" #function)                                                                                 \
  int BPF_PROG(name, struct sock *sk, struct msghdr *message, unsigned long size, int flags, int *address, \
               int length) {                                                                               \
    PB_HOOK(pb_progs_frx, sk, length, flags, PB_RECEIVED);                                                 \
  }
#define PB_FEXIT_TX(name, function, progs)                                                      \
  SEC("?fexit/" #function)                                                                      \
  int BPF_PROG(name, struct sock *sk, struct msghdr *message, unsigned long size, int length) { \
    PB_HOOK(progs, sk, length, 0, PB_SENT);                                                     \
  }

PB_FEXIT_RX(pb_tcp_rx, tcp_recvmsg)
PB_FEXIT_RX(pb_udp_rx, udp_recvmsg)
PB_FEXIT_RX(pb_udp6_rx, udpv6_recvmsg)
PB_FEXIT_TX(pb_tcp_tx, tcp_sendmsg, pb_progs_ftx)
PB_FEXIT_TX(pb_udp_tx, udp_sendmsg, pb_progs_fudp)
PB_FEXIT_TX(pb_udp6_tx, udpv6_sendmsg, pb_progs_fudp)

/* sendfile and splice before 6.5, which handed over a page at a time instead of a message. */
SEC("?fexit/tcp_sendpage")
int BPF_PROG(pb_tcp_page, struct sock *sk, struct page *page, int offset, unsigned long size, int flags, int length) {
  PB_HOOK(pb_progs_fpage, sk, length, flags, PB_SENT);
}

/* Apart from the programs: inlined into these, 6.1 loses what it knew of lengths. */
static __noinline __u32 pb_unix_hook(struct sock *sk, int length, int flags, __u32 direction) {
  return pb_hook(sk, length, flags, direction);
}

#define PB_UNIX_HOOK(progs, socket, length, flags, direction)    \
  struct sock *sk = (socket)->sk;                                \
  if (!sk) return 0;                                             \
  const __u32 next = pb_unix_hook(sk, length, flags, direction); \
  if (next == PB_DONE) return 0;                                 \
  bpf_tail_call(ctx, &progs, next);                              \
  pb_hook_missed(sk, next);                                      \
  return 0

SEC("?fexit/unix_stream_recvmsg")
int BPF_PROG(pb_unix_rx, struct socket *socket, struct msghdr *message, unsigned long size, int flags, int length) {
  PB_UNIX_HOOK(pb_progs_fux_rx, socket, length, flags, PB_RECEIVED);
}

SEC("?fexit/unix_stream_sendmsg")
int BPF_PROG(pb_unix_tx, struct socket *socket, struct msghdr *message, unsigned long size, int length) {
  PB_UNIX_HOOK(pb_progs_fux_tx, socket, length, 0, PB_SENT);
}

SEC("?fexit/unix_stream_sendpage")
int BPF_PROG(pb_unix_page, struct socket *socket, struct page *page, int offset, unsigned long size, int flags,
             int length) {
  PB_UNIX_HOOK(pb_progs_fux_pg, socket, length, flags, PB_SENT);
}

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
