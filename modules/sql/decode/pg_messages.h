// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Messages of PostgreSQL's protocol, version 3: how much of which is looked at, and their fields. A message may be cut
// behind what MostNeeded() says, so every field may be missing.
#pragma once

#include <cstdint>
#include <string_view>

namespace probed::mod::sql::pg {

inline constexpr std::size_t kHeader = 5;         // type and length
inline constexpr std::size_t kStartupHeader = 8;  // length and code
inline constexpr std::size_t kMostName = 256;     // of a statement or portal, as far as it is kept

enum class Side : std::uint8_t { kFront, kBack };

/// Whether the side has a message of this type.
bool IsType(Side side, char type);

/// Bytes of a message, with its header, that are looked at; `text_bytes` of a statement's text,
/// `parameter_bytes` of the values it is executed with (0: nor are their types).
std::size_t MostNeeded(Side side, char type, std::size_t text_bytes, std::size_t parameter_bytes);

/// The same of a ParameterStatus, without its header, of which `body` is there: only the search_path is looked at.
std::size_t ReportNeeded(std::string_view body);

/// A message without its header. `size`: how long it is, which may be more than is there.
struct Message {
  char type;
  std::string_view body;
  std::size_t size;

  bool whole() const { return body.size() == size; }
};

/// A zero-ended string at the front, which is taken off. False: its end is not there.
bool TakeString(std::string_view* body, std::string_view* out);
/// As TakeString; what is there of a string without its end otherwise, and `cut`.
std::string_view TakeText(std::string_view* body, bool* cut);

/// The value of a startup parameter; empty: none.
std::string_view StartupParameter(std::string_view parameters, std::string_view name);

/// SQLSTATE of ErrorResponse and NoticeResponse; empty: none.
std::string_view SqlState(std::string_view body);

/// Rows of CommandComplete's tag: "SELECT 5", "INSERT 0 5". -1: it says none.
std::int64_t RowsOf(std::string_view tag);

/// Whether `bytes` can be where a message of this side begins, by themselves: messages up to their end, or enough of
/// them.
bool LooksLikeMessages(Side side, std::string_view bytes);

/// Whether `bytes` of a server end with CommandComplete and ReadyForQuery, whatever is in front of them.
bool EndsReady(std::string_view bytes);

}  // namespace probed::mod::sql::pg
