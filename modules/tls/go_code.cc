// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Functions begin with a check against the end of the goroutine's stack, whose address is in r14:
//
//   cmp 0x10(%r14),%rsp         or, with a large frame,   lea -size(%rsp),%r12
//   jbe more                                              cmp 0x10(%r14),%r12
//                                                         jbe more
#include "modules/tls/go_code.h"

#include <Zydis/Zydis.h>

namespace probed::mod::tls {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::string_view kCheckSmall = "\x49\x3b\x66\x10"sv;     // cmp 0x10(%r14),%rsp
constexpr std::string_view kReserve = "\x4c\x8d\x64\x24"sv;        // lea disp8(%rsp),%r12
constexpr std::string_view kReserveLarge = "\x4c\x8d\xa4\x24"sv;   // lea disp32(%rsp),%r12
constexpr std::string_view kCheckReserved = "\x4d\x3b\x66\x10"sv;  // cmp 0x10(%r14),%r12
constexpr std::string_view kIfNotAbove = "\x76"sv;                 // jbe rel8
constexpr std::string_view kIfNotAboveFar = "\x0f\x86"sv;          // jbe rel32

/// Behind the check of the stack.
std::optional<std::uint32_t> FindEntry(std::string_view code) {
  std::size_t at = 0;
  if (code.starts_with(kCheckSmall)) {
    at = kCheckSmall.size();
  } else {
    if (code.starts_with(kReserve)) at = kReserve.size() + 1;
    if (code.starts_with(kReserveLarge)) at = kReserveLarge.size() + 4;
    if (at == 0 || at > code.size() || !code.substr(at).starts_with(kCheckReserved)) return std::nullopt;
    at += kCheckReserved.size();
  }
  const std::string_view jump = code.substr(at);
  if (!jump.starts_with(kIfNotAbove) && !jump.starts_with(kIfNotAboveFar)) return std::nullopt;
  return static_cast<std::uint32_t>(at);
}

}  // namespace

std::optional<GoSites> FindGoSites(std::string_view code) {
  const std::optional<std::uint32_t> entry = FindEntry(code);
  ZydisDecoder decoder;
  if (!entry || !ZYAN_SUCCESS(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
    return std::nullopt;
  GoSites sites{.entry = *entry, .returns = {}};
  for (std::size_t at = 0; at < code.size();) {
    ZydisDecodedInstruction instruction;
    if (!ZYAN_SUCCESS(
            ZydisDecoderDecodeInstruction(&decoder, nullptr, code.data() + at, code.size() - at, &instruction)))
      return std::nullopt;
    if (instruction.mnemonic == ZYDIS_MNEMONIC_RET) sites.returns.push_back(static_cast<std::uint32_t>(at));
    at += instruction.length;
  }
  if (sites.returns.empty()) return std::nullopt;
  return sites;
}

}  // namespace probed::mod::tls
