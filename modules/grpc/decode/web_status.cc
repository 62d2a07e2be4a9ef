// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/grpc/decode/web_status.h"

#include <zlib.h>

#include <array>

#include "api/sdk/text.h"
#include "modules/grpc/decode/status.h"

namespace probed::mod::grpc {
namespace {

constexpr std::string_view kGzip = "\x1f\x8b";  // RFC 1952 section 2.3.1
constexpr int kGzipWindow = 15 + 16;            // the largest, with gzip's header (zlib.h, inflateInit2)

using Inflated = std::array<char, 512>;  // the status is among the first lines; what is longer is cut

std::string_view Inflate(std::string_view compressed, Inflated& room) {
  z_stream stream{};
  if (inflateInit2(&stream, kGzipWindow) != Z_OK) return {};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  stream.avail_in = static_cast<uInt>(compressed.size());
  stream.next_out = reinterpret_cast<Bytef*>(room.data());
  stream.avail_out = static_cast<uInt>(room.size());
  inflate(&stream, Z_SYNC_FLUSH);  // as much as there is
  inflateEnd(&stream);
  return {room.data(), room.size() - stream.avail_out};
}

/// "grpc-status:0\r\n..."; other lines may say the same words.
std::int32_t StatusIn(std::string_view lines) {
  constexpr std::string_view kName = "grpc-status:";
  while (!lines.starts_with(kName)) {
    const std::size_t line = lines.find('\n');
    if (line == std::string_view::npos) return kNoStatus;
    lines.remove_prefix(line + 1);
  }
  const std::string_view value = lines.substr(kName.size());
  const std::size_t end = value.find_first_of("\r\n");
  return end == std::string_view::npos ? kNoStatus : ParseStatus(sdk::TrimBlanks(value.substr(0, end)));
}

}  // namespace

std::int32_t WebStatus(std::string_view trailers) {
  Inflated room;
  return StatusIn(trailers.starts_with(kGzip) ? Inflate(trailers, room) : trailers);
}

}  // namespace probed::mod::grpc
