/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Kernel side of the test module: one event at the entry of attach_target_work, one at its return; and the plaintext of
 * sessions, handed to whoever speaks its protocol. */
#include "api/sdk/bpf/probed.bpf.h"
#include "tests/modules/attach_probe/events.h"

PROBED_MODULE();

PROBED_UPROBE(attach_called) {
  const struct attach_probe_event event = {.number = (int)probed_argument(registers, 1)};
  return probed_ship_event(probe, ATTACH_PROBE_CALLED, &event, sizeof(event));
}

PROBED_UPROBE(attach_returned) {
  const struct attach_probe_event event = {.number = (int)probed_result(registers)};
  return probed_ship_event(probe, ATTACH_PROBE_RETURNED, &event, sizeof(event));
}

/* session, bytes, size: of both directions. */
PROBED_UPROBE(session_enter) {
  return probed_plaintext_begin(probed_argument(registers, 1), probed_argument(registers, 2), PB_BIND_ANY);
}

PROBED_UPROBE(session_wrote) {
  return probed_plaintext_commit(probe, registers, PB_SENT, (int)probed_result(registers));
}

PROBED_UPROBE(session_read) {
  return probed_plaintext_commit(probe, registers, PB_RECEIVED, (int)probed_result(registers));
}
