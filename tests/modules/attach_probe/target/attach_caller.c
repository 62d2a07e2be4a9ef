/* SPDX-FileCopyrightText: The probed authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * attach_caller LIBRARY: does what its standard input says, one word a line, and answers each with "ok":
 *   load        dlopen the library            unload       dlclose it
 *   call N      call attach_target_work(0..N-1)
 * Ends at the end of its input. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*work_function)(int);

static void *library;

static int load(const char *path) {
  library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) fprintf(stderr, "%s\n", dlerror());
  return library != NULL;
}

static int call(int count) {
  work_function work = NULL;
  void *symbol = library == NULL ? NULL : dlsym(library, "attach_target_work");
  memcpy(&work, &symbol, sizeof(work));
  if (work == NULL) return 0;
  for (int number = 0; number < count; ++number)
    if (work(number) != number * 3) return 0;
  return 1;
}

static int unload(void) { return library != NULL && dlclose(library) == 0; }

int main(int argc, char **argv) {
  char line[64];
  if (argc != 2) return 2;
  while (fgets(line, sizeof(line), stdin) != NULL) {
    int done = 0;
    if (strcmp(line, "load\n") == 0) done = load(argv[1]);
    if (strcmp(line, "unload\n") == 0) done = unload();
    if (strncmp(line, "call ", 5) == 0) done = call(atoi(line + 5));
    if (!done) return 1;
    puts("ok");
    fflush(stdout);
  }
  return 0;
}
