// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/attribute_encoder.h"

#include <bit>
#include <string>

#include "server/export/utf8.h"

namespace probed::exporter {
namespace {

// Tags of AnyValue's members and of KeyValue.value.
enum : char { kValueTag = 0x12, kTextTag = 0x0a, kBoolTag = 0x10, kIntTag = 0x18, kDoubleTag = 0x21 };
constexpr std::uint32_t kValueField = 2;
constexpr std::uint32_t kArrayField = 5;
constexpr std::uint32_t kArrayValuesField = 1;
constexpr std::uint32_t kTextField = 1;
// Tags, lengths and a scalar of one attribute, plus what copying a key in whole steps may write past its end.
constexpr std::size_t kSlack = 48 + KeyTable::kReadStep;

std::string_view View(const probe_str_t& text) { return {text.ptr, text.len}; }

char TagOf(std::uint32_t field) { return static_cast<char>(wire::Tag(field, wire::kBytes)); }

/// Copies a key in steps of fixed size: two vector moves for nearly all keys of the semantic conventions.
inline char* PutKey(char* out, std::string_view key) {
  for (std::size_t at = 0; at < key.size(); at += KeyTable::kReadStep) {
    std::memcpy(out + at, key.data() + at, KeyTable::kReadStep);
  }
  return out + key.size();
}

/// Writes everything of a KeyValue before the AnyValue's bytes, of which there will be `any`.
inline char* PutHead(char* out, char tag, std::string_view key, std::size_t any) {
  *out++ = tag;
  out = wire::PutVarint(out, key.size() + 1 + wire::VarintSize(any) + any);
  out = PutKey(out, key);
  *out++ = kValueTag;
  return wire::PutVarint(out, any);
}

inline void PutText(WireWriter& out, char tag, std::string_view key, std::string_view value) {
  char* at = PutHead(out.Ensure(key.size() + value.size() + kSlack), tag, key,
                     1 + wire::VarintSize(value.size()) + value.size());
  *at++ = kTextTag;
  at = wire::PutVarint(at, value.size());
  if (!wire::CopyAscii(at, value.data(), value.size()) && !IsValidUtf8(value)) [[unlikely]] {
    return PutText(out, tag, key, ToValidUtf8(value));  // nothing was advanced: this overwrites
  }
  out.Advance(at + value.size());
}

inline void PutInteger(WireWriter& out, char tag, std::string_view key, std::uint64_t value) {
  char* at = PutHead(out.Ensure(key.size() + kSlack), tag, key, 1 + wire::VarintSize(value));
  *at++ = kIntTag;
  out.Advance(wire::PutVarint(at, value));
}

void PutDouble(WireWriter& out, char tag, std::string_view key, double value) {
  char* at = PutHead(out.Ensure(key.size() + kSlack), tag, key, 1 + sizeof value);
  *at++ = kDoubleTag;
  out.Advance(wire::PutFixed(at, value));
}

void PutBool(WireWriter& out, char tag, std::string_view key, bool value) {
  char* at = PutHead(out.Ensure(key.size() + kSlack), tag, key, 2);
  *at++ = kBoolTag;
  *at++ = value ? 1 : 0;
  out.Advance(at);
}

void PutStrings(WireWriter& out, std::uint32_t field, std::string_view key, std::span<const probe_str_t> items) {
  const std::size_t pair = out.Open(field);
  out.Append(key);
  const std::size_t any = out.Open(kValueField);
  const std::size_t array = out.Open(kArrayField);
  for (const probe_str_t& item : items) {
    const std::size_t value = out.Open(kArrayValuesField);
    out.Text(kTextField, View(item));
    out.Close(value);
  }
  out.Close(array);
  out.Close(any);
  out.Close(pair);
}

bool EncodeAttribute(WireWriter& out, std::uint32_t field, std::string_view key, const probe_attribute_t& attribute) {
  switch (attribute.type) {
    case PROBE_ATTR_STRING: PutText(out, TagOf(field), key, View(attribute.value.string)); return true;
    case PROBE_ATTR_INT:
      PutInteger(out, TagOf(field), key, static_cast<std::uint64_t>(attribute.value.integer));
      return true;
    case PROBE_ATTR_DOUBLE: PutDouble(out, TagOf(field), key, attribute.value.number); return true;
    case PROBE_ATTR_BOOL: PutBool(out, TagOf(field), key, attribute.value.boolean != 0); return true;
    case PROBE_ATTR_STRINGS:
      PutStrings(out, field, key, {attribute.value.strings.items, attribute.value.strings.count});
      return true;
    default: return false;  // a module's number, not one of ours: never trust it
  }
}

}  // namespace

std::uint32_t EncodeAttributes(WireWriter& out, const KeyTable& keys, std::uint32_t field,
                               std::span<const probe_attribute_t> attributes) {
  std::uint32_t dropped = 0;
  for (const probe_attribute_t& attribute : attributes) {
    const std::string_view key = keys.EncodedKey(attribute.key);
    if (key.empty() || !EncodeAttribute(out, field, key, attribute)) ++dropped;
  }
  return dropped;
}

void EncodeTextAttribute(WireWriter& out, std::uint32_t field, std::string_view encoded_key, std::string_view value) {
  PutText(out, TagOf(field), encoded_key, value);
}

}  // namespace probed::exporter
