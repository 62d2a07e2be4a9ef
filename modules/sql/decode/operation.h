// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What both database protocols have in common: texts of statements, and operations that wait for their answer. All of
// it is memory of the stream.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "api/sdk/host.h"
#include "modules/sql/decode/parameters.h"
#include "modules/sql/decode/sql_text.h"

namespace probed::mod::sql {

/// Where and when a message came.
struct Arrival {
  std::uint64_t ktime_ns;
  std::uint64_t cookie;
  std::uint64_t offset;  // of its first byte in its direction
  std::uint32_t generation;
  std::uint32_t wire_sequence;
  probe_cause_t cause;
  std::uint8_t layer;
};

/// What may be said of a statement. One block of memory: the struct, the summary, the text. Shared by the statement
/// that was prepared, its portals and the operations under way.
struct Text {
  ParameterTypes* types;  // as far as they are known
  std::uint32_t references;
  std::uint32_t allocated;
  std::uint32_t query_size;
  std::uint32_t batch_size;  // statements of a text, or sets of values; 0: one, or not known
  std::uint32_t epoch;       // MySQL: losses of the client's bytes when it was prepared
  std::uint16_t parameters;  // MySQL: how many it takes
  std::uint16_t summary_size;
  std::uint8_t effect;  // what it does to the session: the protocol's number
  std::uint8_t effect_size;
  bool truncated;
  bool long_data;  // MySQL: values of the next execution were sent before it

  std::string_view summary() const { return {reinterpret_cast<const char*>(this + 1), summary_size}; }
  std::string_view effect_name() const { return {summary().data() + summary_size, effect_size}; }
  std::string_view query() const { return {effect_name().data() + effect_size, query_size}; }
};

struct TextSource {
  std::string_view sql;
  Dialect dialect;
  bool truncated;     // goes on behind `sql`
  bool may_be_plain;  // sent apart from its values: with placeholders it is kept as it is
  bool keep_query;    // else the summary only
  std::uint8_t effect = 0;
  std::string_view effect_name = {};  // at most 255 bytes
};

/// nullptr: no memory. With one reference.
Text* MakeText(sdk::Stream stream, const TextSource& source);
/// Of a statement that one message has executed `size` times (0: several, not known how many). nullptr: no memory. With
/// one reference.
Text* MakeBatch(sdk::Stream stream, const Text& one, std::uint32_t size);
inline Text* Share(Text* text) {
  if (text != nullptr) ++text->references;
  return text;
}
/// Gives a reference back and forgets it.
void Release(sdk::Stream stream, Text** text);

/// SQLSTATE or another code of a server; empty: none.
struct StatusCode {
  std::array<char, 6> bytes;
  std::uint8_t size;

  void Set(std::string_view code);
  std::string_view text() const { return {bytes.data(), size}; }
};

}  // namespace probed::mod::sql
