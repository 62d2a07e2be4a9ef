// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What compilers make of
//
//   int SSL_read(SSL *s, void *buf, int num) {
//     size_t readbytes;
//     if (num < 0) { ...; return -1; }
//     int ret = ssl_read_internal(s, buf, (size_t)num, &readbytes);
//     if (ret > 0) ret = (int)readbytes;
//     return ret;
//   }
//
// with the count at (%rsp). Every instruction from the entry to the last jump is known, so nothing else can happen on
// the way.
#include "modules/tls/sites.h"

namespace probed::mod::tls {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::string_view kEndBranch = "\xf3\x0f\x1e\xfa"sv;
constexpr std::string_view kReserveStack = "\x48\x83\xec"sv;                        // sub $imm8,%rsp
constexpr std::string_view kLoadCanary = "\x64\x48\x8b\x04\x25\x28\x00\x00\x00"sv;  // mov %fs:0x28,%rax
constexpr std::string_view kKeepCanary = "\x48\x89\x44\x24"sv;                      // mov %rax,disp8(%rsp)
constexpr std::string_view kClearResult = "\x31\xc0"sv;                             // xor %eax,%eax
constexpr std::string_view kTestSize = "\x85\xd2"sv;                                // test %edx,%edx
constexpr std::string_view kIfNegative = "\x78"sv;                                  // js rel8
constexpr std::string_view kIfNegativeFar = "\x0f\x88"sv;                           // js rel32
constexpr std::string_view kPassCount = "\x48\x89\xe1"sv;                           // mov %rsp,%rcx
constexpr std::string_view kWidenSize = "\x48\x63\xd2"sv;                           // movslq %edx,%rdx
constexpr std::string_view kCall = "\xe8"sv;                                        // call rel32
constexpr std::string_view kTestResult = "\x85\xc0"sv;                              // test %eax,%eax
constexpr std::string_view kIfNotPositive = "\x7e"sv;                               // jle rel8
constexpr std::string_view kIfNotPositiveFar = "\x0f\x8e"sv;                        // jle rel32
constexpr std::string_view kLoadCount = "\x8b\x04\x24"sv;                           // mov (%rsp),%eax

/// Reads one instruction after the other.
class Code {
 public:
  explicit Code(std::string_view bytes) : bytes_(bytes) {}

  /// An instruction that begins like this, with so many bytes behind it.
  bool Take(std::string_view begin, std::size_t operands = 0) {
    if (!bytes_.substr(at_).starts_with(begin) || bytes_.size() - at_ < begin.size() + operands) return false;
    at_ += begin.size() + operands;
    return true;
  }
  std::uint32_t position() const { return static_cast<std::uint32_t>(at_); }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

bool TakePrologue(Code& code) {
  code.Take(kEndBranch);
  if (!code.Take(kReserveStack, 1)) return false;
  const bool guarded = code.Take(kLoadCanary);
  if (guarded && (!code.Take(kKeepCanary, 1) || !code.Take(kClearResult))) return false;
  return code.Take(kTestSize);
}

bool TakeArguments(Code& code) {
  if (code.Take(kPassCount)) return code.Take(kWidenSize);
  return code.Take(kWidenSize) && code.Take(kPassCount);
}

}  // namespace

std::optional<std::uint32_t> FindEntrySite(std::string_view bytes) {
  Code reserved(bytes);
  Code bare(bytes);
  bare.Take(kEndBranch);
  Code* code = TakePrologue(reserved) ? &reserved : bare.Take(kClearResult) && bare.Take(kTestSize) ? &bare : nullptr;
  if (code == nullptr) return std::nullopt;
  const std::uint32_t site = code->position();
  if (!code->Take(kIfNotPositive, 1) && !code->Take(kIfNotPositiveFar, 4)) return std::nullopt;
  return site;
}

std::optional<CallSites> FindCallSites(std::string_view bytes) {
  Code code(bytes);
  CallSites sites{};
  if (!TakePrologue(code)) return std::nullopt;
  sites.entry = code.position();
  if (!code.Take(kIfNegative, 1) && !code.Take(kIfNegativeFar, 4)) return std::nullopt;
  if (!TakeArguments(code) || !code.Take(kCall, 4) || !code.Take(kTestResult)) return std::nullopt;
  sites.exit = code.position();
  if (!code.Take(kIfNotPositive, 1) || !code.Take(kLoadCount)) return std::nullopt;
  return sites;
}

}  // namespace probed::mod::tls
