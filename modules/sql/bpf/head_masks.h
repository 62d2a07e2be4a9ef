/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Which of the first 64 bytes of a direction are of a kind: a bit each. No loop over bytes and no branch, because the
 * verifier follows every way through nested ones (over a million instructions here). No includes and no kernel types:
 * compiled for the kernel and for the host.
 */
#ifndef PROBED_MOD_SQL_HEAD_MASKS_H
#define PROBED_MOD_SQL_HEAD_MASKS_H

enum { SQL_HEAD_BYTES = 64 };

#define SQL_INLINE static inline __attribute__((always_inline))

struct sql_masks {
  unsigned long long zero;
  unsigned long long odd;  /* not text: control characters but blanks. Zeros too */
  unsigned long long high; /* neither 0 nor 1 */
  unsigned long long wide; /* above 127 */
};

/* The highest bit of each byte of a word stands for the byte. */
#define SQL_EACH(byte) (0x0101010101010101ULL * (byte))
SQL_INLINE unsigned long long sql_zeros(unsigned long long word) {
  return ~(((word & SQL_EACH(0x7f)) + SQL_EACH(0x7f)) | word | SQL_EACH(0x7f));
}
SQL_INLINE unsigned long long sql_equals(unsigned long long word, unsigned byte) {
  return sql_zeros(word ^ SQL_EACH(byte));
}
/* Below 32. */
SQL_INLINE unsigned long long sql_controls(unsigned long long word) {
  return ~(((word & SQL_EACH(0x7f)) + SQL_EACH(0x60)) | word) & SQL_EACH(0x80);
}
/* The eight highest bits as the lowest eight. */
SQL_INLINE unsigned long long sql_gathered(unsigned long long high_bits) {
  return ((high_bits >> 7) * 0x0102040810204080ULL) >> 56;
}

SQL_INLINE void sql_masks_of(const unsigned char *bytes, struct sql_masks *out) {
  out->zero = out->odd = out->high = out->wide = 0;
  for (unsigned i = 0; i < SQL_HEAD_BYTES / 8; i++) {
    unsigned long long word;
    __builtin_memcpy(&word, bytes + i * 8, 8);
    const unsigned long long zero = sql_zeros(word);
    const unsigned long long blank = sql_equals(word, '\t') | sql_equals(word, '\n') | sql_equals(word, '\r');
    const unsigned long long odd = (sql_controls(word) & ~blank) | sql_equals(word, 0x7f);
    out->zero |= sql_gathered(zero) << (i * 8);
    out->odd |= sql_gathered(odd) << (i * 8);
    out->high |= sql_gathered(SQL_EACH(0x80) & ~(zero | sql_equals(word, 1))) << (i * 8);
    out->wide |= sql_gathered(word & SQL_EACH(0x80)) << (i * 8);
  }
}

/* Bits of the bytes from `begin` on and before `end`; both may be beyond the head. */
SQL_INLINE unsigned long long sql_bits(unsigned begin, unsigned end) {
  const unsigned long long before_begin = begin < 64 ? (1ULL << begin) - 1 : ~0ULL;
  const unsigned long long before_end = end < 64 ? (1ULL << end) - 1 : ~0ULL;
  return before_end & ~before_begin;
}

/* How many bits stand before the lowest one: 64: there is none. Found without a branch, so that to the verifier it is
 * one number and not 65 (docs/verifier_cookbook.md#loops). */
SQL_INLINE unsigned sql_first(unsigned long long bits) {
  unsigned long long before = (bits & (0 - bits)) - 1;
  before -= before >> 1 & 0x5555555555555555ULL;
  before = (before & 0x3333333333333333ULL) + (before >> 2 & 0x3333333333333333ULL);
  before = (before + (before >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
  return (unsigned)(before * SQL_EACH(1) >> 56);
}
/* Of eight bits; 8: there is none. */
SQL_INLINE unsigned sql_lowest(unsigned long long bits) { return sql_first(bits | 1 << 8); }

#endif
