/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Kernel side of the test module: one event at the entry of attach_target_work, one at its return. */
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
