// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/gzip.h"

#include <new>

namespace probed::exporter {
namespace {

// OTLP repeats itself: level 1 already gives nearly all there is to gain, at a third of the default's cost.
constexpr int kLevel = 1;
constexpr int kGzipWindow = 15 + 16;  // largest window, gzip header (zlib.h, deflateInit2)
constexpr int kMemory = 8;

}  // namespace

Gzip::Gzip() {
  if (deflateInit2(&stream_, kLevel, Z_DEFLATED, kGzipWindow, kMemory, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::bad_alloc();
}

Gzip::~Gzip() { deflateEnd(&stream_); }

std::string_view Gzip::Compress(std::string_view text) {
  deflateReset(&stream_);
  const std::size_t bound = deflateBound(&stream_, text.size());
  if (out_.size() < bound) out_.resize(bound);
  stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream_.avail_in = static_cast<uInt>(text.size());
  stream_.next_out = reinterpret_cast<Bytef*>(out_.data());
  stream_.avail_out = static_cast<uInt>(out_.size());
  deflate(&stream_, Z_FINISH);  // cannot fail: the output has room for the bound
  return {out_.data(), out_.size() - stream_.avail_out};
}

}  // namespace probed::exporter
