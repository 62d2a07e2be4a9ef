/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Kernel side of the DNS module: recognises messages on any port, and ships them whole.
 */
#include "api/sdk/bpf/probed.bpf.h"
#include "modules/dns/bpf/dns_classify.h"

PROBED_MODULE();

PROBED_CLASSIFY(dns) {
  return head->datagram && dns_is_message(head->bytes, head->length) ? PROBED_MINE : PROBED_NOT_MINE;
}

PROBED_DATAGRAM(dns) {
  const __u8 flags = probed_direction(datagram) == PB_SENT ? PROBED_SHIP_CAUSE : 0;
  return probed_ship_datagram(datagram, probed_capture_bytes(datagram), flags);
}
