// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Packets of the protocol of MySQL and MariaDB: their fields. A packet may be cut, so every field may be missing.
#pragma once

#include <cstdint>
#include <string_view>

#include "modules/sql/bpf/my_classify.h"

namespace probed::mod::sql::my {

inline constexpr std::size_t kHeader = MY_HEADER_BYTES;
// Of what is looked at, without headers. The kernel ships no less.
inline constexpr std::size_t kMostAnswer = 256;
inline constexpr std::size_t kMostLogin = 1024;  // of a client's answer to the greeting
inline constexpr std::size_t kMostSmall = 12;    // of a command without a text

/// Status of a session, in OK and EOF.
inline constexpr unsigned kMoreResults = 0x0008;
inline constexpr unsigned kCursorExists = 0x0040;
inline constexpr unsigned kStateChanged = 0x4000;

/// A packet without its header. `size`: how long it is, which may be more than is there.
struct Packet {
  std::uint8_t sequence;
  std::string_view body;
  std::size_t size;

  /// -1: it is empty, or cut in front of it.
  int first() const { return body.empty() ? -1 : static_cast<unsigned char>(body[0]); }
  bool IsError() const { return first() == MY_ERROR; }
  /// Ends columns or rows. A row that begins like it has over 16 MB.
  bool IsEnd() const { return first() == MY_EOF && size < MY_LONGEST; }
  /// The EOF of old, which has no more than warnings and status.
  bool IsPlainEnd() const { return first() == MY_EOF && size == 5; }
};

/// Takes fields off the front. What is not there is 0 or empty, and `good` false from then on.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : bytes_(bytes) {}

  unsigned Int(std::size_t size);
  std::uint64_t Length();  // as the protocol codes lengths: 1, 3, 4 or 9 bytes
  std::string_view Bytes(std::uint64_t size);
  std::string_view Text() { return Bytes(Length()); }
  std::string_view ZeroEnded();
  std::string_view rest() const { return bytes_; }
  bool good() const { return good_; }

 private:
  std::string_view bytes_;
  bool good_ = true;
};

struct Greeting {
  bool mariadb = false;
  unsigned capabilities = 0;
};
Greeting ReadGreeting(std::string_view body);

struct Login {
  unsigned capabilities = 0;
  unsigned extended = 0;  // MariaDB's
  std::string_view database;
};
Login ReadLogin(std::string_view body);

struct Ok {
  unsigned status = 0;
  std::string_view database;  // of a session that has another one now; empty: it does not say so
};
/// OK, or an EOF that is one. Behind its first byte.
Ok ReadOk(std::string_view body);
unsigned StatusOf(const Packet& end);

struct Error {
  unsigned number = 0;
  std::string_view state;  // SQLSTATE; empty: not said
};
Error ReadError(std::string_view body);
/// What MariaDB says of the progress of a statement looks like an error with this number.
inline constexpr unsigned kProgress = 0xffff;

/// The text of a query, behind what may stand in front of it. False: it is not known where it begins.
bool TakeQuery(std::string_view* body);

/// The database of `USE name` and of nothing more; empty: it is something else.
std::string_view DatabaseOfUse(std::string_view sql);

/// Whether a statement of several changes the database.
bool MentionsUse(std::string_view sql);

/// Whether a record of `total` bytes can be where a client's packet begins.
bool LooksLikeCommand(std::string_view bytes, std::size_t total);

}  // namespace probed::mod::sql::my
