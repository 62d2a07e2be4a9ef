/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * compat_client PORT COUNT: requests that are sent by 32-bit system calls of a 64-bit program, their responses read by
 * ordinary ones. Linked to low addresses, so that a 32-bit pointer reaches the buffer. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char request[256];
static char response[65536];

static long write_compat(int socket, const char *bytes, long length) {
  long result = 4; /* write */
  __asm__ volatile("int $0x80"
                   : "+a"(result)
                   : "b"((long)socket), "c"(bytes), "d"(length)
                   : "memory", "r8", "r9", "r10", "r11");
  return result;
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(arguments[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int to = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(to, (struct sockaddr *)&address, sizeof(address)) != 0) return 1;
  for (int i = 0; i < atoi(arguments[2]); i++) {
    const long length = snprintf(request, sizeof(request), "GET /bytes/%d HTTP/1.1\r\nHost: compat\r\n\r\n", i + 1);
    if (write_compat(to, request, length) != length) return 3; /* 38: the kernel has no 32-bit calls */
    long got = 0;
    const char *end = NULL;
    while (end == NULL || got < end + 4 - response + i + 1) {
      const long more = read(to, response + got, sizeof(response) - 1 - (size_t)got);
      if (more <= 0) return 1;
      got += more;
      response[got] = 0;
      end = strstr(response, "\r\n\r\n");
    }
  }
  return 0;
}
