/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * The library that module attach_probe probes. */
#include "attach_target.h"

#include <sys/socket.h>

enum { FLIPPED = 0x5a, CHUNK = 4096 };

__attribute__((visibility("default"), noinline)) int attach_target_work(int number) {
  __asm__ volatile("" : "+r"(number));
  return number * 3;
}

static void flip(char *to, const char *from, size_t size) {
  for (size_t i = 0; i < size; ++i) to[i] = (char)(from[i] ^ FLIPPED);
}

__attribute__((visibility("default"), noinline)) ssize_t attach_session_write(struct attach_session *session,
                                                                              const char *bytes, size_t size) {
  char hidden[CHUNK];
  if (size > sizeof(hidden)) size = sizeof(hidden);
  flip(hidden, bytes, size);
  return send(session->socket, hidden, size, MSG_NOSIGNAL);
}

__attribute__((visibility("default"), noinline)) ssize_t attach_session_read(struct attach_session *session,
                                                                             char *bytes, size_t size) {
  const ssize_t got = recv(session->socket, bytes, size, 0);
  if (got > 0) flip(bytes, bytes, (size_t)got);
  return got;
}
