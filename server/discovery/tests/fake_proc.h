// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A fake root directory with a /proc tree in it, removed at the end.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace probed::discovery {

class FakeProc {
 public:
  struct Spec {
    std::uint32_t pid = 0;
    std::uint32_t parent = 1;
    std::uint64_t start_ticks = 0;
    std::string comm = "app";
    std::string exe = {};  // path below the root, created when missing
    std::string cmdline = {};
    std::string environ_text = {};
    std::string cgroup = "0::/\n";
    std::uint32_t uid = 0;
  };

  FakeProc() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fake_proc_XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    root_ = pattern;
    std::filesystem::create_directories(root_ + "/proc");
  }
  FakeProc(const FakeProc&) = delete;
  FakeProc& operator=(const FakeProc&) = delete;
  ~FakeProc() { std::filesystem::remove_all(root_); }

  const std::string& root() const { return root_; }

  void Write(const std::string& path, std::string_view text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path, std::ios::binary) << text;
  }

  void Put(const Spec& spec) {
    const std::string dir = "/proc/" + std::to_string(spec.pid);
    Write(dir + "/stat", std::to_string(spec.pid) + " (" + spec.comm + ") S " + std::to_string(spec.parent) +
                             " 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 " + std::to_string(spec.start_ticks) +
                             " 1000 10 0\n");
    const std::string uid = std::to_string(spec.uid);
    Write(dir + "/status", "Name:\t" + spec.comm + "\nUid:\t" + uid + "\t" + uid + "\t" + uid + "\t" + uid + "\n");
    Write(dir + "/cmdline", spec.cmdline);
    Write(dir + "/environ", spec.environ_text);
    Write(dir + "/cgroup", spec.cgroup);
    const std::filesystem::path link = root_ + dir + "/exe";
    std::filesystem::remove(link);
    if (spec.exe.empty()) return;
    if (!std::filesystem::exists(root_ + spec.exe)) Write(spec.exe, "#!not an ELF file\n");
    std::filesystem::create_symlink(root_ + spec.exe, link);
  }

  void Remove(std::uint32_t pid) { std::filesystem::remove_all(root_ + "/proc/" + std::to_string(pid)); }

 private:
  std::string root_;
};

}  // namespace probed::discovery
