// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Follows a chunked body (RFC 9112 §7.1) without keeping any of it:
//
//   *( hex-size [;extension] CRLF data CRLF ) "0" [;extension] CRLF *( trailer CRLF ) CRLF
//
// Bare LF is taken for CRLF.
#pragma once

#include <cstdint>
#include <string_view>

#include "api/sdk/parse_state.h"

namespace probed::mod::http {

/// A value that consumes bytes; zeroed memory stands before the first chunk.
class ChunkReader {
 public:
  void Reset() { *this = {}; }

  /// Consumes from `bytes`. kNeedMore: all of them, and the body goes on; kOk: up to its end; kInvalid: no chunk here.
  /// `payload` grows by the bytes of chunk data.
  sdk::ParseState Feed(std::string_view* bytes, std::uint64_t* payload);

  /// Passes `count` bytes nobody saw. False: they reach beyond the chunk's data and its CRLF, so the place is lost.
  bool Skip(std::uint64_t count, std::uint64_t* payload);

 private:
  enum class At : std::uint8_t { kSize, kExtension, kData, kAfterData, kTrailer, kTrailerText };

  sdk::ParseState Step(char c);
  void EndOfSizeLine();

  std::uint64_t remaining_ = 0;  // kSize: the size read so far; kData: bytes to come
  std::uint8_t digits_ = 0;
  std::uint8_t line_end_ = 0;  // kAfterData: bytes of the CRLF that went by
  At at_ = At::kSize;
};

}  // namespace probed::mod::http
