// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Tells block_trace.c, from inside of the VM, where to begin: runs an instruction that does nothing and that no other
// program has.
int main(void) {
  __asm__ volatile("nopl 0x70726f62(%rax)");
  return 0;
}
