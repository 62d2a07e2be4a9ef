/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Kernel side of the template: recognises "PING ", and ships every segment of the stream. Compiled once per attach
 * prototype by add_probe_module(); the names become programs mod_classify, mod_rx and mod_tx.
 */
#include "api/sdk/bpf/probed.bpf.h"

PROBED_MODULE();

/* "PING" as a little-endian word. */
enum { PING_WORD = 0x474e4950, PING_BYTES = 5 };

PROBED_CLASSIFY(mod) {
  if (head->length < PING_BYTES) return PROBED_MORE;
  const __u32 word = *(const __u32 *)head->bytes;
  return word == PING_WORD && head->bytes[4] == ' ' ? PROBED_MINE : PROBED_NOT_MINE;
}

PROBED_SEGMENT(mod) {
  const __u8 flags = probed_direction(segment) == PB_SENT ? PROBED_SHIP_CAUSE : 0;
  return probed_ship(segment, 0, probed_capture_bytes(segment), 0, flags, 0);
}
