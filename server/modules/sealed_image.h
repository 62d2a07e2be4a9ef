// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A file read exactly once into a sealed memfd. Everything later (digest, manifest, sections, dlopen) reads this copy,
// so nobody can change the file between the check and the use.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "server/base/fd.h"
#include "server/base/status.h"

namespace probed::modules {

/// sha256 of `bytes`, lower-case hex.
std::string Sha256Hex(std::span<const std::uint8_t> bytes);

/// A read-only mapping, released with the object. Keep it short-lived: it shows in /proc/self/maps.
class Mapping {
 public:
  Mapping() = default;
  Mapping(void* address, std::size_t size) : address_(address), size_(size) {}
  Mapping(Mapping&& other) noexcept
      : address_(std::exchange(other.address_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(address_, other.address_);
    std::swap(size_, other.size_);
    return *this;
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  std::span<const std::uint8_t> bytes() const { return {static_cast<const std::uint8_t*>(address_), size_}; }

 private:
  void* address_ = nullptr;
  std::size_t size_ = 0;
};

class SealedImage {
 public:
  static constexpr std::uint64_t kMaxBytes = 64ULL << 20U;

  /// Copies the whole of `source` (a readable regular file). `label` names the memory in /proc/self/maps.
  static Result<SealedImage> Copy(int source, std::string_view label, std::uint64_t max_bytes = kMaxBytes);

  int fd() const { return fd_.get(); }
  std::uint64_t size() const { return size_; }
  const std::string& sha256() const { return sha256_; }
  dev_t device() const { return device_; }
  ino_t inode() const { return inode_; }

  Result<Mapping> Map() const;

 private:
  Fd fd_;
  std::uint64_t size_ = 0;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  std::string sha256_;
};

}  // namespace probed::modules
