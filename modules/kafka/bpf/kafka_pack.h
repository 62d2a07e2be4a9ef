/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * What is shipped of a message that is longer than what is shipped whole: its first bytes, then the heads of all record
 * batches and what lies between the partitions; the batches' bodies are left out. Nothing here knows versions or what
 * is asked for: a partition's first batch is known by how its head looks and by the length of the records, which stands
 * in front of it and must fit. How it looks does not suffice: in one topic id of eight a head seems to begin when
 * partition 2 comes first. It may still be wrong. The decoder, which knows the layout, then meets a hole where it must
 * read on and counts nothing.
 *
 *   head of a batch   0 base offset (8) | 8 length of what follows (4) | 12 epoch (4) | 16 magic, here 2 (1)
 *                     17 crc (4) | 21 attributes (2) | 23 last offset delta (4) | 27 times, producer, sequence (30)
 *                     57 number of records (4) | 61 the records
 *
 *   record shipped    pieces, of each: bytes left out before it (4) | its length (4) | its bytes; numbers little endian
 */
#ifndef PROBED_MOD_KAFKA_PACK_H
#define PROBED_MOD_KAFKA_PACK_H

/* Kernel types and helpers come from api/sdk/bpf/probed.bpf.h; tests bring their own and walk ordinary memory. */
#include "modules/kafka/bpf/kafka_walk.h"

enum {
  KFK_BATCH_HEAD = 61,
  KFK_BATCH_UNCOUNTED = 12, /* bytes of a head that its length does not count */
  KFK_BATCH_MAGIC = 2,
  KFK_BEFORE = 9,               /* bytes in front of the first head of a partition that tell how long its records are */
  KFK_CARRY = 80,               /* a head but one byte, and those in front of it: multiple of 8 */
  KFK_CHUNK = 128,              /* read at once */
  KFK_MOST_SOUGHT = 2048,       /* bytes in which there must be a first batch */
  KFK_MOST_BETWEEN = 16 * 1024, /* and a next one, behind partitions that have none */
  KFK_PACKED = 4096,            /* bytes of a record */
  KFK_PIECE_HEAD = 8,
  KFK_PACK_STEPS = 2048,
  KFK_NOWHERE = 0,
  KFK_KIND_BYTES = 16, /* of the beginning of a message, that tell what it is */
};
enum { KFK_UNKNOWN = 0, KFK_PRODUCE = 1, KFK_FETCH = 2 /* or any other */ };

/* A long message between two segments. Zeroed memory: nothing of it was seen. */
struct kfk_large {
  __u8 window[KFK_CARRY + KFK_CHUNK + KFK_CARRY]; /* what was seen last, up to KFK_CARRY; then a chunk; room */
  __u32 have;                                     /* bytes of it in which a head may begin that is not whole yet */
  __u32 hop;                                      /* bytes of the batch under way that are still to come */
  __u32 records; /* bytes of the partition's batches behind that one; 0: none, or not known */
  __u32 sought;  /* bytes since a head was expected */
  __u32 most;    /* of them */
  __u32 begun;   /* bytes of the message that went by while its kind was not known */
  __u32 kind;
};

/* One run over a segment. */
struct kfk_pack {
  __u64 vector;  /* next iovec */
  __u64 address; /* next byte */
  __u32 vectors; /* iovecs left */
  __u32 piece;   /* bytes at `address` */
  __u32 rest;    /* bytes of the message in the segment that were not walked yet, those of the piece included */
  __u32 left;    /* bytes of the message that were not */
  __u32 head;    /* how many of them are shipped whole */
  __u32 out;     /* bytes in the record */
  __u32 skipped; /* bytes since the last piece in it */
  __u32 stray;   /* user memory could not be read, or there are no batches */
};

/* Twice the room, because the verifier cannot relate position and length (docs/verifier_cookbook.md, "Copying from an
 * iovec array"). */
struct kfk_pack_room {
  __u8 data[2 * KFK_PACKED + KFK_PIECE_HEAD];
};

struct kfk_pack_step {
  __u8 *to;
  struct kfk_pack *walk;
  struct kfk_large *large;
};

struct kfk_scan {
  const struct kfk_large *large;
  __u32 from;
  __u32 left;    /* bytes of the message behind the carry */
  __u32 found;   /* position of a head in the window; KFK_NOWHERE */
  __u32 records; /* bytes of the partition's batches from that one on */
};

static __always_inline const void *kfk_user(__u64 address) {
  return (const void *)address; /* NOLINT(performance-no-int-to-ptr) */
}

/* In the kernel one access each, for clang would make four of a copy; tests run it where they must be aligned. */
#ifdef __bpf__
static __always_inline __u32 kfk_word(const __u8 *bytes) { return *(const __u32 *)bytes; }
static __always_inline void kfk_put_word(__u8 *bytes, __u32 word) { *(__u32 *)bytes = word; }
#else
static __always_inline __u32 kfk_word(const __u8 *bytes) {
  __u32 word;
  __builtin_memcpy(&word, bytes, sizeof(word));
  return word;
}
static __always_inline void kfk_put_word(__u8 *bytes, __u32 word) { __builtin_memcpy(bytes, &word, sizeof(word)); }
#endif
static __always_inline __u32 kfk_number(const __u8 *bytes) { return __builtin_bswap32(kfk_word(bytes)); }

static __always_inline void kfk_pass(struct kfk_pack *walk, __u32 count) {
  walk->address += count;
  walk->piece -= count;
  walk->rest -= count;
  walk->left -= count;
  walk->head -= kfk_least(walk->head, count);
}

/* The next iovec becomes the piece at hand. */
static __always_inline long kfk_next_piece(struct kfk_pack *walk) {
  struct user_iovec part;
  if (!walk->vectors || bpf_probe_read_user(&part, sizeof(part), kfk_user(walk->vector))) {
    walk->stray = 1;
    return 1;
  }
  walk->vector += sizeof(part);
  walk->vectors--;
  walk->address = part.base;
  walk->piece = part.length < walk->rest ? (__u32)part.length : walk->rest;
  return 0;
}

/* Puts the next `count` bytes into the record. */
static __always_inline long kfk_put(__u8 *to, struct kfk_pack *walk, __u32 count) {
  __u8 *at = to + pb_clamp(walk->out, KFK_PACKED);
  count = (__u32)pb_clamp(count, KFK_PACKED);
  if (bpf_probe_read_user(at + KFK_PIECE_HEAD, count, kfk_user(walk->address))) {
    walk->stray = 1;
    return 1;
  }
  kfk_put_word(at, walk->skipped);
  kfk_put_word(at + 4, count);
  walk->out += KFK_PIECE_HEAD + count;
  walk->skipped = 0;
  kfk_pass(walk, count);
  return 0;
}

/* --- how long a partition's records are, and of what message they are ------------------------------------------- */

/* As flexible versions write it, in `bytes` bytes, plus one; 0: it is not. */
static __always_inline __u32 kfk_varint_before(const __u8 *end, __u32 bytes) {
  __u32 value = 0;
  if (end[-1] & 0x80) return 0;
  for (__u32 i = 1; i <= bytes; i++) {
    const __u8 byte = end[-(int)i];
    if (i > 1 && !(byte & 0x80)) return 0;
    value = value << 7 | (byte & 0x7f);
  }
  return value;
}

struct kfk_before {
  __u8 bytes[KFK_BEFORE];
};

/* `batch`: size of the first one; `most`: of what there can be; `kind`: of the message. 0: no such length is there. A
 * Produce has one batch a partition. In a Fetch of a flexible version stands -1 in front, unless the consumer is sent
 * to another broker. Global: checked once (docs/verifier_cookbook.md#global-functions). */
__noinline __u32 kfk_records_before(const struct kfk_before *before, __u32 batch, __u32 most, __u32 kind) {
  if (!before || batch > most) return 0;
  const __u8 *end = before->bytes + KFK_BEFORE;
  const __u32 classic = kfk_number(end - 4);
  if (kind == KFK_PRODUCE) most = batch;
  for (__u32 bytes = 1; bytes <= 5; bytes++) {
    const __u32 length = kfk_varint_before(end, bytes) - 1;
    if (length < batch || length > most) continue;
    if (kind == KFK_PRODUCE || kfk_word(end - bytes - 4) == ~0U) return length;
  }
  return classic >= batch && classic <= most ? classic : 0;
}

/* What the message is that begins at `start`. The first responses of a connection have small numbers where requests
 * have key and version, but no name of a client behind them. */
static __always_inline __u32 kfk_kind_of(const __u8 *start) {
  const __u32 api = kfk_number(start + 4);
  const __u32 name = kfk_number(start + 12) >> 16;
  const int named = name == KFK_NO_TEXT || (name && name <= KFK_MOST_CLIENT_ID && start[14] >= 0x20);
  return api <= KFK_MOST_VERSION && named ? KFK_PRODUCE : KFK_FETCH;
}

/* --- where batches begin ---------------------------------------------------------------------------------------- */

/* Compaction takes records away, but not the offsets they had. */
static __always_inline int kfk_is_batch(const __u8 *head) {
  const __u32 length = kfk_number(head + 8);
  const __u32 last = kfk_number(head + 23);
  return head[16] == KFK_BATCH_MAGIC && !(head[0] & 0x80) && !head[21] && length <= KFK_MOST_RESPONSE &&
         length + KFK_BATCH_UNCOUNTED >= KFK_BATCH_HEAD && last < ~0U >> 1 && kfk_number(head + 57) <= last + 1;
}

/* Bytes of the partition's batches from the one at `at` of the window on; 0: none begins there. */
static __always_inline __u32 kfk_records_at(const struct kfk_scan *scan, __u32 at) {
  const struct kfk_large *large = scan->large;
  const __u8 *head = large->window + at;
  if (!kfk_is_batch(head)) return 0;
  if (large->records) return large->records;
  return kfk_records_before((const struct kfk_before *)(head - KFK_BEFORE), kfk_number(head + 8) + KFK_BATCH_UNCOUNTED,
                            scan->left + KFK_CARRY - at, large->kind);
}

static long kfk_scan_step(__u32 index, struct kfk_scan *scan) {
  const __u32 at = KFK_BEFORE + (__u32)pb_clamp(scan->from + index - KFK_BEFORE, KFK_CARRY + KFK_CHUNK - KFK_BEFORE);
  const __u32 records = kfk_records_at(scan, at);
  if (!records) return 0;
  scan->found = at;
  scan->records = records;
  return 1;
}

/* Where in the window a head begins that ends in the `count` bytes behind the carry, `left` being those of the message
 * there. Within a partition it begins where the batch before ended or nowhere. */
static __always_inline struct kfk_scan kfk_find_batch(const struct kfk_large *large, __u32 count, __u32 left) {
  struct kfk_scan scan = {.large = large, .from = KFK_CARRY - large->have, .left = left, .found = KFK_NOWHERE};
  if (large->have + count < KFK_BATCH_HEAD) return scan;
  bpf_loop(large->records ? 1 : large->have + count - KFK_BATCH_HEAD + 1, kfk_scan_step, &scan, 0);
  return scan;
}

/* Where the batch under way has ended: what is there of a next one that was cut counts as its end. */
static __always_inline void kfk_end_batch(struct kfk_large *large) {
  if (large->hop || large->records >= KFK_BATCH_HEAD) return;
  large->hop = large->records;
  large->records = 0;
}

/* The head that was found is at hand. */
static __always_inline void kfk_begin_batch(struct kfk_large *large, const struct kfk_scan *scan) {
  const __u32 at = (__u32)pb_clamp(scan->found, KFK_CARRY + KFK_CHUNK);
  const __u32 batch = kfk_number(large->window + at + 8) + KFK_BATCH_UNCOUNTED;
  const __u32 here = kfk_least(batch, scan->records); /* a broker cuts the last one anywhere */
  large->records = scan->records - here;
  large->hop = here - KFK_BATCH_HEAD;
  large->have = 0;
  large->sought = 0;
  large->most = KFK_MOST_BETWEEN;
  kfk_end_batch(large);
}

/* The carry becomes the last bytes of what is in the window: moved word by word, from the front, for the stack is full.
 */
static __always_inline void kfk_keep_carry(struct kfk_large *large, __u32 count) {
  const __u8 *from = large->window + pb_clamp(count, KFK_CHUNK);
  for (__u32 i = 0; i < KFK_CARRY / 4; i++) kfk_put_word(large->window + i * 4, kfk_word(from + i * 4));
}

/* --- the walk --------------------------------------------------------------------------------------------------- */

/* `count` more bytes of the batch under way went by. */
static __always_inline void kfk_hop(struct kfk_large *large, __u32 count) {
  large->hop -= count;
  kfk_end_batch(large);
}

static __always_inline long kfk_pack_hop(struct kfk_pack_step *step) {
  struct kfk_pack *walk = step->walk;
  struct kfk_large *large = step->large;
  __u32 count = kfk_least(large->hop, walk->piece);
  if (walk->head) {
    count = kfk_least(kfk_least(count, walk->head), KFK_PACKED - KFK_PIECE_HEAD - walk->out);
    if (kfk_put(step->to, walk, count)) return 1;
  } else {
    walk->skipped += count;
    kfk_pass(walk, count);
  }
  kfk_hop(large, count);
  return 0;
}

static __always_inline long kfk_pack_seek(struct kfk_pack_step *step) {
  struct kfk_pack *walk = step->walk;
  struct kfk_large *large = step->large;
  __u32 count = (__u32)pb_clamp(kfk_least(walk->piece, KFK_CHUNK), KFK_CHUNK);
  if (bpf_probe_read_user(large->window + KFK_CARRY, count, kfk_user(walk->address))) {
    walk->stray = 1;
    return 1;
  }
  if (large->kind == KFK_UNKNOWN && large->begun + count >= KFK_KIND_BYTES)
    large->kind = kfk_kind_of(large->window + pb_clamp(KFK_CARRY - large->begun, KFK_CARRY));
  large->begun += count;
  const struct kfk_scan scan = kfk_find_batch(large, count, walk->left);
  if (scan.found != KFK_NOWHERE) {
    count = scan.found + KFK_BATCH_HEAD - KFK_CARRY;
    kfk_begin_batch(large, &scan);
  } else {
    walk->stray = large->sought + count > large->most || (large->records && large->have + count >= KFK_BATCH_HEAD);
    kfk_keep_carry(large, count);
    large->have = kfk_least(large->have + count, KFK_BATCH_HEAD - 1);
    large->sought += count;
  }
  return kfk_put(step->to, walk, count) || walk->stray;
}

static long kfk_pack_one(__u32 index, struct kfk_pack_step *step) {
  const struct kfk_pack *walk = step->walk;
  if (!walk->rest || walk->out + KFK_PIECE_HEAD + KFK_CHUNK > KFK_PACKED) return 1;
  if (!walk->piece) return kfk_next_piece(step->walk);
  if (step->large->hop) return kfk_pack_hop(step);
  return kfk_pack_seek(step);
}

/* Walks until the message or the segment ends, the record is full or the steps are used up. */
__noinline int kfk_pack_walk(struct kfk_pack_room *to, struct kfk_pack *walk, struct kfk_large *large) {
  if (!to || !walk || !large) return 0;
  struct kfk_pack_step step = {.to = to->data, .walk = walk, .large = large};
  bpf_loop(KFK_PACK_STEPS, kfk_pack_one, &step, 0);
  return 0;
}

/* The way's long message goes on at run->skip. */
static __always_inline void kfk_pack_begin(const struct kfk_run *run, struct kfk_way *way, struct kfk_large *large,
                                           struct kfk_pack *walk) {
  if (way->state & KFK_FRESH) {
    large->have = large->hop = large->records = large->sought = 0;
    large->most = KFK_MOST_SOUGHT;
    large->kind = KFK_UNKNOWN;
    large->begun = way->tail + run->limit - way->left;
    way->state &= (__u8)~KFK_FRESH;
  }
  walk->left = way->left;
  walk->rest = kfk_least(way->left, run->total - run->skip);
  walk->head = way->left > way->tail ? way->left - way->tail : 0;
}

/* Whether none of it is shipped. */
static __always_inline int kfk_pack_is_body(const struct kfk_pack *walk, const struct kfk_large *large) {
  return !walk->head && large->hop >= walk->rest;
}

static __always_inline void kfk_pack_skip(struct kfk_pack *walk, struct kfk_large *large) {
  kfk_hop(large, walk->rest);
  walk->left -= walk->rest;
  walk->rest = 0;
}

/* Returns how many bytes were walked. */
static __always_inline __u32 kfk_pack_end(struct kfk_way *way, const struct kfk_pack *walk) {
  const __u32 passed = way->left - walk->left;
  way->at += passed;
  way->left = walk->left;
  if (walk->stray) way->state |= KFK_ASTRAY;
  return passed;
}

#endif
