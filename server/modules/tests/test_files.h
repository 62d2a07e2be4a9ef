// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Temporary directories and files for the tests of this folder.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/fd.h"
#include "server/modules/finder.h"
#include "server/modules/sealed_image.h"

namespace probed::modules::testing {

namespace fs = std::filesystem;

/// A new directory, removed with all it holds. Its path holds no symbolic link.
class TempDir {
 public:
  TempDir() {
    std::string pattern = (fs::canonical(fs::temp_directory_path()) / "probed-modules-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }
  std::string operator/(std::string_view leaf) const { return path_ + "/" + std::string(leaf); }

 private:
  std::string path_;
};

inline void WriteFile(const std::string& path, std::string_view content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
  fs::permissions(path, fs::perms(0644));
}

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::span<const std::uint8_t> AsBytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// Directory of the modules built by tests/fixtures.
inline std::string FixtureDir() { return PROBED_FIXTURE_MODULE_DIR; }
inline std::string FixturePath(std::string_view name) { return FixtureDir() + "/" + std::string(name) + ".so"; }

/// Copies a fixture into `dir` as `as`.so, so that the tests need not trust the build folder.
inline void InstallFixture(std::string_view name, const TempDir& dir, std::string_view as = "") {
  const std::string target = dir / (std::string(as.empty() ? name : as) + ".so");
  fs::copy_file(FixturePath(name), target, fs::copy_options::overwrite_existing);
  fs::permissions(target, fs::perms(0755));
}

inline SealedImage SealFile(const std::string& path) {
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  auto image = SealedImage::Copy(file.get(), "test");
  EXPECT_TRUE(image.ok()) << path << ": " << image.status();
  return std::move(image).value();
}

inline TrustPolicy TestTrust() { return {.trust_own_user = true}; }

}  // namespace probed::modules::testing
