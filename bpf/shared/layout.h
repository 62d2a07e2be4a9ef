/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Layouts that kernel programs and the daemon share: ring records, control words, counters, target rules. Fixed-width
 * members in an order that leaves no holes. Included from BPF C (after kernel_types.h) and from C++.
 */
#ifndef PROBED_BPF_LAYOUT_H
#define PROBED_BPF_LAYOUT_H

#ifndef __bpf__
#include <linux/types.h>
#endif

enum {
  PB_MAX_SLOTS = 32,      /* slot 0 is the core's own line; modules use 1..31 */
  PB_MAX_SHARDS = 16,     /* one per 8 CPUs */
  PB_HEAD_BYTES = 64,     /* gathered per direction for classification */
  PB_SCRATCH_BYTES = 48,  /* a module's own state per stream */
  PB_SETTINGS_BYTES = 48, /* a module's own settings (PROBE_KERNEL_SETTINGS_MAX) */
  PB_MAX_RULES = 64,
};

/* Programs of one slot in a PROG_ARRAY: index = slot * PB_SLOT_PROGRAMS + one of these. */
enum pb_slot_program {
  PB_CLASSIFY = 0,
  PB_RX = 1,
  PB_TX = 2,
  PB_DATAGRAM_RX = 3,
  PB_DATAGRAM_TX = 4,
  PB_SLOT_PROGRAMS = 5
};

/* What a classifier chain is about: a module that has no programs for one of them is never asked about it. */
enum pb_chain { PB_CHAIN_STREAMS = 0, PB_CHAIN_DATAGRAMS = 1, PB_CHAINS = 2 };

enum pb_record_type {
  PB_RECORD_SEGMENT = 1,
  PB_RECORD_OPEN = 2,     /* payload: struct pb_open */
  PB_RECORD_CLOSE = 3,    /* hint: enum probe_close_reason */
  PB_RECORD_DATAGRAM = 4, /* payload: struct pb_peer, then bytes */
  PB_RECORD_EVENT = 5,    /* payload: struct pb_event, then the module's own */
  PB_RECORD_PROCESS = 6,  /* payload: struct pb_process; core ring only */
};

/* Which socket calls inside a probed call are taken for the object's. */
enum pb_bind {
  PB_BIND_ANY = 0,
  PB_BIND_TLS = 1, /* those whose bytes begin like a TLS record */
};

/* Flags of a segment: enum probe_segment_flag of the module ABI. */
enum pb_segment_flag { PB_SEGMENT_TRUNCATED = 1, PB_SEGMENT_UNREADABLE = 2, PB_SEGMENT_SKIPPED = 4 };

/* Head of every record in a ring; `captured` bytes (or a payload) follow. */
struct pb_record {
  __u32 size; /* of head and bytes in use; the reservation may be larger */
  __u8 type;
  __u8 layer;
  __u8 direction;
  __u8 flags;
  __u16 slot;
  __u16 cpu;
  __u32 generation;
  __u64 ktime_ns;
  __u64 sequence; /* per (ring, CPU), from 0: a gap is a loss */
  __u64 cookie;
  __u64 offset;
  __u32 total;
  __u32 captured;
  __u32 thread_id;
  __u32 tgid;
  __u32 wire_sequence;
  __u16 incarnation;
  __u8 hint;
  __u8 cause_layer;
  __u64 cause_cookie;
  __u64 cause_offset;
};

struct pb_open {
  __u64 tgid_start_ns;
  __u64 cgroup_id;
  __u8 local[16];
  __u8 peer[16];
  __u16 local_port;
  __u16 peer_port;
  __u16 transport;
  __u8 family;
  __u8 from_start;
  __u32 netns;
  __u32 rule; /* index of the target rule that let it in; PB_MAX_RULES: none */
};

struct pb_peer {
  __u8 address[16];
  __u16 port;
  __u8 family;
  __u8 reserved[5];
};

struct pb_event {
  __u64 tgid_start_ns;
  __u32 kind; /* the module's own meaning */
  __u32 rule; /* index of the target rule that let it in; PB_MAX_RULES: none */
};

enum pb_process_event { PB_PROCESS_FORK = 1, PB_PROCESS_EXEC = 2, PB_PROCESS_EXIT = 3 };
struct pb_process {
  __u64 start_ns;
  __u64 cgroup_id;
  __u32 tgid;
  __u32 parent;
  __u64 inode;
  __u32 device;
  __u32 event; /* enum pb_process_event */
};

/* One line per slot, shard and CPU. Each hook call ends in exactly one of peek..submitted, but for calls on a socket
 * that was found to be no target: `hooked` and `filtered` count the call with that verdict, none after it. */
struct pb_counters {
  __u64 hooked;
  __u64 peek;
  __u64 error; /* failed calls, and reads of the end of a stream */
  __u64 filtered;
  __u64 unclassified;
  __u64 skipped; /* inside a body */
  __u64 sampled;
  __u64 fault; /* user memory could not be read, or no storage */
  __u64 ring_full;
  __u64 submitted;
  __u64 extra;     /* records beyond the first of one hook call */
  __u64 opens;     /* OPEN and CLOSE records, apart from hook calls */
  __u64 open_full; /* OPEN or CLOSE records that found no room (an OPEN is tried again) */
  __u64 truncated;
  __u64 unreadable;
  __u64 unbound;       /* plaintext of an object whose socket is not known */
  __u64 sequence;      /* of the next record in the ring */
  __u64 generation[2]; /* records submitted, by parity of the generation */
};

/* Settings of a slot under one generation: written whole before the generation word flips to it. */
struct pb_settings {
  __u32 generation;
  __u32 capture_bytes;
  __u8 values[PB_SETTINGS_BYTES];
};

/* Control words, one mapped element. The daemon writes, programs read; but for `contexts`. */
struct pb_control {
  __u32 target_generation; /* verdicts cached under another one are void */
  __u32 chain_generation;  /* bit 0 selects the chain; any change re-tries unclassified streams */
  __u32 self_tgid;
  __u32 shards; /* power of two */
  __u32 ring_half_bytes;
  __u32 hint_generation;                 /* moves on when a struct pb_hint was put down */
  __u8 next[2][PB_CHAINS][PB_MAX_SLOTS]; /* classifier chains: next[select][kind][0] is the first slot, 0 ends it */
  __u32 incarnation[PB_MAX_SLOTS];
  __u32 parity[PB_MAX_SLOTS]; /* which of a slot's settings are current */
  __u32 probers;              /* slots, as bits, of modules with probes: a socket call may be part of a probed one */
  __u32 route_epoch;          /* moves on after each change above that decides where a stream's calls go; never 0 */
  __u32 contexts;             /* enum pb_context_flag; set by the first probe of a kind */
  __u32 reserved;
  struct pb_settings settings[PB_MAX_SLOTS][2]; /* by parity: the next ones are written whole, then parity flips */
};

/* What user space asks of one stream: that its owner gets no more of it. */
struct pb_hint {
  __u64 offset;      /* of the received direction: from here on */
  __u16 incarnation; /* of the owner it is about */
  __u16 heir;        /* slot that takes over; 0: whoever claims it */
  __u32 reserved;
};

/* Target rules as bit masks: bit i is rule i. A criterion a rule does not name is set in its any_* mask. */
struct pb_rules {
  __u64 include;
  __u64 exclude;
  __u64 any_exe;
  __u64 any_port;
  __u64 any_pid;
  __u64 any_cgroup;
};

struct pb_exe_key {
  __u64 inode;
  __u32 device; /* kernel encoding: major << 20 | minor */
  __u32 reserved;
};

/* Address pair of a connection whose other end is the daemon's. */
struct pb_tuple {
  __u8 local[16];
  __u8 peer[16];
  __u16 local_port;
  __u16 peer_port;
  __u32 reserved;
};

#endif
