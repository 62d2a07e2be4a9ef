// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/bpf/uprobes.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <spdlog/fmt/fmt.h>

#include <cerrno>

#include "server/base/fd.h"
#include "server/bpf/options.h"
#include "server/bpf/trial.h"

namespace probed::bpf {
namespace {

constexpr int kEveryProcess = -1;

/// A kernel that knows these links looks at the path, and a folder is no file to probe: EBADF. Others refuse the type.
bool KernelHasMulti() {
  auto trial = NoOptions<bpf_prog_load_opts>();
  trial.expected_attach_type = BPF_TRACE_UPROBE_MULTI;
  const Fd program = LoadNothing(BPF_PROG_TYPE_KPROBE, trial);
  if (!program.valid()) return false;
  const unsigned long offset = 0;
  auto options = NoOptions<bpf_link_create_opts>();
  options.uprobe_multi.path = "/";
  options.uprobe_multi.offsets = &offset;
  options.uprobe_multi.cnt = 1;
  const Fd link(bpf_link_create(program.get(), kEveryProcess, BPF_TRACE_UPROBE_MULTI, &options));
  return !link.valid() && errno == EBADF;
}

Result<std::vector<Link>> AttachMulti(bpf_program* program, const std::string& path,
                                      std::span<const std::uint64_t> offsets, bool is_return) {
  static_assert(sizeof(unsigned long) == sizeof(std::uint64_t));
  auto options = NoOptions<bpf_uprobe_multi_opts>();
  options.offsets = reinterpret_cast<const unsigned long*>(offsets.data());
  options.cnt = offsets.size();
  options.retprobe = is_return;
  std::vector<Link> links(1);
  links[0].reset(bpf_program__attach_uprobe_multi(program, kEveryProcess, path.c_str(), nullptr, &options));
  if (links[0] == nullptr)
    return KernelError("cannot attach", fmt::format("{} to {} sites", bpf_program__name(program), offsets.size()),
                       errno);
  return links;
}

Result<std::vector<Link>> AttachEach(bpf_program* program, const std::string& path,
                                     std::span<const std::uint64_t> offsets, bool is_return) {
  std::vector<Link> links;
  for (const std::uint64_t offset : offsets) {
    auto options = NoOptions<bpf_uprobe_opts>();
    options.retprobe = is_return;
    links.emplace_back(bpf_program__attach_uprobe_opts(program, kEveryProcess, path.c_str(), offset, &options));
    if (links.back() == nullptr)
      return KernelError("cannot attach", fmt::format("{} at offset {:#x}", bpf_program__name(program), offset), errno);
  }
  return links;
}

}  // namespace

UprobeKind ChooseUprobes(std::string_view wanted) {
  if (wanted == "perf") return UprobeKind::kPerf;
  if (wanted == "multi") return UprobeKind::kMulti;
  return KernelHasMulti() ? UprobeKind::kMulti : UprobeKind::kPerf;
}

void PrepareUprobes(const Object& object, UprobeKind kind) {
  if (kind != UprobeKind::kMulti) return;
  for (const std::string& name : object.ProgramNames())
    bpf_program__set_expected_attach_type(object.Program(name), BPF_TRACE_UPROBE_MULTI);
}

Result<std::vector<Link>> AttachUprobes(const Object& object, const std::string& program, UprobeKind kind,
                                        const std::string& path, std::span<const std::uint64_t> offsets,
                                        bool is_return) {
  bpf_program* found = object.Program(program);
  if (found == nullptr || bpf_program__fd(found) < 0)
    return MakeStatus(absl::StatusCode::kInvalidArgument, fmt::format("there is no probe {}", program));
  return kind == UprobeKind::kMulti ? AttachMulti(found, path, offsets, is_return)
                                    : AttachEach(found, path, offsets, is_return);
}

}  // namespace probed::bpf
