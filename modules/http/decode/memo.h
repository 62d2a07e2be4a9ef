// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The last heads of a connection, as bytes and as what they say. Peers that keep a connection repeat themselves: where
// the bytes are the same, so is the outcome, and nothing is parsed. Knows no exchanges and no host.
//
// A match gives exactly what parse.h would give; what is not sure to do so is no match. Never asked about cut or torn
// heads, nor when headers are captured.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "api/sdk/host.h"
#include "api/sdk/span_builder.h"
#include "modules/http/decode/types.h"

namespace probed::mod::http {

constexpr std::size_t kMostRemembered = 512;  // bytes of one head; longer ones are parsed each time

/// A request head without its target. The target is what changes most; a valid traceparent may change too.
///
///   GET /items/7 HTTP/1.1 CRLF Host: a CRLF Traceparent: 00-....-01 CRLF CRLF
///   ^^^^         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^            ^^^^^^^^^ must be the same
///
/// A block of the stream's memory: this and the header lines behind it. Zeroed memory remembers nothing.
class RequestMemo {
 public:
  /// Puts a whole head into the stream's memo, made when there is none; `head` is what it was parsed to. Leaves it as
  /// it is while an exchange uses it, when the head is too long, and when the stream has no memory.
  static void Remember(sdk::Stream stream, std::string_view block, const RequestHead& head, std::uint32_t generation,
                       RequestMemo** memo);
  static void Release(sdk::Stream stream, RequestMemo** memo);

  /// Whether `block` begins with such a head. `head` is then what ParseRequest makes of it, but for the values of
  /// headers: those are positions in lines(). `remote`: its trace context, when it has one traceparent.
  bool Match(std::string_view block, std::uint32_t generation, RequestHead* head, probe_trace_context_t* remote) const;

  std::string_view method() const { return {method_, method_size_}; }
  const char* lines() const { return reinterpret_cast<const char*>(this + 1); }
  /// Positions in lines().
  const RequestHead& head() const { return head_; }

  std::uint32_t users = 0;           // exchanges that refer to it
  sdk::ConstantAttributes constant;  // of spans of these requests; the set is 0 until one was built
  std::uint8_t constant_layer = 0;   // what they were built for
  std::string_view span_name;        // likewise; lives as long as this

 private:
  static constexpr std::size_t kMethodWord = 8;  // a method and the blank behind it

  char* memory() { return reinterpret_cast<char*>(this + 1); }
  bool SameLines(const char* lines, probe_trace_context_t* remote) const;

  std::uint32_t capacity_ = 0;
  std::uint32_t size_ = 0;  // of the header lines, with the empty one; 0: nothing is remembered
  std::uint32_t generation_ = 0;
  std::uint32_t method_size_ = 0;
  char method_[kMethodWord] = {};  // zeros behind the blank
  std::uint64_t method_mask_ = 0;  // of the bytes in use
  std::uint64_t version_ = 0;      // "HTTP/1.1"
  RequestHead head_;
};

/// A whole response head.
class ResponseMemo {
 public:
  static void Remember(sdk::Stream stream, std::string_view block, const ResponseHead& head, ResponseMemo** memo);
  static void Release(sdk::Stream stream, ResponseMemo** memo);

  bool Match(std::string_view block, ResponseHead* head) const;

 private:
  char* memory() { return reinterpret_cast<char*>(this + 1); }

  std::uint32_t capacity_ = 0;
  std::uint32_t size_ = 0;
  ResponseHead head_;
};

}  // namespace probed::mod::http
