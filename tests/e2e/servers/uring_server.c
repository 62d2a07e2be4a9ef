/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * An HTTP server that moves its bytes by io_uring, or, for paths that begin with /plain, by system calls: the path of
 * each request says how the next one on the connection is read.
 *   uring_server PORT
 */
#include <arpa/inet.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct io_uring ring;

static int complete(void) {
  struct io_uring_cqe *event = NULL;
  if (io_uring_submit_and_wait(&ring, 1) < 0 || io_uring_wait_cqe(&ring, &event) < 0) exit(1);
  const int result = event->res;
  io_uring_cqe_seen(&ring, event);
  return result;
}

static int receive(int fd, char *bytes, unsigned room, bool plain) {
  if (plain) return (int)recv(fd, bytes, room, 0);
  io_uring_prep_recv(io_uring_get_sqe(&ring), fd, bytes, room, 0);
  return complete();
}

static int reply(int fd, const char *bytes, unsigned length, bool plain) {
  if (plain) return (int)send(fd, bytes, length, 0);
  io_uring_prep_send(io_uring_get_sqe(&ring), fd, bytes, length, 0);
  return complete();
}

static void serve(int fd) {
  static const char response[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
  char request[4096];
  bool plain = false;
  while (receive(fd, request, sizeof(request), plain) > 0) {
    reply(fd, response, sizeof(response) - 1, plain);
    plain = strncmp(request, "GET /plain", 10) == 0;
  }
  close(fd);
}

int main(int count, char **arguments) {
  if (count != 2 || io_uring_queue_init(8, &ring, 0) < 0) return 1;
  const int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
  const struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((unsigned short)atoi(arguments[1])),
                                      .sin_addr = {htonl(INADDR_LOOPBACK)}};
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  if (bind(listener, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 16) < 0) return 1;
  for (;;) serve(accept(listener, NULL, NULL));
}
