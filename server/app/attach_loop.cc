// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/app/attach_loop.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <tuple>
#include <utility>

namespace probed::app {
namespace {

constexpr std::chrono::milliseconds kSettle{5};      // a program that starts maps its libraries one after the other
constexpr std::chrono::seconds kRescan{10};          // for what is no longer mapped
constexpr std::chrono::seconds kRescanUnwatched{1};  // when the kernel does not announce mappings

/// The links of one file.
class Links final : public attach::Attachment {
 public:
  void Take(std::vector<bpf::Link> more) {
    for (bpf::Link& link : more) links_.push_back(std::move(link));
  }
  std::size_t links() const override { return links_.size(); }

 private:
  std::vector<bpf::Link> links_;
};

using Sites = std::span<const attach::Site>;

/// Sites of one program and kind go into one call: they are neighbours, because sites are sorted.
Sites NextGroup(Sites sites) {
  std::size_t count = 1;
  while (count < sites.size() && sites[count].program == sites[0].program &&
         sites[count].is_return == sites[0].is_return) {
    ++count;
  }
  return sites.first(count);
}

Result<std::unique_ptr<attach::Attachment>> AttachAll(const bpf::CaptureCore& core, const bpf::ModuleSlot& slot, int fd,
                                                      std::vector<attach::Site> sites) {
  std::sort(sites.begin(), sites.end(), [](const attach::Site& a, const attach::Site& b) {
    return std::tie(a.program, a.is_return, a.offset) < std::tie(b.program, b.is_return, b.offset);
  });
  auto links = std::make_unique<Links>();
  const std::string path = fmt::format("/proc/self/fd/{}", fd);
  for (Sites rest = sites; !rest.empty();) {
    const Sites group = NextGroup(rest);
    std::vector<std::uint64_t> offsets;
    for (const attach::Site& site : group) offsets.push_back(site.offset);
    ASSIGN_OR_RETURN(std::vector<bpf::Link> made,
                     core.AttachProbe(slot, group[0].program, path, offsets, group[0].is_return));
    links->Take(std::move(made));
    rest = rest.subspan(group.size());
  }
  return std::unique_ptr<attach::Attachment>(std::move(links));
}

attach::Site ToSite(const probe_site_t& site) {
  return {.program = site.program.ptr == nullptr ? std::string() : std::string(site.program.ptr, site.program.len),
          .offset = site.file_offset,
          .is_return = site.is_return != 0};
}

std::string Describe(const attach::AttachReport& report) {
  std::string text;
  for (std::size_t i = 0; i < attach::kRefusals; ++i) {
    if (report.refused[i] == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", attach::RefusalName(static_cast<attach::Refusal>(i)),
                        report.refused[i]);
  }
  return fmt::format("files without probes: {}; the last: {}", text, report.last_refusal);
}

std::string DescribeUnread(const attach::AttachReport& report) {
  constexpr std::size_t kMostNames = 8;
  std::string text;
  std::size_t named = 0;
  for (const auto& [pid, program] : report.unread_now) {
    if (++named > kMostNames) break;
    text += fmt::format("{}{} (pid {})", text.empty() ? "" : ", ", program, pid);
  }
  const std::size_t all = report.unread_now.size();
  return fmt::format("programs that cannot be looked into, for want of symbols or a known library: {}{}", text,
                     all > kMostNames ? fmt::format(" and {} more", all - kMostNames) : "");
}

}  // namespace

AttachLoop::AttachLoop(const boost::asio::any_io_executor& executor, bpf::CaptureCore* core, DiscoveryLoop& discovery,
                       const Clock& clock)
    : executor_(executor),
      core_(core),
      clock_(clock),
      mappings_(discovery),
      engine_(mappings_),
      rescan_(executor),
      settle_(executor) {}

void AttachLoop::Add(const std::string& name, modules::ModuleInstance& instance, const bpf::ModuleSlot& slot) {
  attach::AttachPort port;
  port.plan = [&instance](int fd, const std::string& path, const std::function<void(attach::Site)>& emit) {
    if (instance.faulted()) return MakeStatus(absl::StatusCode::kNotFound, "the module is quarantined");
    return instance.Plan(fd, path, [&emit](const probe_site_t& site) { emit(ToSite(site)); });
  };
  port.attach = [this, &slot](int fd, Sites sites) {
    return AttachAll(*core_, slot, fd, {sites.begin(), sites.end()});
  };
  if (!engine_.active()) StartWatching();
  engine_.Add(name, std::move(port));
}

void AttachLoop::Remove(const std::string& name) {
  engine_.Remove(name);
  refused_since_utc_ns_.erase(name);
  unread_since_utc_ns_.erase(name);
  if (!engine_.active()) StopWatching();
}

// Watching begins before the first look, so that nothing falls between the two.
void AttachLoop::StartWatching() {
  Result<std::unique_ptr<attach::MappingWatcher>> watcher = attach::MappingWatcher::Start(
      executor_, [this](std::uint32_t pid) { OnMapping(pid); }, [this] { engine_.Rescan(); });
  if (watcher.ok())
    watcher_ = std::move(watcher).value();
  else
    spdlog::warn("libraries loaded later are found by a timer: {}", Message(watcher.status()));
  active_.store(true);
  ArmRescan();
}

void AttachLoop::StopWatching() {
  active_.store(false);
  watcher_.reset();
  rescan_.cancel();
  settle_.cancel();
  pending_.clear();
}

void AttachLoop::ArmRescan() {
  rescan_.expires_after(watcher_ ? kRescan : kRescanUnwatched);
  rescan_.async_wait([this](const boost::system::error_code& error) {
    if (error || !engine_.active()) return;
    engine_.Rescan();
    ArmRescan();
  });
}

void AttachLoop::OnMapping(std::uint32_t pid) {
  if (!pending_.insert(pid).second || pending_.size() > 1) return;
  settle_.expires_after(kSettle);
  settle_.async_wait([this](const boost::system::error_code& error) {
    if (!error) ScanPending();
  });
}

void AttachLoop::ScanPending() {
  for (const std::uint32_t pid : std::exchange(pending_, {})) engine_.OnProcess(pid);
}

// The mappings of a new program may be announced before discovery knows the program: this looks once more. At once, for
// the program itself may be all there is (Go's are linked into one file) and is soon at work; then at what it maps.
void AttachLoop::OnExec(std::uint32_t pid) {
  if (!active_.load(std::memory_order_relaxed)) return;
  boost::asio::post(executor_, [this, pid] {
    engine_.OnProcess(pid);
    OnMapping(pid);
  });
}

void AttachLoop::OnUnread(const std::string& name, std::uint32_t pid) {
  boost::asio::post(executor_, [this, name, pid] { engine_.OnUnread(name, pid); });
}

std::map<std::string, std::uint64_t> AttachLoop::Counters(const std::string& name) const {
  std::map<std::string, std::uint64_t> counters;
  const std::optional<attach::AttachReport> report = engine_.Report(name);
  if (!report) return counters;
  counters["attach.files"] = report->files;
  counters["attach.sites"] = report->sites;
  counters["attach.links"] = report->links;
  counters["attach.planned"] = report->planned;
  counters["attach.detached"] = report->detached;
  counters["no_symbols"] = report->unread;
  for (std::size_t i = 0; i < attach::kRefusals; ++i) {
    const std::string_view reason = attach::RefusalName(static_cast<attach::Refusal>(i));
    if (report->refused[i] != 0) counters[fmt::format("attach.refused.{}", reason)] = report->refused[i];
  }
  return counters;
}

std::vector<state::Condition> AttachLoop::Conditions(const std::string& name) {
  const std::optional<attach::AttachReport> report = engine_.Report(name);
  if (!report) return {};
  std::vector<state::Condition> conditions;
  const auto since = [this, &name](auto& times) { return times.try_emplace(name, clock_.UtcNs()).first->second; };
  if (report->total_refused() != 0)
    conditions.push_back({"Degraded", "ATTACH_REFUSED", Describe(*report), since(refused_since_utc_ns_)});
  if (!report->unread_now.empty())
    conditions.push_back({"NotApplicable", "NO_SYMBOLS", DescribeUnread(*report), since(unread_since_utc_ns_)});
  else
    unread_since_utc_ns_.erase(name);
  return conditions;
}

}  // namespace probed::app
