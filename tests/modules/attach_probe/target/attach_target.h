/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * What libattach_target.so has. */
#ifndef PROBED_ATTACH_TARGET_H
#define PROBED_ATTACH_TARGET_H

#include <stddef.h>
#include <sys/types.h>

/* Returns three times the number. */
int attach_target_work(int number);

/* A connection whose bytes are "encrypted": each with 0x5a flipped. */
struct attach_session {
  int socket;
};

/* Both return what went through, 0 at the end of the stream, -1 on failure; like SSL_write and SSL_read. */
ssize_t attach_session_write(struct attach_session *session, const char *bytes, size_t size);
ssize_t attach_session_read(struct attach_session *session, char *bytes, size_t size);

#endif
