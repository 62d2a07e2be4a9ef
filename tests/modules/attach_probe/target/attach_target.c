/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * The library that module attach_probe probes. */
#include "attach_target.h"

__attribute__((visibility("default"), noinline)) int attach_target_work(int number) {
  __asm__ volatile("" : "+r"(number));
  return number * 3;
}
