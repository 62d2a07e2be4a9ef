/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * The few kernel types that capture reads, with just the fields it reads. Offsets are relocated at load time (CO-RE),
 * so order and size here mean nothing, and no BTF of the build host is needed. A field that changed its name or type
 * between supported kernels (6.1 and newer) says so.
 */
#ifndef PROBED_KERNEL_TYPES_H
#define PROBED_KERNEL_TYPES_H

typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
typedef _Bool bool;
enum { false = 0, true = 1 };

/* uapi/linux/bpf.h: what the programs use of it. */
enum bpf_map_type {
  BPF_MAP_TYPE_HASH = 1,
  BPF_MAP_TYPE_ARRAY = 2,
  BPF_MAP_TYPE_PROG_ARRAY = 3,
  BPF_MAP_TYPE_PERCPU_ARRAY = 6,
  BPF_MAP_TYPE_LRU_HASH = 9,
  BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
  BPF_MAP_TYPE_SK_STORAGE = 24,
  BPF_MAP_TYPE_RINGBUF = 27,
  BPF_MAP_TYPE_TASK_STORAGE = 29,
};
enum { BPF_ANY = 0, BPF_NOEXIST = 1, BPF_EXIST = 2 };
enum { BPF_F_NO_PREALLOC = 1, BPF_F_MMAPABLE = 1024 };
enum { BPF_LOCAL_STORAGE_GET_F_CREATE = 1, BPF_SK_STORAGE_GET_F_CREATE = 1 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };
enum { BPF_RB_AVAIL_DATA = 0 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr {
  union {
    __u8 u6_addr8[16];
    __u32 u6_addr32[4];
  } in6_u;
};

struct ns_common {
  unsigned int inum;
};
struct net {
  struct ns_common ns;
};
typedef struct {
  struct net *net;
} possible_net_t;

struct sock_common {
  __be32 skc_daddr;
  __be32 skc_rcv_saddr;
  __be16 skc_dport;
  __u16 skc_num;
  unsigned short skc_family;
  volatile unsigned char skc_state;
  unsigned long skc_flags; /* by bit: enum sock_flags */
  possible_net_t skc_net;
  struct in6_addr skc_v6_daddr;
  struct in6_addr skc_v6_rcv_saddr;
};

struct sock {
  struct sock_common __sk_common;
  u8 sk_shutdown; /* plain byte since 5.5 */
  u16 sk_type;
  u16 sk_protocol; /* u16 since 5.6 */
  int sk_err;
};

struct page;
struct socket {
  struct sock *sk;
};

struct inet_connection_sock {};
struct tcp_sock {
  struct inet_connection_sock inet_conn;
  u32 copied_seq;
  u32 write_seq;
  u32 rcv_nxt;
  u64 bytes_received;
};

struct super_block {
  u32 s_dev;
};
struct inode {
  struct super_block *i_sb;
  unsigned long i_ino;
};
struct file {
  struct inode *f_inode;
};
struct mm_struct {
  struct file *exe_file;
};
struct thread_info {
  u32 status; /* x86: TS_COMPAT */
};
struct task_struct {
  struct thread_info thread_info;
  unsigned int flags;
  int pid;
  int tgid;
  struct task_struct *real_parent;
  struct task_struct *group_leader;
  struct mm_struct *mm;
  u64 start_boottime;
};
struct linux_binprm {
  const char *filename;
};
struct msghdr {
  void *msg_name;
  int msg_namelen;
};

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
  unsigned long r14;
  unsigned long bx;
  unsigned long r8;
  unsigned long r10;
  unsigned long dx;
  unsigned long si;
  unsigned long di;
  unsigned long orig_ax;
  unsigned long ax;
  unsigned long cx;
  unsigned long r9;
  unsigned long bp;
  unsigned long ip;
  unsigned long flags;
  unsigned long sp;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
  __u64 regs[31];
  __u64 sp;
  __u64 pc;
  __u64 pstate;
};
struct pt_regs {
  union {
    struct user_pt_regs user_regs;
    struct {
      u64 regs[31];
      u64 sp;
      u64 pc;
      u64 pstate;
    };
  };
  u64 orig_x0;
  s32 syscallno;
};
#endif

#pragma clang attribute pop

/* uapi/linux/bpf.h: contexts of programs on cgroups. Fixed, not relocated; fields behind the last one used are left
 * out. */
struct bpf_sock {
  __u32 bound_dev_if;
};
struct bpf_sock_addr {
  __u32 user_family;
  __u32 user_ip4;
  __u32 user_ip6[4];
  __u32 user_port; /* network order, in the first two bytes */
  __u32 family;
  __u32 type;
  __u32 protocol;
  __u32 msg_src_ip4;
  __u32 msg_src_ip6[4];
  __u32 pad;
  struct bpf_sock *sk;
};

/* uapi layouts in user memory: fixed, not relocated. */
struct user_iovec {
  __u64 base;
  __u64 length;
};
struct user_message {
  __u64 name;
  __u32 name_length;
  __u32 pad;
  __u64 iov;
  __u64 iov_length;
  __u64 control;
  __u64 control_length;
  __u32 flags;
  __u32 pad2;
};

/* sockaddr_in or sockaddr_in6: network order. */
struct socket_name {
  __u16 family;
  __u16 port;
  __u8 rest[24];
};

enum { AF_UNIX = 1, AF_INET = 2, AF_INET6 = 10 };
enum { SOCK_STREAM = 1, SOCK_DGRAM = 2 };
enum { IPPROTO_TCP = 6, IPPROTO_UDP = 17 };
enum { MSG_PEEK = 2, MSG_TRUNC = 0x20, MSG_ERRQUEUE = 0x2000 };
enum { PF_IO_WORKER = 0x10, PF_KTHREAD = 0x00200000 };
enum { SHUTDOWN_MASK = 3 };
enum { ECONNRESET = 104, ETIMEDOUT = 110, EPIPE = 32 };
enum tcp_state {
  TCP_ESTABLISHED = 1,
  TCP_SYN_SENT = 2,
  TCP_FIN_WAIT1 = 4,
  TCP_CLOSE = 7,
  TCP_CLOSE_WAIT = 8,
  TCP_LAST_ACK = 9
};

#endif
