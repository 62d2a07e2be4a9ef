// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Collects the fields of one header block as the inflater gives them. One per direction: blocks of a direction never
// overlap (RFC 9113 section 4.3), but they may be spread over records.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "api/sdk/host.h"
#include "modules/grpc/config.h"
#include "modules/grpc/decode/types.h"

namespace probed::mod::grpc {

/// Plain data: zeroed memory is a block not begun. Text memory is the stream's and kept for the next block.
class Block {
 public:
  /// Which list of header names to keep is not known before the block is read: a direction has requests or responses.
  struct Wanted {
    const sdk::http::HeaderFilter* headers;
    std::size_t most_bytes;
  };

  void Begin() {
    fields_ = {};
    fields_.grpc_status = -1;
    size_ = 0;
  }
  void Add(sdk::Stream stream, const Wanted& wanted, std::string_view name, std::string_view value);
  /// Bytes of it are missing: whatever is not there may have been there.
  void MarkLossy() { fields_.lossy = true; }

  const Fields& fields() const { return fields_; }
  const CapturedHeader* captured() const { return captured_.data(); }
  std::string_view text(Text which) const { return fields_.texts[which].In(text_); }
  const char* bytes() const { return text_; }
  std::uint32_t size() const { return size_; }

  void Release(sdk::Stream stream);

 private:
  void AddPseudo(sdk::Stream stream, const Wanted& wanted, std::string_view name, std::string_view value);
  void AddKnown(sdk::Stream stream, const Wanted& wanted, std::string_view name, std::string_view value);
  void AddTrace(std::string_view value);
  void AddState(sdk::Stream stream, const Wanted& wanted, std::string_view value);
  bool Keep(sdk::Stream stream, const Wanted& wanted, std::string_view value, Slice* out);
  void Keep(sdk::Stream stream, const Wanted& wanted, Text which, std::string_view value);
  bool Grow(sdk::Stream stream, std::size_t need);

  Fields fields_{};
  char* text_ = nullptr;
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;
  std::array<CapturedHeader, kMaxCaptured> captured_;
};

}  // namespace probed::mod::grpc
