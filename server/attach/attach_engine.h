// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Attach plans: keeps the probes of modules at their sites in the files that target processes execute. For each file it
// asks each module once where to probe, attaches all of the answer or nothing, and detaches when no target maps the
// file any more or the module goes. Does no I/O of its own: processes and files come from a MappingSource, the kernel
// stands behind AttachPort. Whoever owns it says when to look (AttachLoop in app/). [control]
#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/attach/executable_files.h"
#include "server/base/status.h"

namespace probed::attach {

/// probe_site of the module ABI, as a value.
struct Site {
  std::string program;
  std::uint64_t offset = 0;  // in the file
  bool is_return = false;
  auto operator<=>(const Site&) const = default;
};

/// Probes attached in one file; destroying it detaches them.
class Attachment {
 public:
  virtual ~Attachment() = default;
  virtual std::size_t links() const = 0;
};

/// One module, as far as attaching goes.
struct AttachPort {
  /// Asks the module. Errors: NOT_FOUND when the file is of no interest to it; everything else is a refusal.
  std::function<Status(int fd, const std::string& path, const std::function<void(Site)>& emit)> plan;
  /// Attaches all sites or none. The file may be closed afterwards.
  std::function<Result<std::unique_ptr<Attachment>>(int fd, std::span<const Site> sites)> attach;
};

class MappingSource {
 public:
  virtual ~MappingSource() = default;
  /// Processes that may be targets, whatever their sockets are.
  virtual std::vector<std::uint32_t> Targets() = 0;
  virtual bool IsTarget(std::uint32_t pid) = 0;
  /// Nothing when the process is gone.
  virtual std::optional<std::vector<MappedFile>> Files(std::uint32_t pid) = 0;
  /// Errors: NOT_FOUND when process or mapping are gone.
  virtual Result<Fd> Open(std::uint32_t pid, const MappedFile& file) = 0;
};

/// Why a file that a module may want has no probes. The ledger has a line for each ("attach.refused.<name>").
enum class Refusal : std::uint8_t {
  kUnreadable,    // the file cannot be opened or examined
  kPlanFailed,    // the module's plan gave an error
  kBadSite,       // the plan names a place beyond the file
  kTooManySites,  // more sites in one file than the limit
  kModuleFull,    // the module has all the sites it may have; tried again when some are given back
  kKernel,        // the kernel refused a probe
};
constexpr std::size_t kRefusals = 6;
std::string_view RefusalName(Refusal refusal);

struct AttachLimits {
  std::size_t sites_per_file = 1024;
  std::size_t sites_per_module = 16384;
  std::size_t plans_per_module = 8192;  // remembered answers
  /// A connection that began before a file was probed ends its handshake within this time.
  std::chrono::nanoseconds settled = std::chrono::seconds(1);
};

/// What became of a module's plan.
struct AttachReport {
  std::size_t files = 0;                            // with probes, now
  std::size_t sites = 0;                            // probed, now
  std::size_t links = 0;                            // held for them, now
  std::uint64_t planned = 0;                        // times the module was asked, ever
  std::uint64_t detached = 0;                       // files no longer mapped, ever
  std::array<std::uint64_t, kRefusals> refused{};   // files, ever
  std::string last_refusal;                         // in words; empty: none
  std::uint64_t unread = 0;                         // processes that the module cannot look into, ever
  std::map<std::uint32_t, std::string> unread_now;  // those of them that live, and what they execute
  std::uint64_t total_refused() const;
};

class AttachEngine {
 public:
  /// `source` outlives the engine.
  explicit AttachEngine(MappingSource& source, AttachLimits limits = {}) : source_(source), limits_(limits) {}

  /// Attaches to what targets execute now. A name is added once.
  void Add(const std::string& module, AttachPort port);
  /// Detaches everything of the module.
  void Remove(const std::string& module);
  bool active() const { return !modules_.empty(); }

  /// A process mapped something, or is new.
  void OnProcess(std::uint32_t pid);
  /// The module met a process it cannot look into. Of one that has new probes of the module it is not believed;
  /// it may be told again.
  void OnUnread(const std::string& module, std::uint32_t pid);
  /// Looks at everything: what was missed is attached, what is no longer executed by any target is detached.
  void Rescan();

  /// Nothing when the module has no plan here.
  std::optional<AttachReport> Report(const std::string& module) const;

 private:
  /// A file by what its content depends on: a plan holds as long as it is the same.
  struct Content {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t modified_ns = 0;
    std::uint64_t size = 0;
    auto operator<=>(const Content&) const = default;
  };
  struct Plan {
    Status status;  // NOT_FOUND: of no interest
    std::vector<Site> sites;
  };
  /// What was decided on a file. Without attachment and refusal: of no interest.
  struct FileState {
    std::unique_ptr<Attachment> attachment;
    std::size_t sites = 0;
    std::optional<Refusal> refusal;
    std::chrono::steady_clock::time_point attached;
  };
  struct Module {
    AttachPort port;
    std::map<Content, Plan> plans;
    std::map<FileKey, FileState> files;
    std::set<std::uint32_t> unread;  // processes counted that live
    AttachReport report;
  };
  /// A file under consideration, opened when the first module wants to see it.
  struct Candidate {
    std::uint32_t pid;
    const MappedFile& file;
    std::optional<Result<Fd>> opened;
  };

  void Scan(std::uint32_t pid);
  /// False: the process was gone before anything could be decided.
  bool Consider(const std::string& name, Module& module, Candidate& candidate);
  FileState Decide(const std::string& name, Module& module, const MappedFile& file, const Fd& fd);
  const Plan& PlanOf(Module& module, const MappedFile& file, const Fd& fd, const Content& content);
  FileState Refuse(const std::string& name, Module& module, Refusal refusal, const std::string& path,
                   std::string_view why) const;
  void DropUnmapped();
  void DropUnread();
  void Drop(Module& module, const std::set<FileKey>& mapped);

  MappingSource& source_;
  const AttachLimits limits_;
  std::map<std::string, Module> modules_;
  std::map<std::uint32_t, std::vector<FileKey>> processes_;  // what each was last seen to execute
};

}  // namespace probed::attach
