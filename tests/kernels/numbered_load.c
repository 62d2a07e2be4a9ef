// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// HTTP/1.1 client whose requests can be told apart: GET PREFIX<number>, from 0. Some connections at a time, either kept
// open or a new one for each request. Every response must be a 200 that ends with its Content-Length. Built static for
// the VM.
//   numbered_load PORT PREFIX REQUESTS CONNECTIONS keep|new
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kMaxConnections = 256 };

static void Fail(const char* what) {
  perror(what);
  exit(1);
}

static int Connect(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, (struct sockaddr*)&address, sizeof address) != 0) Fail("connect");
  return fd;
}

static void Send(int fd, char** argv, long number, const char* connection) {
  char text[512];
  const int size = snprintf(text, sizeof text, "GET %s%ld HTTP/1.1\r\nHost: localhost:%s\r\nConnection: %s\r\n\r\n",
                            argv[2], number, argv[1], connection);
  if (write(fd, text, (size_t)size) != size) Fail("write");
}

static void Receive(int fd) {
  char text[4096];
  size_t got = 0;
  for (;;) {
    const ssize_t n = read(fd, text + got, sizeof text - 1 - got);
    if (n <= 0) Fail("read");
    got += (size_t)n;
    text[got] = '\0';
    if (strncmp(text, "HTTP/1.1 200", got < 12 ? got : 12) != 0) Fail(text);
    const char* end = strstr(text, "\r\n\r\n");
    const char* length = end == NULL ? NULL : strcasestr(text, "\r\nContent-Length:");
    if (end != NULL && (length == NULL || length > end)) Fail("no Content-Length");
    if (length != NULL && (size_t)(end + 4 - text) + strtoul(length + 17, NULL, 10) == got) return;
  }
}

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  const int port = atoi(argv[1]);
  const long requests = atol(argv[3]);
  const int connections = atoi(argv[4]);
  const int keep = strcmp(argv[5], "keep") == 0;
  if (connections < 1 || connections > kMaxConnections) return 2;
  int fds[kMaxConnections];
  for (int i = 0; keep && i < connections; ++i) fds[i] = Connect(port);
  for (long sent = 0; sent < requests;) {
    const int now = requests - sent < connections ? (int)(requests - sent) : connections;
    for (int i = 0; !keep && i < now; ++i) fds[i] = Connect(port);
    for (int i = 0; i < now; ++i) Send(fds[i], argv, sent + i, keep ? "keep-alive" : "close");
    for (int i = 0; i < now; ++i) Receive(fds[i]);
    for (int i = 0; !keep && i < now; ++i) close(fds[i]);
    sent += now;
  }
  return 0;
}
