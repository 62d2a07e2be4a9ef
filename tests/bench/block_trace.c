// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Plugin of QEMU's TCG: writes which blocks of code the VM runs, from the moment on when a program in it marks the
// beginning (trace_mark.c). Used by hook_profile.sh.
//   -plugin block_trace.so,blocks=FILE,code=FILE[,most=BLOCKS]
// blocks: of each block run its address and number of instructions, two 64-bit numbers; code: "ADDRESS INSTRUCTION" a
// line, of what lies where the kernel keeps BPF programs.
//
// QEMU's header is not packaged by Debian: what is used of version 1 of its interface is declared here
// (docs/devel/tcg-plugins.rst of QEMU 7.2).
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef void (*OnTranslated)(qemu_plugin_id_t id, struct qemu_plugin_tb* block);
typedef void (*OnRun)(unsigned cpu, void* context);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, OnTranslated callback);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb* block, OnRun callback, int flags, void* context);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb* block);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb* block);
struct qemu_plugin_insn* qemu_plugin_tb_get_insn(const struct qemu_plugin_tb* block, size_t index);
const void* qemu_plugin_insn_data(const struct qemu_plugin_insn* instruction);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn* instruction);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn* instruction);
char* qemu_plugin_insn_disas(const struct qemu_plugin_insn* instruction);

EXPORTED int qemu_plugin_version = 1;
EXPORTED int qemu_plugin_install(qemu_plugin_id_t id, const void* info, int argc, char** argv);

// nopl 0x70726f62(%rax)
static const uint8_t kMark[] = {0x0f, 0x1f, 0x80, 0x62, 0x6f, 0x72, 0x70};
// Where x86-64 has modules and JIT-compiled programs.
static const uint64_t kModulesBegin = 0xffffffffc0000000;
static const uint64_t kModulesEnd = 0xffffffffff000000;

struct Block {
  uint64_t address;
  uint64_t instructions;
};

static FILE* blocks;
static FILE* code;
static uint64_t most = 2000000;
static uint64_t written;
static int marked;

static void OnMarkRun(unsigned cpu, void* context) {
  (void)cpu;
  (void)context;
  marked = 1;
}

static void OnBlockRun(unsigned cpu, void* context) {
  (void)cpu;
  if (!marked || written >= most) return;
  fwrite(context, sizeof(struct Block), 1, blocks);
  if (++written == most) fflush(blocks);
}

static void WriteCode(const struct qemu_plugin_tb* translated, size_t instructions) {
  for (size_t i = 0; i < instructions; i++) {
    const struct qemu_plugin_insn* instruction = qemu_plugin_tb_get_insn(translated, i);
    char* text = qemu_plugin_insn_disas(instruction);
    fprintf(code, "%" PRIx64 " %s\n", qemu_plugin_insn_vaddr(instruction), text);
    free(text);
  }
}

static int HasMark(const struct qemu_plugin_tb* translated, size_t instructions) {
  for (size_t i = 0; i < instructions; i++) {
    const struct qemu_plugin_insn* instruction = qemu_plugin_tb_get_insn(translated, i);
    if (qemu_plugin_insn_size(instruction) == sizeof kMark &&
        memcmp(qemu_plugin_insn_data(instruction), kMark, sizeof kMark) == 0)
      return 1;
  }
  return 0;
}

// Blocks live as long as the VM: a block that is translated again is another one.
static void OnBlockTranslated(qemu_plugin_id_t id, struct qemu_plugin_tb* translated) {
  (void)id;
  struct Block* block = malloc(sizeof *block);
  if (block == NULL) abort();
  block->address = qemu_plugin_tb_vaddr(translated);
  block->instructions = qemu_plugin_tb_n_insns(translated);
  if (HasMark(translated, block->instructions)) qemu_plugin_register_vcpu_tb_exec_cb(translated, OnMarkRun, 0, NULL);
  if (block->address >= kModulesBegin && block->address < kModulesEnd) WriteCode(translated, block->instructions);
  qemu_plugin_register_vcpu_tb_exec_cb(translated, OnBlockRun, 0, block);
}

static FILE* Open(const char* path) {
  FILE* file = fopen(path, "wb");
  if (file == NULL) perror(path);
  return file;
}

int qemu_plugin_install(qemu_plugin_id_t id, const void* info, int argc, char** argv) {
  (void)info;
  for (int i = 0; i < argc; i++) {
    if (strncmp(argv[i], "blocks=", 7) == 0) blocks = Open(argv[i] + 7);
    if (strncmp(argv[i], "code=", 5) == 0) code = Open(argv[i] + 5);
    if (strncmp(argv[i], "most=", 5) == 0) most = strtoull(argv[i] + 5, NULL, 10);
  }
  if (blocks == NULL || code == NULL) return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, OnBlockTranslated);
  return 0;
}
