// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/tls/decode/parse.h"

#include "api/sdk/byte_reader.h"

namespace probed::mod::tls {
namespace {

using sdk::ByteReader;

constexpr std::size_t kRandomBytes = 32;
constexpr std::size_t kMostSessionId = 32;
constexpr std::uint8_t kHostName = 0;    // NameType of RFC 6066
constexpr std::uint8_t kNamedCurve = 3;  // ECCurveType of RFC 8422

enum Extension : std::uint16_t {
  kServerName = 0,
  kApplicationProtocol = 16,
  kPreSharedKey = 41,
  kEarlyData = 42,
  kSupportedVersions = 43,
  kKeyShare = 51,
};

/// The random of a ServerHello that asks for another ClientHello: SHA-256 of "HelloRetryRequest" (RFC 8446, 4.1.3).
constexpr std::string_view kHelloRetry(
    "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91"
    "\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c",
    kRandomBytes);

/// A vector with its length in front, of type Length.
template <class Length>
bool ReadVector(ByteReader& reader, std::string_view* out) {
  Length length = 0;
  return reader.ReadBigEndian(&length) && reader.Read(length, out);
}

bool ReadUint24(ByteReader& reader, std::size_t* out) {
  std::uint8_t high = 0;
  std::uint16_t low = 0;
  if (!reader.ReadBigEndian(&high) || !reader.ReadBigEndian(&low)) return false;
  *out = std::size_t{high} << 16U | low;
  return true;
}

/// Calls `on(type, data)`, which says whether the extension is well-formed, for each one. None at all is fine.
template <class On>
bool ReadExtensions(ByteReader& reader, On&& on) {
  if (reader.remaining() == 0) return true;
  std::string_view all;
  if (!ReadVector<std::uint16_t>(reader, &all) || reader.remaining() != 0) return false;
  ByteReader extensions(all);
  while (extensions.remaining() != 0) {
    std::uint16_t type = 0;
    std::string_view data;
    if (!extensions.ReadBigEndian(&type) || !ReadVector<std::uint16_t>(extensions, &data)) return false;
    if (!on(type, data)) return false;
  }
  return true;
}

bool ReadHostName(std::string_view data, std::string_view* out) {
  ByteReader reader(data);
  std::string_view names;
  if (!ReadVector<std::uint16_t>(reader, &names)) return false;
  ByteReader list(names);
  while (list.remaining() != 0) {
    std::uint8_t type = 0;
    std::string_view name;
    if (!list.ReadBigEndian(&type) || !ReadVector<std::uint16_t>(list, &name)) return false;
    if (type == kHostName) *out = name;
  }
  return true;
}

/// A server names one protocol.
bool ReadProtocol(std::string_view data, std::string_view* out) {
  ByteReader reader(data);
  std::string_view names;
  if (!ReadVector<std::uint16_t>(reader, &names)) return false;
  ByteReader list(names);
  return ReadVector<std::uint8_t>(list, out) && list.remaining() == 0;
}

bool ReadNumber(std::string_view data, std::uint16_t* out) { return ByteReader(data).ReadBigEndian(out); }

bool TakeServerExtension(std::uint16_t type, std::string_view data, ServerHello* out) {
  switch (type) {
    case kSupportedVersions: return ReadNumber(data, &out->version);
    case kKeyShare: return ReadNumber(data, &out->group);
    case kApplicationProtocol: return ReadProtocol(data, &out->protocol);
    case kPreSharedKey: out->pre_shared_key = true; return true;
    default: return true;
  }
}

bool ReadSessionId(ByteReader& reader, std::string_view* out) {
  return ReadVector<std::uint8_t>(reader, out) && out->size() <= kMostSessionId;
}

}  // namespace

bool ParseClientHello(std::string_view body, ClientHello* out) {
  ByteReader reader(body);
  std::uint16_t version = 0;
  std::string_view ciphers;
  std::string_view compressions;
  if (!reader.ReadBigEndian(&version) || !reader.Read(kRandomBytes, &out->random)) return false;
  if (!ReadSessionId(reader, &out->session_id)) return false;
  if (!ReadVector<std::uint16_t>(reader, &ciphers) || ciphers.size() % 2 != 0) return false;
  if (!ReadVector<std::uint8_t>(reader, &compressions)) return false;
  return ReadExtensions(reader, [&](std::uint16_t type, std::string_view data) {
    out->early_data |= type == kEarlyData;
    return type != kServerName || ReadHostName(data, &out->server_name);
  });
}

bool ParseServerHello(std::string_view body, ServerHello* out) {
  ByteReader reader(body);
  std::string_view random;
  std::uint8_t compression = 0;
  if (!reader.ReadBigEndian(&out->version) || !reader.Read(kRandomBytes, &random)) return false;
  if (!ReadSessionId(reader, &out->session_id)) return false;
  if (!reader.ReadBigEndian(&out->cipher) || !reader.ReadBigEndian(&compression)) return false;
  out->hello_retry = random == kHelloRetry;
  return ReadExtensions(
      reader, [&](std::uint16_t type, std::string_view data) { return TakeServerExtension(type, data, out); });
}

bool ParseCertificateMessage(std::string_view body, std::string_view* out) {
  ByteReader reader(body);
  std::size_t all = 0;
  if (!ReadUint24(reader, &all) || all != reader.remaining()) return false;
  std::size_t first = 0;
  *out = {};
  if (all == 0) return true;
  return ReadUint24(reader, &first) && reader.Read(first, out);
}

bool ParseNamedCurve(std::string_view body, std::uint16_t* out) {
  ByteReader reader(body);
  std::uint8_t type = 0;
  return reader.ReadBigEndian(&type) && type == kNamedCurve && reader.ReadBigEndian(out);
}

}  // namespace probed::mod::tls
