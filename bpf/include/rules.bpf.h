/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Target rules as far as they are about processes, and the verdict on the calling process for probes that have no
 * socket. What is about sockets (ports, the daemon's own connections) is the core's alone: bpf/core/targets.bpf.h.
 */
#ifndef PROBED_RULES_BPF_H
#define PROBED_RULES_BPF_H

#include <bpf/bpf_helpers.h>

#include "bpf/shared/maps.bpf.h"

enum { PB_CGROUP_LEVELS = 16 };

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct pb_rules);
} pb_rules SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 4096);
  __type(key, struct pb_exe_key);
  __type(value, __u64);
} pb_rule_exes SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 65536);
  __type(key, __u32);
  __type(value, __u64);
} pb_rule_pids SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 4096);
  __type(key, __u64);
  __type(value, __u64);
} pb_rule_cgrps SEC(".maps");

static __always_inline __u64 pb_rules_of(void *map, const void *key) {
  const __u64 *rules = bpf_map_lookup_elem(map, key);
  return rules ? *rules : 0;
}

static __always_inline __u64 pb_rules_of_exe(struct task_struct *task) {
  struct mm_struct *mm = task->mm;
  if (!mm) return 0;
  struct file *file = mm->exe_file;
  if (!file) return 0;
  struct inode *inode = file->f_inode;
  struct pb_exe_key key = {.inode = inode->i_ino, .device = inode->i_sb->s_dev};
  return pb_rules_of(&pb_rule_exes, &key);
}

/* A rule's cgroup holds its descendants: every ancestor of ours is looked up. */
static __always_inline __u64 pb_rules_of_cgroup(void) {
  __u64 rules = 0;
  for (int level = 0; level < PB_CGROUP_LEVELS; level++) {
    const __u64 id = bpf_get_current_ancestor_cgroup_id(level);
    if (!id) break;
    rules |= pb_rules_of(&pb_rule_cgrps, &id);
  }
  return rules;
}

/* The daemon itself, or a child of it. */
static __always_inline bool pb_is_own_process(const struct pb_control *control, struct task_struct *task, __u32 tgid) {
  return tgid == control->self_tgid || (__u32)task->real_parent->tgid == control->self_tgid;
}

static __always_inline __u8 pb_first_rule(__u64 included) {
  for (__u32 i = 0; i < PB_MAX_RULES; i++)
    if (included >> i & 1) return (__u8)i;
  return PB_MAX_RULES;
}

/* What the rules say of a process. A rule with ports picks sockets of it, and does not pick what has no socket. */
enum pb_verdict_flag {
  PB_PROCESS_TARGET = 1,       /* picked whole */
  PB_PROCESS_MAY_HAVE_PORT = 2 /* some of its sockets may be picked */
};

struct pb_verdict {
  __u8 flags; /* 0: not a target */
  __u8 rule;
};

static __always_inline struct pb_verdict pb_process_decide(struct pb_control *control, struct task_struct *task) {
  const __u32 zero = 0;
  const struct pb_rules *rules = bpf_map_lookup_elem(&pb_rules, &zero);
  const __u32 tgid = (__u32)(bpf_get_current_pid_tgid() >> 32);
  struct pb_verdict verdict = {.flags = 0, .rule = PB_MAX_RULES};
  if (!rules || pb_is_own_process(control, task, tgid)) return verdict;
  if (!(rules->include | rules->exclude)) {
    verdict.flags = PB_PROCESS_TARGET;
    return verdict;
  }
  __u64 matched = rules->include | rules->exclude;
  if (matched & ~rules->any_exe) matched &= rules->any_exe | pb_rules_of_exe(task);
  if (matched & ~rules->any_pid) matched &= rules->any_pid | pb_rules_of(&pb_rule_pids, &tgid);
  if (matched & ~rules->any_cgroup) matched &= rules->any_cgroup | pb_rules_of_cgroup();
  if (matched & rules->exclude & rules->any_port) return verdict;
  const __u64 included = matched & rules->include & rules->any_port;
  if (!rules->include || included) verdict.flags = PB_PROCESS_TARGET;
  if (matched & rules->include & ~rules->any_port) verdict.flags |= PB_PROCESS_MAY_HAVE_PORT;
  verdict.rule = pb_first_rule(included);
  return verdict;
}

/* The verdict on the calling process, remembered with the thread until the rules change or it executes something else.
 * Decided anew each time when the thread's storage cannot be had (it is busy in a program that was preempted). */
static __always_inline struct pb_verdict pb_process_verdict(struct pb_control *control) {
  struct task_struct *task = bpf_get_current_task_btf();
  struct pb_task *state = bpf_task_storage_get(&pb_tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  const __u32 mark = control->target_generation + 1;
  if (state && state->verdict_mark == mark) {
    const struct pb_verdict known = {.flags = state->verdict, .rule = state->rule};
    return known;
  }
  const struct pb_verdict verdict = pb_process_decide(control, task);
  if (!state) return verdict;
  state->verdict = verdict.flags;
  state->rule = verdict.rule;
  state->verdict_mark = mark;
  return verdict;
}

/* Another program runs in this thread from here on. */
static __always_inline void pb_verdict_forget(struct task_struct *task) {
  struct pb_task *state = bpf_task_storage_get(&pb_tasks, task, 0, 0);
  if (state) state->verdict_mark = 0;
}

#endif
