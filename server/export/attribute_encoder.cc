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

/// The end of what is written and of what there is room for, in registers while the scalar attributes go by.
class Cursor {
 public:
  explicit Cursor(WireWriter& out) : out_(out), at_(out.Ensure(0)), limit_(out.limit()) {}

  /// Room for `room` bytes at the end.
  char* Ensure(std::size_t room) {
    if (static_cast<std::size_t>(limit_ - at_) < room) [[unlikely]] {
      out_.Advance(at_);
      at_ = out_.Ensure(room);
      limit_ = out_.limit();
    }
    return at_;
  }
  void Advance(char* end) { at_ = end; }

  /// Hands over to the writer, for what is written through it, and takes up again after it.
  template <typename Write>
  void Through(Write write) {
    out_.Advance(at_);
    write(out_);
    at_ = out_.Ensure(0);
    limit_ = out_.limit();
  }
  void Finish() { out_.Advance(at_); }

 private:
  WireWriter& out_;
  char* at_;
  const char* limit_;
};

/// Copies a key in steps of fixed size: one vector move or two for nearly all keys of the semantic conventions.
inline char* PutKey(char* out, std::string_view key) {
  std::memcpy(out, key.data(), KeyTable::kReadStep);
  for (std::size_t at = KeyTable::kReadStep; at < key.size(); at += KeyTable::kReadStep) [[unlikely]] {
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

/// The same when the whole KeyValue is known to stay below 128 bytes: each length takes one byte.
inline char* PutShortHead(char* out, char tag, std::string_view key, std::size_t any) {
  out[0] = tag;
  out[1] = static_cast<char>(key.size() + 2 + any);
  out = PutKey(out + 2, key);
  out[0] = kValueTag;
  out[1] = static_cast<char>(any);
  return out + 2;
}

inline char* PutTextHead(char* out, char tag, std::string_view key, std::size_t size) {
  if (key.size() + size + 4 < 128) [[likely]] {
    out = PutShortHead(out, tag, key, 2 + size);
  } else {
    out = PutHead(out, tag, key, 1 + wire::VarintSize(size) + size);
  }
  *out++ = kTextTag;
  return wire::PutVarint(out, size);
}

inline void PutText(Cursor& out, char tag, std::string_view key, std::string_view value) {
  char* at = PutTextHead(out.Ensure(key.size() + value.size() + kSlack), tag, key, value.size());
  if (!wire::CopyAscii(at, value.data(), value.size()) && !IsValidUtf8(value)) [[unlikely]] {
    const std::string valid = ToValidUtf8(value);  // nothing was advanced: this overwrites
    at = PutTextHead(out.Ensure(key.size() + valid.size() + kSlack), tag, key, valid.size());
    std::memcpy(at, valid.data(), valid.size());
    out.Advance(at + valid.size());
    return;
  }
  out.Advance(at + value.size());
}

inline void PutInteger(Cursor& out, char tag, std::string_view key, std::uint64_t value) {
  char* at = PutHead(out.Ensure(key.size() + kSlack), tag, key, 1 + wire::VarintSize(value));
  *at++ = kIntTag;
  out.Advance(wire::PutVarint(at, value));
}

inline void PutDouble(Cursor& out, char tag, std::string_view key, double value) {
  char* at = PutHead(out.Ensure(key.size() + kSlack), tag, key, 1 + sizeof value);
  *at++ = kDoubleTag;
  out.Advance(wire::PutFixed(at, value));
}

inline void PutBool(Cursor& out, char tag, std::string_view key, bool value) {
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

inline bool EncodeAttribute(Cursor& out, std::uint32_t field, std::string_view key,
                            const probe_attribute_t& attribute) {
  const char tag = TagOf(field);
  switch (attribute.type) {
    case PROBE_ATTR_STRING: PutText(out, tag, key, View(attribute.value.string)); return true;
    case PROBE_ATTR_INT: PutInteger(out, tag, key, static_cast<std::uint64_t>(attribute.value.integer)); return true;
    case PROBE_ATTR_DOUBLE: PutDouble(out, tag, key, attribute.value.number); return true;
    case PROBE_ATTR_BOOL: PutBool(out, tag, key, attribute.value.boolean != 0); return true;
    case PROBE_ATTR_STRINGS:
      out.Through([&](WireWriter& writer) {
        PutStrings(writer, field, key, {attribute.value.strings.items, attribute.value.strings.count});
      });
      return true;
    default: return false;  // a module's number, not one of ours: never trust it
  }
}

}  // namespace

[[gnu::flatten]] std::uint32_t EncodeAttributes(WireWriter& out, const KeyTable& keys, std::uint32_t field,
                                                std::span<const probe_attribute_t> attributes) {
  Cursor cursor(out);
  std::uint32_t dropped = 0;
  for (const probe_attribute_t& attribute : attributes) {
    const std::string_view key = keys.EncodedKey(attribute.key);
    if (key.empty() || !EncodeAttribute(cursor, field, key, attribute)) ++dropped;
  }
  cursor.Finish();
  return dropped;
}

void EncodeTextAttribute(WireWriter& out, std::uint32_t field, std::string_view encoded_key, std::string_view value) {
  Cursor cursor(out);
  PutText(cursor, TagOf(field), encoded_key, value);
  cursor.Finish();
}

}  // namespace probed::exporter
