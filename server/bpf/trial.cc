// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/bpf/trial.h"

#include <linux/bpf.h>

#include <iterator>

namespace probed::bpf {

Fd LoadNothing(bpf_prog_type type, bpf_prog_load_opts options) {
  constexpr bpf_insn kReturnZero[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = 0},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  return Fd(bpf_prog_load(type, "pb_trial", "GPL", kReturnZero, std::size(kReturnZero), &options));
}

}  // namespace probed::bpf
