/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Which sockets are traced: rules as bit masks, decided once per socket and target generation and cached there. The
 * daemon, its children and both ends of its own connections never are: that would be a feedback loop.
 */
#ifndef PROBED_CORE_TARGETS_BPF_H
#define PROBED_CORE_TARGETS_BPF_H

#include "bpf/include/rules.bpf.h"
#include "bpf/include/stream.bpf.h"

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 4096);
  __type(key, __u32);
  __type(value, __u64);
} pb_rule_ports SEC(".maps");

/* Connections of the daemon, as their other end sees them; and the ports it listens on. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 1024);
  __type(key, struct pb_tuple);
  __type(value, __u32);
} pb_self_tuples SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 64);
  __type(key, __u32);
  __type(value, __u32);
} pb_self_ports SEC(".maps");

static __always_inline __u64 pb_rules_of_port(const struct sock *sk) {
  const __u32 local = sk->__sk_common.skc_num;
  const __u32 peer = __builtin_bswap16(sk->__sk_common.skc_dport);
  return pb_rules_of(&pb_rule_ports, &local) | pb_rules_of(&pb_rule_ports, &peer);
}

static __always_inline void pb_tuple_of(struct pb_tuple *tuple, const struct sock *sk, bool reversed) {
  pb_copy_address(reversed ? tuple->peer : tuple->local, sk, false);
  pb_copy_address(reversed ? tuple->local : tuple->peer, sk, true);
  const __u16 local = sk->__sk_common.skc_num;
  const __u16 peer = __builtin_bswap16(sk->__sk_common.skc_dport);
  tuple->local_port = reversed ? peer : local;
  tuple->peer_port = reversed ? local : peer;
  tuple->reserved = 0;
}

static __always_inline bool pb_same_address(const __u8 a[16], const __u8 b[16]) {
  __u32 differs = 0;
  for (int i = 0; i < 16; i++) differs |= (__u32)(a[i] ^ b[i]);
  return !differs;
}

/* Own process, own child, or the other end of an own connection. */
static __always_inline bool pb_is_self(struct sock *sk, struct pb_control *control, struct task_struct *task,
                                       __u32 tgid) {
  if (pb_is_own_process(control, task, tgid)) return true;
  if (sk->__sk_common.skc_family == AF_UNIX) return false;
  struct pb_tuple tuple;
  pb_tuple_of(&tuple, sk, false);
  const __u32 peer_port = tuple.peer_port;
  /* Only on this machine: the port of a remote host is nobody's business. */
  if (bpf_map_lookup_elem(&pb_self_ports, &peer_port) && pb_same_address(tuple.local, tuple.peer)) return true;
  return bpf_map_lookup_elem(&pb_self_tuples, &tuple) != 0;
}

static __always_inline void pb_target_decide(struct sock *sk, struct pb_control *control, struct pb_sock *state) {
  const __u32 zero = 0;
  const struct pb_rules *rules = bpf_map_lookup_elem(&pb_rules, &zero);
  struct task_struct *task = bpf_get_current_task_btf();
  const __u32 tgid = (__u32)(bpf_get_current_pid_tgid() >> 32);
  state->target_generation = control->target_generation;
  state->included = 0;
  state->rule = PB_MAX_RULES;
  if (!rules || state->flags & PB_SOCK_SELF || pb_is_self(sk, control, task, tgid)) return;
  if (!(rules->include | rules->exclude)) {
    state->included = 1;
    return;
  }
  __u64 matched = rules->include | rules->exclude;
  if (matched & ~rules->any_exe) matched &= rules->any_exe | pb_rules_of_exe(task);
  if (matched & ~rules->any_pid) matched &= rules->any_pid | pb_rules_of(&pb_rule_pids, &tgid);
  if (matched & ~rules->any_port) matched &= rules->any_port | pb_rules_of_port(sk);
  if (matched & ~rules->any_cgroup) matched &= rules->any_cgroup | pb_rules_of_cgroup();
  if (matched & rules->exclude) return;
  if (rules->include && !(matched & rules->include)) return;
  state->included = 1;
  state->rule = pb_first_rule(matched & rules->include);
}

#endif
