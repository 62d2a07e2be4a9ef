// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// RAII over one libbpf object: opened from memory, told what it shares, loaded, attached. Errors carry the program's
// name, the kernel release and the tail of the verifier's log; callers never see errno. [control]
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/status.h"

struct bpf_object;
struct bpf_program;
struct bpf_link;

namespace probed::bpf {

/// Closes an attached program.
struct LinkCloser {
  void operator()(bpf_link* link) const;
};
using Link = std::unique_ptr<bpf_link, LinkCloser>;

class Object {
 public:
  /// `name` becomes the prefix of its .rodata and .bss maps: the first 8 characters must be unique.
  static Result<Object> Open(std::string_view name, std::string_view bytes);

  Object(Object&&) noexcept;
  Object& operator=(Object&&) noexcept;
  ~Object();

  std::vector<std::string> ProgramNames() const;
  /// Programs not selected are not loaded. An unknown name is ignored.
  void SelectPrograms(const std::vector<std::string>& names);
  /// Replaces the object's own map by another object's. A map it does not declare is ignored.
  Status ShareMap(const std::string& name, int fd);
  Status ResizeMap(const std::string& name, std::uint32_t entries);
  /// Sets a `const volatile` variable of .rodata. Before Load.
  Status SetConstant(std::string_view variable, std::uint32_t value);

  Status Load();

  /// -1 when there is none of that name.
  int MapFd(const std::string& name) const;
  int ProgramFd(const std::string& name) const;
  /// Null when there is none of that name. LIFETIME: the object.
  bpf_program* Program(const std::string& name) const;
  /// Maps the author declared (not those libbpf makes of global variables).
  std::vector<std::string> MapNames() const;
  Result<Link> Attach(const std::string& program);
  /// To a cgroup and all below it; `cgroup` stays the caller's.
  Result<Link> AttachToCgroup(const std::string& program, int cgroup);
  /// Instructions the kernel counts for a loaded program (verified_insns), 0 when unknown.
  std::uint32_t VerifiedInstructions(const std::string& program) const;

 private:
  struct Closer {
    void operator()(bpf_object* object) const;
  };
  Object(std::string name, bpf_object* object);
  Result<Link> AttachWith(const std::string& program, const std::function<bpf_link*(bpf_program*)>& attach);

  std::string name_;
  std::unique_ptr<bpf_object, Closer> object_;
  std::unique_ptr<std::map<std::string, std::string>> logs_;
};

/// "<what> <name>: <errno's text> (kernel <release>)", with details. `error` is a positive errno.
Status KernelError(std::string_view what, const std::string& name, int error, std::string log_tail = {});

/// libbpf's own messages go to the log at debug level from here on.
void InstallLogHandler();

}  // namespace probed::bpf
