// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/tls/attach.h"

#include <array>
#include <optional>
#include <string_view>

#include "api/sdk/elf_symbols.h"

namespace probed::mod::tls {
namespace {

/// A function, and the programs for its two ends. SSL_read_early_data and SSL_write_early_data call those with `_ex`,
/// SSL_connect and SSL_accept call SSL_do_handshake.
struct Function {
  std::string_view name;
  std::string_view at_entry;
  std::string_view at_return;
};
constexpr std::array<Function, 6> kFunctions = {{{"SSL_read", "tls_enter", "tls_read"},
                                                 {"SSL_write", "tls_enter", "tls_wrote"},
                                                 {"SSL_read_ex", "tls_enter_ex", "tls_read_ex"},
                                                 {"SSL_write_ex", "tls_enter_ex", "tls_wrote_ex"},
                                                 {"SSL_do_handshake", "tls_enter_blind", "tls_shook_hands"},
                                                 {"SSL_sendfile", "tls_enter_blind", "tls_wrote"}}};
constexpr std::size_t kNeeded = 2;  // the first ones; the others are not in every version

probe_site_t Site(std::string_view program, std::uint64_t offset, bool is_return) {
  return {.program = sdk::ToAbi(program),
          .file_offset = offset,
          .is_return = static_cast<std::uint8_t>(is_return ? 1 : 0),
          .reserved = {}};
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
    if (!offsets[i]) continue;
    sites.push_back(Site(kFunctions[i].at_entry, *offsets[i], false));
    sites.push_back(Site(kFunctions[i].at_return, *offsets[i], true));
  }
  return sites;
}

}  // namespace probed::mod::tls
