// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/tls/attach.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "api/sdk/elf_symbols.h"
#include "modules/tls/go_code.h"
#include "modules/tls/go_functions.h"
#include "modules/tls/sites.h"

namespace probed::mod::tls {
namespace {

/// A function, the programs for its two ends, and the one for a cheap place before its return (sites.h); empty: its
/// code has none; without a return there is only the entry. Where one of these calls another, the inner call ends first
/// and takes the plaintext.
struct Function {
  std::string_view name;
  std::string_view at_entry;
  std::string_view at_return;
  std::string_view at_site;
};

/// Functions of one interface. A file without the first of them, as many as are needed, has none of it.
struct Interface {
  std::size_t needed;
  std::span<const Function> functions;
};

/// SSL_read_early_data and SSL_write_early_data call those with `_ex`, SSL_connect and SSL_accept SSL_do_handshake.
constexpr Function kOpenSsl[] = {{"SSL_read", "tls_enter", "tls_read", "tls_read_at"},
                                 {"SSL_write", "tls_enter", "tls_wrote", "tls_wrote_at"},
                                 {"SSL_read_ex", "tls_enter_ex", "tls_read_ex", ""},
                                 {"SSL_write_ex", "tls_enter_ex", "tls_wrote_ex", ""},
                                 {"SSL_do_handshake", "tls_enter_blind", "tls_shook_hands", ""},
                                 {"SSL_sendfile", "tls_enter_blind", "tls_wrote", ""}};
/// ssize_t (gnutls_session_t, [const] void *, size_t): like SSL_read and SSL_write; errors are negative here too.
constexpr Function kGnuTls[] = {{"gnutls_record_recv", "tls_enter", "tls_read", ""},
                                {"gnutls_record_send", "tls_enter", "tls_wrote", ""},
                                {"gnutls_record_recv_seq", "tls_enter", "tls_read", ""},
                                {"gnutls_record_send2", "tls_enter", "tls_wrote", ""},
                                {"gnutls_handshake", "tls_enter_blind", "tls_shook_hands", ""}};
/// Of OpenSSL's other library: where it puts what it has encrypted, how it parses certificates, what went wrong.
constexpr Function kCrypto[] = {{"BIO_write", "tls_seal", "", ""},
                                {"d2i_X509", "tls_certificate", "", ""},
                                {"ERR_vset_error", "tls_error", "", ""}};
constexpr std::array<Interface, 3> kInterfaces = {
    {{.needed = 2, .functions = kOpenSsl}, {.needed = 2, .functions = kGnuTls}, {.needed = 1, .functions = kCrypto}}};

probe_site_t Site(std::string_view program, std::uint64_t offset, bool is_return) {
  return {.program = sdk::ToAbi(program),
          .file_offset = offset,
          .is_return = static_cast<std::uint8_t>(is_return ? 1 : 0),
          .reserved = {}};
}

/// The code at a place in the file, as much of it as the search for cheap places looks at.
std::string_view CodeAt(const sdk::ElfSymbols& elf, std::uint64_t offset, std::array<char, kSiteBytes>& code) {
#if defined(__x86_64__)
  if (elf.Read(offset, code.data(), code.size())) return {code.data(), code.size()};
#else
  (void)elf, (void)offset, (void)code;
#endif
  return {};
}

void AddSites(const sdk::ElfSymbols& elf, const Function& function, std::uint64_t offset,
              std::vector<probe_site_t>& out) {
  std::array<char, kSiteBytes> bytes{};
  const std::string_view code = CodeAt(elf, offset, bytes);
  if (function.at_return.empty()) {
    out.push_back(Site(function.at_entry, offset + FindEntrySite(code).value_or(0), false));
    return;
  }
  const std::optional<CallSites> cheap = function.at_site.empty() ? std::nullopt : FindCallSites(code);
  if (cheap) {
    out.push_back(Site("tls_enter_at", offset + cheap->entry, false));
    out.push_back(Site(function.at_site, offset + cheap->exit, false));
  } else {
    out.push_back(Site(function.at_entry, offset, false));
    out.push_back(Site(function.at_return, offset, true));
  }
}

/// A function of Go, and the programs for its entry and for each of its returns (empty: none).
struct GoProbes {
  std::string_view at_entry;
  std::string_view at_return;
};

/// Of crypto/tls. The linker leaves out the handshake of the side that a program never is.
constexpr std::array<std::string_view, 5> kGoNames = {
    "crypto/tls.(*Conn).Read", "crypto/tls.(*Conn).writeRecordLocked", "crypto/tls.(*Conn).clientHandshake",
    "crypto/tls.(*Conn).serverHandshake", "crypto/tls.(*Conn).verifyServerCertificate"};
constexpr std::array<GoProbes, 5> kGoProbes = {{{"tls_go_enter", "tls_go_read"},
                                                {"tls_go_write", ""},
                                                {"tls_go_shake", "tls_go_shook"},
                                                {"tls_go_shake", "tls_go_shook"},
                                                {"tls_go_certificate", ""}}};
constexpr std::uint32_t kMostCode = 65536;  // of one function

bool AddGoFunction(const sdk::ElfSymbols& elf, const GoFunction& function, std::uint64_t base, const GoProbes& probes,
                   std::vector<probe_site_t>& out) {
  const std::optional<std::uint64_t> offset = elf.OffsetOf(base + function.begin);
  if (!offset || function.end - function.begin > kMostCode) return false;
  std::string code(function.end - function.begin, '\0');
  if (!elf.Read(*offset, code.data(), code.size())) return false;
  const std::optional<GoSites> sites = FindGoSites(code);
  if (!sites) return false;
  out.push_back(Site(probes.at_entry, *offset + sites->entry, false));
  if (probes.at_return.empty()) return true;
  for (const std::uint32_t at : sites->returns) out.push_back(Site(probes.at_return, *offset + at, false));
  return true;
}

/// All functions that are there, if that is where they are. Without certificates (the last) the others do as well.
bool AddGoFunctions(const sdk::ElfSymbols& elf, const GoFunctions& found, std::uint64_t base,
                    std::vector<probe_site_t>& out) {
  for (std::size_t i = 0; i < kGoNames.size(); ++i)
    if (found.functions[i] && !AddGoFunction(elf, *found.functions[i], base, kGoProbes[i], out) &&
        i + 1 < kGoNames.size())
      return false;
  return true;
}

void AddGo(const sdk::ElfSymbols& elf, std::vector<probe_site_t>& out) {
  if (elf.machine() != EM_X86_64) return;
  const std::optional<GoFunctions> found = FindGoFunctions(elf, kGoNames);
  if (!found || !found->functions[0] || !found->functions[1]) return;
  for (const std::uint64_t base : found->bases) {
    std::vector<probe_site_t> sites;
    if (!AddGoFunctions(elf, *found, base, sites)) continue;
    out.insert(out.end(), sites.begin(), sites.end());
    return;
  }
}

}  // namespace

std::vector<probe_site_t> FindSites(int fd) {
  std::vector<std::string_view> names;
  for (const Interface& interface : kInterfaces)
    for (const Function& function : interface.functions) names.push_back(function.name);
  std::vector<std::optional<std::uint64_t>> offsets(names.size());
  const sdk::ElfSymbols elf(fd);
  elf.FindFunctions(names, offsets);
  std::vector<probe_site_t> sites;
  AddGo(elf, sites);
  auto offset = offsets.cbegin();
  for (const Interface& interface : kInterfaces) {
    const auto behind = offset + static_cast<std::ptrdiff_t>(interface.needed);
    const bool present = std::all_of(offset, behind, [](const auto& found) { return found.has_value(); });
    for (const Function& function : interface.functions) {
      if (present && *offset) AddSites(elf, function, **offset, sites);
      ++offset;
    }
  }
  return sites;
}

}  // namespace probed::mod::tls
