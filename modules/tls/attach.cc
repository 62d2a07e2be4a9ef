// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/tls/attach.h"

#include <unistd.h>

#include <array>
#include <optional>
#include <string_view>

#include "api/sdk/elf_symbols.h"
#include "modules/tls/sites.h"

namespace probed::mod::tls {
namespace {

/// A function, the programs for its two ends, and the one for a cheap place before its return (sites.h); empty: its
/// code has none. SSL_read_early_data and SSL_write_early_data call those with `_ex`, SSL_connect and SSL_accept call
/// SSL_do_handshake.
struct Function {
  std::string_view name;
  std::string_view at_entry;
  std::string_view at_return;
  std::string_view at_site;
};
constexpr std::array<Function, 6> kFunctions = {{{"SSL_read", "tls_enter", "tls_read", "tls_read_at"},
                                                 {"SSL_write", "tls_enter", "tls_wrote", "tls_wrote_at"},
                                                 {"SSL_read_ex", "tls_enter_ex", "tls_read_ex", ""},
                                                 {"SSL_write_ex", "tls_enter_ex", "tls_wrote_ex", ""},
                                                 {"SSL_do_handshake", "tls_enter_blind", "tls_shook_hands", ""},
                                                 {"SSL_sendfile", "tls_enter_blind", "tls_wrote", ""}}};
constexpr std::size_t kNeeded = 2;  // the first ones; the others are not in every version

probe_site_t Site(std::string_view program, std::uint64_t offset, bool is_return) {
  return {.program = sdk::ToAbi(program),
          .file_offset = offset,
          .is_return = static_cast<std::uint8_t>(is_return ? 1 : 0),
          .reserved = {}};
}

std::optional<CallSites> SitesAt(int fd, std::uint64_t offset) {
#if defined(__x86_64__)
  std::array<char, kSiteBytes> code{};
  const ssize_t size = pread(fd, code.data(), code.size(), static_cast<off_t>(offset));
  if (size > 0) return FindCallSites({code.data(), static_cast<std::size_t>(size)});
#else
  (void)fd, (void)offset;
#endif
  return std::nullopt;
}

void AddSites(int fd, const Function& function, std::uint64_t offset, std::vector<probe_site_t>& out) {
  const std::optional<CallSites> cheap = function.at_site.empty() ? std::nullopt : SitesAt(fd, offset);
  if (cheap) {
    out.push_back(Site("tls_enter_at", offset + cheap->entry, false));
    out.push_back(Site(function.at_site, offset + cheap->exit, false));
  } else {
    out.push_back(Site(function.at_entry, offset, false));
    out.push_back(Site(function.at_return, offset, true));
  }
}

}  // namespace

std::vector<probe_site_t> FindSites(int fd) {
  std::array<std::string_view, kFunctions.size()> names;
  std::array<std::optional<std::uint64_t>, kFunctions.size()> offsets;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = kFunctions[i].name;
  sdk::ElfSymbols(fd).FindFunctions(names, offsets);
  std::vector<probe_site_t> sites;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!offsets[i] && i < kNeeded) return {};
    if (offsets[i]) AddSites(fd, kFunctions[i], *offsets[i], sites);
  }
  return sites;
}

}  // namespace probed::mod::tls
