/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * The compiled core object as bytes of the daemon. libelf wants it aligned. */
    .section .rodata
    .balign 16
    .global probed_core_begin
    .global probed_core_end
probed_core_begin:
    .incbin PROBED_CORE_OBJECT
probed_core_end:
    .section .note.GNU-stack,"",%progbits
