// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Builds the bytes of HTTP/2 connections for tests: frames, and header blocks compressed by nghttp2 as a real peer
// does.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "modules/grpc/bpf/h2_frames.h"

namespace probed::mod::grpc::testing {

using Headers = std::vector<std::pair<std::string, std::string>>;

inline const std::string kPrefaceBytes = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The parts in a row, made from left to right: the order in which compressors are asked matters, and that of the
/// operands of + is not defined.
inline std::string Join(std::initializer_list<std::string> parts) {
  std::string out;
  for (const std::string& part : parts) out += part;
  return out;
}

inline std::string BigEndian(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xffU);
  return out;
}

inline std::string Frame(std::uint8_t type, std::uint8_t flags, std::uint32_t id, std::string_view payload) {
  return BigEndian(payload.size(), 3) + static_cast<char>(type) + static_cast<char>(flags) + BigEndian(id, 4) +
         std::string(payload);
}

inline std::string Settings(const std::vector<std::pair<std::uint16_t, std::uint32_t>>& entries = {}) {
  std::string payload;
  for (const auto& [id, value] : entries) payload += BigEndian(id, 2) + BigEndian(value, 4);
  return Frame(H2_SETTINGS, 0, 0, payload);
}

inline std::string Data(std::uint32_t id, std::string_view payload, bool end = false) {
  return Frame(H2_DATA, end ? H2_END_STREAM : 0, id, payload);
}

inline std::string Message(std::string_view body) {
  return std::string(1, '\0') + BigEndian(body.size(), 4) + std::string(body);
}

inline std::string Reset(std::uint32_t id, std::uint32_t code) {
  return Frame(H2_RST_STREAM, 0, id, BigEndian(code, 4));
}

inline std::string GoAway(std::uint32_t last) { return Frame(H2_GOAWAY, 0, 0, BigEndian(last, 4) + BigEndian(0, 4)); }

/// One direction's compressor.
class Deflater {
 public:
  Deflater() { nghttp2_hd_deflate_new(&deflater_, 4096); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  ~Deflater() { nghttp2_hd_deflate_del(deflater_); }

  std::string Block(const Headers& headers) {
    std::vector<nghttp2_nv> fields;
    for (const auto& [name, value] : headers) {
      fields.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                        reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
                        0});
    }
    std::string out(nghttp2_hd_deflate_bound(deflater_, fields.data(), fields.size()), '\0');
    const ssize_t size = nghttp2_hd_deflate_hd(deflater_, reinterpret_cast<std::uint8_t*>(out.data()), out.size(),
                                               fields.data(), fields.size());
    out.resize(static_cast<std::size_t>(size));
    return out;
  }
  std::string Frames(std::uint32_t id, const Headers& headers, bool end = false) {
    return Frame(H2_HEADERS, static_cast<std::uint8_t>(unsigned{H2_END_HEADERS} | (end ? unsigned{H2_END_STREAM} : 0U)),
                 id, Block(headers));
  }
  /// The same in pieces of `size`: HEADERS and CONTINUATIONs.
  std::string Pieces(std::uint32_t id, const Headers& headers, bool end, std::size_t size) {
    const std::string block = Block(headers);
    std::string out;
    for (std::size_t at = 0; at < block.size(); at += size) {
      const bool last = at + size >= block.size();
      const unsigned flags = (last ? unsigned{H2_END_HEADERS} : 0U) | (at == 0 && end ? unsigned{H2_END_STREAM} : 0U);
      out +=
          Frame(at == 0 ? H2_HEADERS : H2_CONTINUATION, static_cast<std::uint8_t>(flags), id, block.substr(at, size));
    }
    return out;
  }
  void TableSize(std::size_t size) { nghttp2_hd_deflate_change_table_size(deflater_, size); }

 private:
  nghttp2_hd_deflater* deflater_ = nullptr;
};

inline Headers GrpcRequest(std::string_view method, Headers more = {}) {
  Headers out = {{":method", "POST"},          {":scheme", "http"}, {":path", "/" + std::string(method)},
                 {":authority", "shop:50051"}, {"te", "trailers"},  {"content-type", "application/grpc"},
                 {"user-agent", "test/1"}};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

/// Blocks of a peer that keeps the path in its table, as gRPC's libraries do and nghttp2 does not. RFC 7541 section 6:
/// a literal that is indexed, then an index.
class Indexing {
 public:
  std::string Request(std::uint32_t id, const std::string& method) {
    std::string block = "\x83\x86";  // :method POST, :scheme http
    block += Field("\x44", "/" + method);
    block += Field("\x5f", "application/grpc");
    return Frame(H2_HEADERS, H2_END_HEADERS | H2_END_STREAM, id, block);
  }

 private:
  std::string Field(const std::string& name, const std::string& value) {
    for (std::size_t age = 0; age < entries_.size(); ++age) {
      if (entries_[entries_.size() - 1 - age] == name + value) return {static_cast<char>(0x80U | (62 + age))};
    }
    entries_.push_back(name + value);
    return name + static_cast<char>(value.size()) + value;
  }
  std::vector<std::string> entries_;
};

inline Headers WebRequest(std::string_view method) {
  Headers out = GrpcRequest(method);
  for (auto& [name, value] : out) {
    if (name == "content-type") value = "application/grpc-web+proto";
  }
  return out;
}
inline Headers WebResponse() { return {{":status", "200"}, {"content-type", "application/grpc-web+proto"}}; }
/// The last message of a gRPC-Web body; flags 0x80, or 0x81 where the lines are compressed.
inline std::string WebTrailers(char flags, std::string_view lines) {
  return std::string(1, flags) + BigEndian(lines.size(), 4) + std::string(lines);
}
inline Headers GrpcResponse() { return {{":status", "200"}, {"content-type", "application/grpc"}}; }
inline Headers GrpcTrailers(std::string_view status) {
  return {{"grpc-status", std::string(status)}, {"grpc-message", ""}};
}

inline Headers HttpRequest(std::string_view method, std::string_view path) {
  return {{":method", std::string(method)}, {":scheme", "http"}, {":path", std::string(path)}, {":authority", "shop"}};
}

/// Both directions of a connection.
struct Peers {
  Deflater client;
  Deflater server;

  std::string Hello() const { return kPrefaceBytes + Settings({{3, 100}}); }
  /// A unary call, as its client and its server write it.
  std::string Ask(std::uint32_t id, std::string_view method, std::string_view body = "hello") {
    return Join({client.Frames(id, GrpcRequest(method)), Data(id, Message(body), true)});
  }
  std::string Answer(std::uint32_t id, std::string_view status = "0", std::string_view body = "hello") {
    return Join(
        {server.Frames(id, GrpcResponse()), Data(id, Message(body)), server.Frames(id, GrpcTrailers(status), true)});
  }
};

}  // namespace probed::mod::grpc::testing
