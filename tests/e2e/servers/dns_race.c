/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * A DNS client whose answers are read while it still sends: one thread sends, and is interrupted now and then for
 * longer than a lookup takes; the other one, on a processor of its own, is the server and reads the answer.
 *
 *   dns_race tcp|udp LOOKUPS
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SENDS_ON = 0, READS_ON = 1, BUSY_NS = 300000, IDLE_NS = 20000, LOW_PRIORITY = 19 };

static int tcp, lookups, server, client;
static atomic_int answered, done;

static void need(int good, const char *what) {
  if (good) return;
  perror(what);
  exit(1);
}

static void run_on(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  need(sched_setaffinity(0, sizeof(set), &set) == 0, "sched_setaffinity");
}

static long now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000L + now.tv_nsec;
}

/* Sleeps neither for the question nor for the answer: what it does takes some microseconds. */
static void *answer(void *unused) {
  char message[64];
  run_on(READS_ON);
  for (int i = 0; i < lookups;) {
    struct sockaddr_in from;
    socklen_t length = sizeof(from);
    const ssize_t size = recvfrom(server, message, sizeof(message), MSG_DONTWAIT, (struct sockaddr *)&from, &length);
    if (size <= 0) continue;
    message[tcp ? 4 : 2] |= (char)0x80; /* a response */
    sendto(server, message, (size_t)size, 0, tcp ? NULL : (struct sockaddr *)&from, tcp ? 0 : length);
    while (recv(client, message, sizeof(message), MSG_DONTWAIT) <= 0) {
    }
    answered = ++i;
  }
  return unused;
}

/* Takes the processor from the thread that sends, wherever that is, inside of its call too. */
static void *interrupt(void *unused) {
  const struct sched_param priority = {.sched_priority = 1};
  const struct timespec pause = {.tv_nsec = IDLE_NS};
  run_on(SENDS_ON);
  need(pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority) == 0, "SCHED_FIFO");
  while (!done) {
    nanosleep(&pause, NULL);
    for (const long until = now_ns() + BUSY_NS; now_ns() < until;) {
    }
  }
  return unused;
}

static void connect_both(void) {
  const int kind = tcp ? SOCK_STREAM : SOCK_DGRAM, on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t length = sizeof(address);
  server = socket(AF_INET, kind, 0);
  client = socket(AF_INET, kind, 0);
  need(bind(server, (struct sockaddr *)&address, length) == 0, "bind");
  getsockname(server, (struct sockaddr *)&address, &length);
  if (tcp) need(listen(server, 1) == 0, "listen");
  need(connect(client, (struct sockaddr *)&address, length) == 0, "connect");
  if (!tcp) return;
  server = accept(server, NULL, NULL);
  setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* A of "a.race" to "z.race". */
static void ask(int number) {
  const unsigned char query[] = {0,
                                 24,
                                 (unsigned char)(number >> 8),
                                 (unsigned char)number,
                                 1,
                                 0,
                                 0,
                                 1,
                                 0,
                                 0,
                                 0,
                                 0,
                                 0,
                                 0,
                                 1,
                                 (unsigned char)('a' + number % 26),
                                 4,
                                 'r',
                                 'a',
                                 'c',
                                 'e',
                                 0,
                                 0,
                                 1,
                                 0,
                                 1};
  const size_t prefix = tcp ? 0 : 2;
  need(send(client, query + prefix, sizeof(query) - prefix, 0) > 0, "send");
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  tcp = strcmp(arguments[1], "tcp") == 0;
  lookups = atoi(arguments[2]);
  connect_both();
  pthread_t reader, other;
  pthread_create(&reader, NULL, answer, NULL);
  pthread_create(&other, NULL, interrupt, NULL);
  run_on(SENDS_ON);
  setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), LOW_PRIORITY);
  for (int i = 0; i < lookups; i++) {
    ask(i);
    while (answered <= i) sched_yield();
  }
  done = 1;
  pthread_join(reader, NULL);
  pthread_join(other, NULL);
  printf("%d answered\n", lookups);
  return 0;
}
