// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/bpf/object.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <malloc.h>
#include <spdlog/spdlog.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "server/base/error_details.h"
#include "server/bpf/options.h"

namespace probed::bpf {
namespace {

constexpr std::size_t kLogBytes = 1U << 20U;
constexpr int kLogTailLines = 20;

std::string KernelRelease() {
  utsname name{};
  return uname(&name) == 0 ? name.release : "unknown";
}

std::string Tail(const std::string& log) {
  std::size_t at = log.size();
  for (int lines = 0; at > 0 && lines <= kLogTailLines; --at)
    if (log[at - 1] == '\n') ++lines;
  return log.substr(at == 0 ? 0 : at + 1);
}

int PrintToLog(libbpf_print_level level, const char* format, va_list arguments) {
  std::array<char, 1024> text{};
  std::vsnprintf(text.data(), text.size(), format, arguments);
  std::string_view line(text.data());
  while (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  if (level == LIBBPF_WARN) spdlog::debug("libbpf: {}", line);
  return 0;
}

}  // namespace

Status KernelError(std::string_view what, const std::string& name, int error, std::string log_tail) {
  const auto code = error == EPERM || error == EACCES ? absl::StatusCode::kPermissionDenied
                    : error == ENOMEM                 ? absl::StatusCode::kResourceExhausted
                                                      : absl::StatusCode::kFailedPrecondition;
  // The kernel's own ENOTSUPP, which the C library does not know.
  const char* why = error == 524 ? "not supported by this kernel" : std::strerror(error);
  const std::string text = fmt::format("{} {}: {} (kernel {})", what, name, why, KernelRelease());
  return MakeError(code, text,
                   {.reason = "BPF_REFUSED",
                    .metadata = {{"object", name}, {"kernel", KernelRelease()}},
                    .fields = {},
                    .log_tail = std::move(log_tail)});
}

void LinkCloser::operator()(bpf_link* link) const { bpf_link__destroy(link); }
void Object::Closer::operator()(bpf_object* object) const { bpf_object__close(object); }

void InstallLogHandler() { libbpf_set_print(PrintToLog); }

Object::Object(std::string name, bpf_object* object)
    : name_(std::move(name)), object_(object), logs_(std::make_unique<std::map<std::string, std::string>>()) {}
Object::Object(Object&&) noexcept = default;
Object& Object::operator=(Object&&) noexcept = default;
Object::~Object() = default;

Result<Object> Object::Open(std::string_view name, std::string_view bytes) {
  const std::string text(name);
  auto options = NoOptions<bpf_object_open_opts>();
  options.object_name = text.c_str();
  bpf_object* object = bpf_object__open_mem(bytes.data(), bytes.size(), &options);
  if (object == nullptr) return KernelError("cannot read BPF object", text, errno);
  return Object(text, object);
}

bpf_program* Object::Program(const std::string& program) const {
  return bpf_object__find_program_by_name(object_.get(), program.c_str());
}

std::vector<std::string> Object::ProgramNames() const {
  std::vector<std::string> names;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_.get()) names.emplace_back(bpf_program__name(program));
  return names;
}

std::vector<std::string> Object::MapNames() const {
  std::vector<std::string> names;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object_.get()) {
    if (!bpf_map__is_internal(map)) names.emplace_back(bpf_map__name(map));
  }
  return names;
}

void Object::SelectPrograms(const std::vector<std::string>& names) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_.get()) {
    const bool wanted = std::find(names.begin(), names.end(), bpf_program__name(program)) != names.end();
    bpf_program__set_autoload(program, wanted);
  }
}

Status Object::ShareMap(const std::string& name, int fd) {
  bpf_map* map = bpf_object__find_map_by_name(object_.get(), name.c_str());
  if (map == nullptr) return OkStatus();
  const int result = bpf_map__reuse_fd(map, fd);
  return result == 0 ? OkStatus() : KernelError("cannot share map", name, -result);
}

Status Object::ResizeMap(const std::string& name, std::uint32_t entries) {
  bpf_map* map = bpf_object__find_map_by_name(object_.get(), name.c_str());
  if (map == nullptr) return OkStatus();
  const int result = bpf_map__set_max_entries(map, entries);
  return result == 0 ? OkStatus() : KernelError("cannot size map", name, -result);
}

Status Object::SetConstant(std::string_view variable, std::uint32_t value) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object_.get()) {
    std::size_t size = 0;
    if (std::strstr(bpf_map__name(map), ".rodata") == nullptr) continue;
    auto* data = static_cast<char*>(bpf_map__initial_value(map, &size));
    const btf* types = bpf_object__btf(object_.get());
    const btf_type* section = btf__type_by_id(types, bpf_map__btf_value_type_id(map));
    if (data == nullptr || section == nullptr) continue;
    const btf_var_secinfo* variables = btf_var_secinfos(section);
    for (int i = 0; i < btf_vlen(section); ++i) {
      const btf_type* type = btf__type_by_id(types, variables[i].type);
      if (variable != btf__name_by_offset(types, type->name_off)) continue;
      if (variables[i].size != sizeof(value) || variables[i].offset + sizeof(value) > size) break;
      std::memcpy(data + variables[i].offset, &value, sizeof(value));
      return OkStatus();
    }
  }
  return MakeStatus(absl::StatusCode::kInvalidArgument,
                    fmt::format("BPF object {} has no 32-bit constant {}", name_, variable));
}

Status Object::Load() {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_.get()) {
    std::string& log = (*logs_)[bpf_program__name(program)];
    log.assign(kLogBytes, '\0');
    bpf_program__set_log_buf(program, log.data(), log.size());
  }
  const int result = bpf_object__load(object_.get());
  std::string failed = name_;
  std::string tail;
  bpf_object__for_each_program(program, object_.get()) {
    const std::string& log = (*logs_)[bpf_program__name(program)];
    if (result == 0 || !bpf_program__autoload(program) || bpf_program__fd(program) >= 0 || log[0] == '\0') continue;
    failed = name_ + "/" + bpf_program__name(program);
    tail = Tail(std::string(log.c_str()));
    break;
  }
  logs_->clear();
  malloc_trim(0);  // the logs and the kernel's types: several MiB, not needed before the next object
  return result == 0 ? OkStatus() : KernelError("the kernel refused", failed, -result, tail);
}

int Object::MapFd(const std::string& name) const {
  const bpf_map* map = bpf_object__find_map_by_name(object_.get(), name.c_str());
  return map == nullptr ? -1 : bpf_map__fd(map);
}

int Object::ProgramFd(const std::string& name) const {
  const bpf_program* program = Program(name);
  return program == nullptr ? -1 : bpf_program__fd(program);
}

Result<Link> Object::AttachWith(const std::string& program, const std::function<bpf_link*(bpf_program*)>& attach) {
  bpf_program* found = Program(program);
  if (found == nullptr)
    return MakeStatus(absl::StatusCode::kInvalidArgument,
                      fmt::format("BPF object {} has no program {}", name_, program));
  bpf_link* link = attach(found);
  if (link == nullptr) return KernelError("cannot attach", name_ + "/" + program, errno);
  return Link(link);
}

Result<Link> Object::Attach(const std::string& program) {
  return AttachWith(program, [](bpf_program* found) { return bpf_program__attach(found); });
}

Result<Link> Object::AttachToCgroup(const std::string& program, int cgroup) {
  return AttachWith(program, [cgroup](bpf_program* found) { return bpf_program__attach_cgroup(found, cgroup); });
}

std::uint32_t Object::VerifiedInstructions(const std::string& program) const {
  bpf_prog_info info{};
  __u32 size = sizeof(info);
  const int fd = ProgramFd(program);
  return fd >= 0 && bpf_prog_get_info_by_fd(fd, &info, &size) == 0 ? info.verified_insns : 0;
}

}  // namespace probed::bpf
