// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// ASCII helpers for text protocols, written for the hot path: no locale, no allocation, inlined.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace probed::sdk {

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
constexpr char ToLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

inline std::string Lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = ToLower(c);
  return out;
}

/// RFC 9110 §5.6.2 tchar.
inline constexpr std::array<bool, 256> kTchar = [] {
  std::array<bool, 256> table{};
  for (const char c : std::string_view("!#$%&'*+-.^_`|~0123456789")) table[static_cast<std::uint8_t>(c)] = true;
  for (std::uint8_t c = 'a'; c <= 'z'; ++c) table[c] = true;
  for (std::uint8_t c = 'A'; c <= 'Z'; ++c) table[c] = true;
  return table;
}();
constexpr bool IsTchar(char c) { return kTchar[static_cast<std::uint8_t>(c)]; }

constexpr std::string_view TrimBlanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

constexpr bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (ToLower(a[i]) != ToLower(b[i])) return false;
  }
  return true;
}

namespace detail {
template <class Word>
inline Word LoadFolded(const char* p) {
  Word word;
  std::memcpy(&word, p, sizeof(word));
  return word | static_cast<Word>(0x2020202020202020ULL);
}
}  // namespace detail

/// Whether the N-1 bytes at `p` are `lower`, a literal of lower-case letters, digits and '-', in any case. Compares
/// eight bytes at a time; the last step overlaps. (Folding with 0x20 also equates a few control characters with
/// letters; the line was split at those before.)
template <std::size_t N>
inline bool NameIs(const char* p, const char (&lower)[N]) {
  constexpr std::size_t kSize = N - 1;
  static_assert(kSize >= 4);
  using Word = std::conditional_t<(kSize >= 8), std::uint64_t, std::uint32_t>;
  for (std::size_t i = 0; i + sizeof(Word) <= kSize; i += sizeof(Word)) {
    if (detail::LoadFolded<Word>(p + i) != detail::LoadFolded<Word>(lower + i)) return false;
  }
  constexpr std::size_t kTail = kSize - sizeof(Word);
  return detail::LoadFolded<Word>(p + kTail) == detail::LoadFolded<Word>(lower + kTail);
}

/// First `c` in [p, end), or end. `floor` is where readable memory begins (floor <= p): the last step may read before
/// p.
inline const char* FindByte(const char* floor, const char* p, const char* end, char c) {
#if defined(__SSE2__)
  const __m128i needle = _mm_set1_epi8(c);
  const auto mask = [&](const char* at) {
    return static_cast<std::uint32_t>(
        _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)), needle)));
  };
  for (; end - p >= 16; p += 16) {
    if (const std::uint32_t bits = mask(p); bits != 0) return p + std::countr_zero(bits);
  }
  if (p == end) return end;
  if (end - floor >= 16) {
    const std::uint32_t bits = mask(end - 16) >> (16 - (end - p));
    return bits != 0 ? p + std::countr_zero(bits) : end;
  }
#endif
  static_cast<void>(floor);
  const void* found = p == end ? nullptr : std::memchr(p, c, static_cast<std::size_t>(end - p));
  return found != nullptr ? static_cast<const char*>(found) : end;
}

/// Walks the line ends of a block, 64 bytes at a time.
class LineEnds {
 public:
  explicit LineEnds(std::string_view block)
      : base_(block.data()), end_(base_ + block.size()), chunk_(base_), mask_(MaskAt(base_, end_, base_)) {}

  /// The next line feed, or nullptr.
  [[gnu::always_inline]] inline const char* Next() {
    while (mask_ == 0) [[unlikely]] {
      if (end_ - chunk_ <= 64) return nullptr;
      chunk_ += 64;
      mask_ = MaskAt(base_, end_, chunk_);
    }
    const char* found = chunk_ + std::countr_zero(mask_);
    mask_ &= mask_ - 1;
    return found;
  }

 private:
#if defined(__SSE2__)
  static std::uint64_t Mask16(const char* p) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n'))));
  }
  static std::uint64_t Mask64(const char* p) {
    return Mask16(p) | Mask16(p + 16) << 16U | Mask16(p + 32) << 32U | Mask16(p + 48) << 48U;
  }
#else
  static std::uint64_t Mask64(const char* p) {
    std::uint64_t mask = 0;
    for (unsigned i = 0; i < 64; ++i) mask |= std::uint64_t{p[i] == '\n'} << i;
    return mask;
  }
#endif

  [[gnu::always_inline]] static inline std::uint64_t MaskAt(const char* base, const char* end, const char* p) {
    return end - p >= 64 ? Mask64(p) : LastMask(base, end, p);
  }

  /// The last chunk may be short: it is read from its end backwards where the block allows, else from a copy.
  [[gnu::noinline]] static std::uint64_t LastMask(const char* base, const char* end, const char* p) {
    const auto left = static_cast<std::size_t>(end - p);
    if (end - base >= 64) return Mask64(end - 64) >> (64 - left);
    char copy[64] = {};
    if (left != 0) std::memcpy(copy, p, left);
    return Mask64(copy);
  }

  const char* base_;
  const char* end_;
  const char* chunk_;
  std::uint64_t mask_;
};

/// Decimal digits only, no sign, no overflow.
inline bool ParseDecimal(std::string_view text, std::uint64_t* out) {
  if (text.empty() || text.size() > 19) return false;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (!IsDigit(c)) return false;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  *out = value;
  return true;
}

}  // namespace probed::sdk
