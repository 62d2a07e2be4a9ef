// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/file_transport.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "server/base/fd.h"
#include "server/export/otlp_json.h"
#include "server/export/otlp_settings.h"

namespace probed::exporter {
namespace {

constexpr mode_t kFileMode = 0640;

std::string Describe(std::string_view what, const std::string& path) {
  return fmt::format("cannot {} {}: {}", what, path, std::generic_category().message(errno));
}

/// One file being written. Errors are texts; empty means done.
class LineFile {
 public:
  std::string Open(const std::string& path) {
    path_ = path;
    fd_ = Fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, kFileMode));
    struct stat info{};
    if (!fd_.valid() || ::fstat(fd_.get(), &info) != 0) return Describe("open", path);
    size_ = static_cast<std::uint64_t>(info.st_size);
    return {};
  }

  bool is_open() const { return fd_.valid(); }
  std::uint64_t size() const { return size_; }

  std::string Append(std::string_view text) {
    for (std::string_view rest = text; !rest.empty();) {
      const ssize_t written = ::write(fd_.get(), rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return TakeBack();
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
    size_ += text.size();
    return {};
  }

  /// Moves path.1 → path.2 … and path → path.1, and closes. The next Open begins a new file.
  std::string Rotate(std::uint32_t keep) {
    fd_ = Fd();
    if (keep == 0) return ::truncate(path_.c_str(), 0) == 0 ? "" : Describe("empty", path_);
    for (std::uint32_t i = keep; i > 1; --i) {
      std::rename(fmt::format("{}.{}", path_, i - 1).c_str(), fmt::format("{}.{}", path_, i).c_str());
    }
    if (std::rename(path_.c_str(), (path_ + ".1").c_str()) != 0) return Describe("rotate", path_);
    return {};
  }

 private:
  std::string TakeBack() {
    std::string problem = Describe("write", path_);
    if (::ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0) problem += "; a partial line stays";
    return problem;
  }

  std::string path_;
  Fd fd_;
  std::uint64_t size_ = 0;
};

class FileTransport final : public Transport {
 public:
  explicit FileTransport(FileSettings settings) : settings_(std::move(settings)) {}

  AttemptResult Send(const BatchPtr& batch, std::chrono::milliseconds /*timeout*/) override {
    std::string problem = Write(*batch);
    return problem.empty() ? AttemptResult::Ok() : AttemptResult::Retryable(std::move(problem));
  }

 private:
  std::string Write(const Batch& batch) {
    LineFile& file = files_[SignalIndex(batch.signal)];
    const std::string line = batch.items == 0 ? "" : ToOtlpJson(batch) + "\n";
    if (std::string problem = Ready(file, batch.signal, line.size()); !problem.empty()) return problem;
    return file.Append(line);
  }

  std::string Ready(LineFile& file, config::Signal signal, std::uint64_t more) {
    const std::string path = SignalPath(settings_.path, signal);
    if (!file.is_open()) {
      if (std::string problem = file.Open(path); !problem.empty()) return problem;
    }
    const bool full = settings_.rotate_bytes > 0 && file.size() > 0 && file.size() + more > settings_.rotate_bytes;
    if (!full) return {};
    if (std::string problem = file.Rotate(settings_.rotate_keep); !problem.empty()) return problem;
    return file.Open(path);
  }

  const FileSettings settings_;
  std::array<LineFile, 3> files_;
};

}  // namespace

std::string SignalPath(const std::string& path, config::Signal signal) {
  if (signal == config::Signal::kTraces) return path;
  const auto name = path.rfind('/') + 1;
  const auto dot = path.rfind('.');
  const bool has_extension = dot != std::string::npos && dot > name;
  const std::size_t at = has_extension ? dot : path.size();
  return path.substr(0, at) + "." + std::string(config::SignalName(signal)) + path.substr(at);
}

Result<std::unique_ptr<Transport>> MakeFileTransport(FileSettings settings) {
  if (!settings.path.starts_with('/') || settings.path.ends_with('/')) {
    return MakeStatus(absl::StatusCode::kInvalidArgument,
                      fmt::format("path \"{}\" of a file sink must be an absolute file name", settings.path));
  }
  return std::make_unique<FileTransport>(std::move(settings));
}

}  // namespace probed::exporter
