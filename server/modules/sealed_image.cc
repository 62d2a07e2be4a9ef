// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/modules/sealed_image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "server/modules/reasons.h"

namespace probed::modules {
namespace {

constexpr unsigned kMfdExec = 0x0010U;  // MFD_EXEC, Linux 6.3: says the file is meant to be mapped executable
constexpr int kSealTries = 20;
constexpr std::chrono::milliseconds kSealPause(10);
constexpr int kAllSeals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

Status Unreadable(std::string_view label, std::string_view what, int error) {
  return Refused(kModuleUnreadable, label, fmt::format("module {}: {}: {}", label, what, ErrnoText(error)));
}

Result<Fd> NewMemory(std::string_view label) {
  const std::string name = "probed-" + std::string(label);
  int fd = memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING | kMfdExec);
  if (fd < 0 && errno == EINVAL) fd = memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return Unreadable(label, "cannot create memory for it", errno);
  return Fd(fd);
}

/// Bytes copied; reads at most one byte more than `max_bytes`, so that "too large" is seen without copying it all.
Result<std::uint64_t> CopyAll(int source, int memory, std::string_view label, std::uint64_t max_bytes) {
  std::uint64_t copied = 0;
  off_t offset = 0;
  while (copied <= max_bytes) {
    const ssize_t step = sendfile(memory, source, &offset, max_bytes + 1 - copied);
    if (step < 0 && errno == EINTR) continue;
    if (step < 0) return Unreadable(label, "cannot read it", errno);
    if (step == 0) return copied;
    copied += static_cast<std::uint64_t>(step);
  }
  return Refused(kModuleCorrupt, label, fmt::format("module {} is larger than {} bytes", label, max_bytes));
}

/// EBUSY: something in the kernel (reclaim, compaction) is at a page of it, and was waited for in vain. That passes.
Status Seal(int memory, std::string_view label) {
  for (int tries = 1; fcntl(memory, F_ADD_SEALS, kAllSeals) != 0; ++tries) {
    if (errno != EBUSY || tries == kSealTries) return Unreadable(label, "cannot seal the copy of it", errno);
    std::this_thread::sleep_for(kSealPause);
  }
  return OkStatus();
}

}  // namespace

std::string Sha256Hex(std::span<const std::uint8_t> bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    std::abort();  // out of memory, or a libcrypto without SHA-256: nothing could be checked any more
  }
  std::string hex;
  for (unsigned i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

Mapping::~Mapping() {
  if (address_ != nullptr) munmap(address_, size_);
}

Result<SealedImage> SealedImage::Copy(int source, std::string_view label, std::uint64_t max_bytes) {
  SealedImage image;
  ASSIGN_OR_RETURN(image.fd_, NewMemory(label));
  ASSIGN_OR_RETURN(image.size_, CopyAll(source, image.fd(), label, max_bytes));
  RETURN_IF_ERROR(Seal(image.fd(), label));
  struct stat info{};
  if (fstat(image.fd(), &info) != 0) return Unreadable(label, "cannot stat the copy of it", errno);
  image.device_ = info.st_dev;
  image.inode_ = info.st_ino;
  ASSIGN_OR_RETURN(const Mapping mapping, image.Map());
  image.sha256_ = Sha256Hex(mapping.bytes());
  return image;
}

Result<Mapping> SealedImage::Map() const {
  if (size_ == 0) return Mapping();
  void* address = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd_.get(), 0);
  if (address == MAP_FAILED) return Unreadable("image", "cannot map the copy of it", errno);
  return Mapping(address, size_);
}

}  // namespace probed::modules
