/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * What libattach_target.so has. */
#ifndef PROBED_ATTACH_TARGET_H
#define PROBED_ATTACH_TARGET_H

/* Returns three times the number. */
int attach_target_work(int number);

#endif
