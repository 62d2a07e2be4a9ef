// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Closed-loop HTTP/1.1 keep-alive client for cost measurements: writes one 70-byte request on each connection, then
// reads one response from each, until the number of requests is reached. Every response must be a 200 of one and the
// same size. Prints what it did and its own CPU time. Built static, so that it runs in the measuring VM.
//   closed_loop PORT REQUESTS CONNECTIONS [last-first]
// In the order of the requests it sleeps for each response, and is woken by the server for each: the slower that is,
// the less often it finds the client asleep, and part of what slows it down shows at the client. last-first: it sleeps
// once.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kMaxConnections = 1024, kMaxResponse = 16384 };

static const char kRequest[] = "GET /api/v1/users/42 HTTP/1.1\r\nHost: localhost\r\nUser-Agent: lg/1.0\r\n\r\n";
_Static_assert(sizeof(kRequest) - 1 == 70, "the budget is stated for a request head of 70 bytes");

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

static void Send(int fd) {
  if (write(fd, kRequest, sizeof(kRequest) - 1) != (ssize_t)sizeof(kRequest) - 1) Fail("write");
}

// Size of the response whose complete head is in `text`, or 0 while the head is incomplete.
static size_t ResponseSize(const char* text) {
  const char* end = strstr(text, "\r\n\r\n");
  if (end == NULL) return 0;
  if (strncmp(text, "HTTP/1.1 200", 12) != 0) {
    fprintf(stderr, "closed_loop: not a 200: %.40s\n", text);
    exit(1);
  }
  const char* length = strcasestr(text, "\r\nContent-Length:");
  if (length == NULL || length > end) {
    fprintf(stderr, "closed_loop: a response without Content-Length\n");
    exit(1);
  }
  return (size_t)(end + 4 - text) + strtoul(length + 17, NULL, 10);
}

static size_t ReadFirst(int fd) {
  char text[kMaxResponse + 1];
  size_t got = 0;
  size_t size = 0;
  while (size == 0 || got < size) {
    ssize_t n = read(fd, text + got, kMaxResponse - got);
    if (n <= 0) Fail("read");
    got += (size_t)n;
    text[got] = '\0';
    if (size == 0) size = ResponseSize(text);
  }
  return size;
}

static void ReadNext(int fd, size_t size) {
  char text[kMaxResponse];
  size_t got = 0;
  while (got < size) {
    ssize_t n = read(fd, text + got, sizeof text - got);
    if (n <= 0) Fail("read");
    if (got == 0 && (n < 12 || memcmp(text, "HTTP/1.1 200", 12) != 0)) Fail("status");
    got += (size_t)n;
  }
  if (got != size) Fail("response size");
}

static unsigned long long OwnCpuTime(void) {
  unsigned long long ns = 0;
  FILE* file = fopen("/proc/self/schedstat", "r");
  if (file == NULL || fscanf(file, "%llu", &ns) != 1) Fail("schedstat");
  fclose(file);
  return ns;
}

int main(int argc, char** argv) {
  const int last_first = argc == 5 && strcmp(argv[4], "last-first") == 0;
  if (argc != 4 && !last_first) {
    fprintf(stderr, "usage: closed_loop PORT REQUESTS CONNECTIONS [last-first]\n");
    return 2;
  }
  int port = atoi(argv[1]);
  long requests = atol(argv[2]);
  int connections = atoi(argv[3]);
  if (connections < 1 || connections > kMaxConnections || requests < connections) return 2;
  int fds[kMaxConnections];
  for (int i = 0; i < connections; ++i) fds[i] = Connect(port);
  Send(fds[0]);
  size_t size = ReadFirst(fds[0]);
  unsigned long long began = OwnCpuTime();
  long sent = 1;
  while (sent < requests) {
    int now = requests - sent < connections ? (int)(requests - sent) : connections;
    for (int i = 0; i < now; ++i) Send(fds[i]);
    for (int i = 0; i < now; ++i) ReadNext(fds[last_first ? now - 1 - i : i], size);
    sent += now;
  }
  printf("requests %ld response_bytes %zu client_ns_per_request %.1f\n", sent, size,
         (double)(OwnCpuTime() - began) / (double)(requests - 1));
  return 0;
}
