/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Maps that the core owns and every module's object shares (the loader replaces the module's definitions by the core's
 * file descriptors). Stream state lives in the socket: created at its first segment, freed with it.
 */
#ifndef PROBED_BPF_MAPS_H
#define PROBED_BPF_MAPS_H

#include <bpf/bpf_helpers.h>

#include "bpf/shared/layout.h"

/* Where a stream stands: one layer of a socket. Calls of both directions may run at once on two CPUs, so what one of
 * them writes at each call has a byte or word of its own per direction. */
struct pb_stream {
  __u16 slot; /* owner; 0: none */
  __u8 attempts;
  __u8 last_direction; /* + 1; 0: nothing seen */
  __u32 incarnation;
  __u32 chain_generation; /* under which it was found unclassified */
  __u32 wire_end[2];      /* TCP sequence number after the last byte seen */
  __u32 open_incarnation; /* OPEN was delivered to this incarnation */
  __u32 hint_generation;  /* under which no hint was about it */
  __u32 refused;          /* bit: a slot that gave it away */
  __u32 refused_until;    /* highest incarnation that did: later ones in those slots are other modules */
  __u16 shard;            /* of the cookie */
  __u8 seen[2];           /* wire_end and end mean something */
  __u32 taken[2];         /* of a direction's call under way, which is in end[] already: 1 + bytes other owners had */
  __u32 thread[2]; /* whose call is the last one of the direction: so a classifier knows which one it is asked about */
  __u64 route;     /* pb_route_make: what becomes of further calls; one word, so that it is read and written whole */
  __u64 end[2];    /* offset after the last byte seen */
  __u64 scratch[PB_SCRATCH_BYTES / 8];
};

enum pb_sock_flag {
  PB_SOCK_SELF = 1,
  PB_SOCK_CLOSED = 2,
  PB_SOCK_FROM_START = 16,
  PB_SOCK_CAUSE_PLAINTEXT = 64, /* cause_cookie is about that layer */
  PB_SOCK_PLAINTEXT = 128,      /* no socket's state, but that of the plaintext bound to one */
  PB_SOCK_DATAGRAM = 256,       /* each call moves one datagram */
  PB_SOCK_TUNNEL = 512          /* whatever its owner, it may come to carry what a probe knows of */
};

/* What a process encrypts and decrypts one connection with (in OpenSSL: an SSL). object 0: none. */
struct pb_plain_key {
  __u64 object;
  __u32 tgid;
  __u32 reserved;
};

struct pb_sock {
  __u32 target_generation;
  __u8 included; /* verdict under that generation */
  __u8 rule;
  __u16 flags;
  __u64 cookie;
  __u64 cause_cookie; /* reference at connect: the request being handled then */
  __u64 cause_offset;
  struct pb_plain_key plain; /* whose plaintext goes over this socket */
  struct pb_stream raw;      /* the stream of this layer */
};

/* First bytes of each direction, while nobody owns the stream. */
struct pb_gather {
  __u32 length[2];
  __u32 held[2];   /* of them, bytes of earlier segments: not yet shipped to anybody */
  __u64 offset[2]; /* of the first gathered byte */
  __u32 more;      /* somebody wants to see more before it decides */
  __u32 reserved;
  __u8 bytes[2][PB_HEAD_BYTES * 3]; /* a third is used: room for the verifier's worst case (pb_copy_vector) */
};

/* Where the datagram came from that a thread is about to have received from a socket that is not connected. */
struct pb_source {
  __u64 thread; /* 0: nothing noted */
  struct pb_peer peer;
};

/* The request that a thread works for. cookie 0: none. */
struct pb_cause {
  __u64 thread; /* whose it is, in pb_causes; 0: nobody's */
  __u64 cookie;
  __u64 offset;
  __u32 layer;
  __u32 reserved;
};

/* What a thread is doing. The execution context is the thread until a provider says otherwise. */
struct pb_task {
  struct pb_cause cause; /* of a thread whose place in pb_causes is another one's */
  __u64 message_vector;  /* recvmmsg/sendmmsg under way: its vector, and the next message's index */
  __u64 plain_object;    /* the thread is inside a call about this object; 0: it is not */
  __u64 plain_address;   /* where that call's plaintext is, or will be; 0: not in user memory */
  __u64 plain_count;     /* where that call says how many bytes went through; 0: it returns it */
  __u64 fed_object;      /* whose plaintext is being handed to a protocol module */
  __u32 fed_length;
  __u32 plain_bind; /* enum pb_bind */
  __u32 message_index;
  __u32 verdict_mark; /* target generation + 1 under which the verdict below was given; 0: none */
  __u8 verdict;       /* enum pb_verdict_flag */
  __u8 rule;
  __u8 reserved[6];
};

/* Plaintext of one connection. Its state is like a socket's, so that the same code serves both layers. */
struct pb_plain {
  struct pb_plain_key key;
  struct pb_sock state;
  struct pb_open open; /* of the socket it is bound to */
};

struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct pb_sock);
} pb_socks SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct pb_gather);
} pb_gathers SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct pb_source);
} pb_sources SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct pb_task);
} pb_tasks SEC(".maps");

/* By thread id: a place is looked up in less than half the time that a thread's storage takes
 * (bpf/include/cause.bpf.h). */
enum { PB_CAUSES = 32768 };
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, PB_CAUSES);
  __type(key, __u32);
  __type(value, struct pb_cause);
} pb_causes SEC(".maps");

/* A section of its own and not a map of one entry: programs then have its address and need not look it up. */
struct pb_control pb_controls SEC(".data.pb_controls");

/* index = slot * shards + shard; sized by the loader */
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, PB_MAX_SLOTS);
  __type(key, __u32);
  __type(value, struct pb_counters);
} pb_counters SEC(".maps");

/* Rings of the modules, index as above; an element is set while its module is loaded. */
struct pb_ring_template {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 21);
};
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, PB_MAX_SLOTS);
  __type(key, __u32);
  __array(values, struct pb_ring_template);
} pb_rings SEC(".maps");

/* Uprobe programs may not use socket storage. Entries of processes that ended without closing make room by themselves.
 */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 8192);
  __type(key, struct pb_plain_key);
  __type(value, struct pb_plain);
} pb_plains SEC(".maps");

/* Something that runs on one thread after the other (a goroutine), by what its process tells it by. */
struct pb_context_key {
  __u64 context;
  __u32 tgid;
  __u32 reserved;
};

enum pb_call_flag {
  PB_CALL_ANCHORED = 1,
  PB_CALL_ONCE = 2 /* until its first socket call */
};

/* The call about an object that such a context is inside of: what struct pb_task holds for threads. */
struct pb_call {
  __u64 object;
  __u64 address; /* of the plaintext; less the anchor, if there is one */
  __u32 bind;    /* enum pb_bind */
  __u16 slot;    /* whose probe said so; void once that module is gone */
  __u16 flags;   /* enum pb_call_flag */
  __u32 incarnation;
  __u32 reserved;
};

/* Contexts that end inside a call, and processes, make room by themselves. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 8192);
  __type(key, struct pb_context_key);
  __type(value, struct pb_call);
} pb_calls SEC(".maps");

/* What an object made of its plaintext in memory: the socket that sends it is the object's. The first bytes stand for
 * all of it; behind a record's head they are random (of a hello) or encrypted. */
enum { PB_SEAL_BYTES = 32 };
struct pb_seal {
  __u64 words[PB_SEAL_BYTES / 8];
  __u32 tgid;
  __u32 reserved;
};

/* Each is taken once. What never goes over a socket makes room by itself. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, struct pb_seal);
  __type(value, __u64); /* the object */
} pb_seals SEC(".maps");

/* pb_control.contexts: what there may be beside the calls that threads are inside of. */
enum pb_context_flag { PB_CONTEXT_CALLS = 1, PB_CONTEXT_SEALS = 2 };

/* First bytes of plaintext that nobody owns yet: pb_gathers of the other layer. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 512);
  __type(key, struct pb_plain_key);
  __type(value, struct pb_gather);
} pb_plain_heads SEC(".maps");

#endif
