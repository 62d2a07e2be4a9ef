// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A TCP proxy that never sees the bytes: socket -> pipe -> socket by splice, one process for each connection.
//   splice_proxy LISTEN_PORT UPSTREAM_PORT
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kChunk = 65536 };

static struct sockaddr_in Local(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Moves what there is; 0 when the sender has ended.
static int Move(int from, int to, const int* tube) {
  ssize_t n = splice(from, NULL, tube[1], NULL, kChunk, SPLICE_F_MOVE);
  if (n <= 0) return 0;
  while (n > 0) {
    ssize_t moved = splice(tube[0], NULL, to, NULL, (size_t)n, SPLICE_F_MOVE);
    if (moved <= 0) return 0;
    n -= moved;
  }
  return 1;
}

static void Serve(int client, int upstream_port) {
  struct sockaddr_in address = Local(upstream_port);
  int upstream = socket(AF_INET, SOCK_STREAM, 0);
  int tube[2];
  if (connect(upstream, (struct sockaddr*)&address, sizeof address) != 0 || pipe(tube) != 0) exit(1);
  struct pollfd ends[2] = {{.fd = client, .events = POLLIN}, {.fd = upstream, .events = POLLIN}};
  while (poll(ends, 2, -1) > 0) {
    if (ends[0].revents != 0 && !Move(client, upstream, tube)) exit(0);
    if (ends[1].revents != 0 && !Move(upstream, client, tube)) exit(0);
  }
  exit(1);
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  signal(SIGCHLD, SIG_IGN);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = Local(atoi(argv[1]));
  if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0 || listen(listener, 128) != 0) return 1;
  for (;;) {
    int client = accept(listener, NULL, NULL);
    if (client < 0) return 1;
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGTERM);
      Serve(client, atoi(argv[2]));
    }
    close(client);
  }
}
