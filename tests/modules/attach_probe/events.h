/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
 *
 * Events of module attach_probe, as its kernel side ships and its decoder reads them. */
#ifndef PROBED_ATTACH_PROBE_EVENTS_H
#define PROBED_ATTACH_PROBE_EVENTS_H

enum attach_probe_kind { ATTACH_PROBE_CALLED = 1, ATTACH_PROBE_RETURNED = 2 };

/* Payload of both kinds. */
struct attach_probe_event {
  int number; /* the argument, or what was returned */
};

#endif
