// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The header compression state of one direction (RFC 7541), by nghttp2's inflater with memory of the stream. The table
// is the peers' shared history: once bytes of a block are missing, nobody can say what an index means. Then, and on a
// connection that was joined late, the table is filled with entries that say "unknown", so that an index points to the
// right entry or to one of these, never to a wrong one.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "api/sdk/host.h"

namespace probed::mod::grpc {

/// Name of entries nobody knows. No peer may send it: header names are tokens.
inline constexpr std::string_view kUnknownName{"\0", 1};

/// Memory for nghttp2 from a stream. Stays where it is as long as an inflater uses it.
class HpackMemory {
 public:
  void Use(sdk::Stream stream);
  nghttp2_mem* table() { return &memory_; }

 private:
  nghttp2_mem memory_{};
  sdk::Stream stream_{nullptr, nullptr};

  friend struct HpackMemoryCalls;
};

/// One direction. The owner calls Close before the stream's memory goes.
class Hpack {
 public:
  static constexpr std::size_t kMostTable = 65536;  // a peer that may use more is not followed any longer

  /// Before each block. Without a table begins one: empty at the start of a connection, unknown later on. False: no
  /// memory.
  bool Begin(HpackMemory& memory, bool from_start);
  /// What the table holds is not known any more.
  void Close();
  /// The reader of this direction allows a table of `size` bytes.
  void Allow(std::uint32_t size);

  /// A piece of a header block, `last` at its end. Calls sink(name, value) per field. False: the block is malformed or
  /// the table is not what was thought; the state is closed then.
  template <class Sink>
  bool Inflate(std::string_view bytes, bool last, Sink&& sink) {
    while (true) {
      nghttp2_nv field;
      int flags = 0;
      const long used = Step(bytes, last, &field, &flags);
      if (used < 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(used));
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
        sink(std::string_view(reinterpret_cast<const char*>(field.name), field.namelen),
             std::string_view(reinterpret_cast<const char*>(field.value), field.valuelen));
      }
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
        nghttp2_hd_inflate_end_headers(inflater_);
        return true;
      }
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 && bytes.empty()) return true;
    }
  }

 private:
  bool Open(HpackMemory& memory, bool from_start);
  bool Prime();
  long Step(std::string_view bytes, bool last, nghttp2_nv* field, int* flags);

  nghttp2_hd_inflater* inflater_ = nullptr;
  std::uint32_t allowed_ = 4096;  // by the reader's SETTINGS_HEADER_TABLE_SIZE
  std::uint32_t applied_ = 4096;  // what the inflater was told
};

}  // namespace probed::mod::grpc
