// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// dns_vectors PORT ROUNDS WIDTH NAME: asks 127.0.0.1:PORT for n0.NAME, n1.NAME, ... WIDTH of them by one sendmmsg on a
// socket that is not connected, and takes the answers by recvmmsg; ROUNDS times. Each message is in two pieces of
// memory.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { MOST = 16, ROOM = 512, HEADER = 12 };

static unsigned char headers[MOST][HEADER];
static unsigned char questions[MOST][ROOM];
static unsigned char answers[MOST][ROOM];

static size_t put_question(unsigned char *to, const char *name) {
  size_t size = 0;
  for (const char *label = name; *label != '\0';) {
    const size_t length = strcspn(label, ".");
    to[size++] = (unsigned char)length;
    memcpy(to + size, label, length);
    size += length;
    label += length + (label[length] == '.');
  }
  const unsigned char tail[] = {0, 0, 1, 0, 1};
  memcpy(to + size, tail, sizeof(tail));
  return size + sizeof(tail);
}

static int ask(int fd, struct sockaddr_in *server, unsigned round, unsigned width, const char *base) {
  struct mmsghdr messages[MOST] = {0};
  struct iovec pieces[MOST][2];
  for (unsigned i = 0; i < width; i++) {
    char name[ROOM / 2];
    snprintf(name, sizeof(name), "n%u.%s", i, base);
    const unsigned number = round * width + i;
    const unsigned char header[HEADER] = {(unsigned char)(number >> 8), (unsigned char)number, 1, 0, 0, 1};
    memcpy(headers[i], header, sizeof(header));
    pieces[i][0] = (struct iovec){headers[i], sizeof(header)};
    pieces[i][1] = (struct iovec){questions[i], put_question(questions[i], name)};
    messages[i].msg_hdr =
        (struct msghdr){.msg_name = server, .msg_namelen = sizeof(*server), .msg_iov = pieces[i], .msg_iovlen = 2};
  }
  return sendmmsg(fd, messages, width, 0) == (int)width ? 0 : -1;
}

static int take(int fd, unsigned width) {
  for (unsigned taken = 0; taken < width;) {
    struct mmsghdr messages[MOST] = {0};
    struct iovec pieces[MOST];
    for (unsigned i = 0; i < width; i++) {
      pieces[i] = (struct iovec){answers[i], ROOM};
      messages[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
    }
    const int got = recvmmsg(fd, messages, width - taken, MSG_WAITFORONE, NULL);
    if (got <= 0) return -1;
    taken += (unsigned)got;
  }
  return 0;
}

int main(int count, char **words) {
  if (count != 5) return 2;
  const unsigned rounds = (unsigned)atoi(words[2]);
  const unsigned width = (unsigned)atoi(words[3]);
  struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(words[1]))};
  inet_pton(AF_INET, "127.0.0.1", &server.sin_addr);
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  const struct timeval patience = {.tv_sec = 5};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  if (width > MOST) return 2;
  for (unsigned round = 0; round < rounds; round++)
    if (ask(fd, &server, round, width, words[4]) != 0 || take(fd, width) != 0) return perror("dns_vectors"), 1;
  return 0;
}
