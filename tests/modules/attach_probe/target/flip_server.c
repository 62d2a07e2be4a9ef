/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * flip_server PORT: an HTTP server whose connections are "encrypted" by libattach_target. Answers each request that
 * ends in an empty line with 200 and two bytes, one connection at a time, until it is killed. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attach_target.h"

static int listen_on(int port) {
  const int one = 1;
  struct sockaddr_in address = {0};
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  address.sin_family = AF_INET;
  address.sin_port = htons((unsigned short)port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, 64) != 0) return -1;
  return listener;
}

static void serve(int socket) {
  static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
  struct attach_session session = {socket};
  char request[4096];
  size_t length = 0;
  for (;;) {
    const ssize_t got = attach_session_read(&session, request + length, sizeof(request) - length);
    if (got <= 0) return;
    length += (size_t)got;
    if (length < 4 || memcmp(request + length - 4, "\r\n\r\n", 4) != 0) continue;
    length = 0;
    if (attach_session_write(&session, answer, sizeof(answer) - 1) <= 0) return;
  }
}

int main(int argc, char **argv) {
  const int listener = argc == 2 ? listen_on(atoi(argv[1])) : -1;
  if (listener < 0) return 1;
  for (;;) {
    const int socket = accept(listener, NULL, NULL);
    if (socket < 0) return 1;
    serve(socket);
    close(socket);
  }
}
