// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/http/decode/parse.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <initializer_list>

#include "api/sdk/text.h"

namespace probed::mod::http {
namespace {

using sdk::FindByte;
using sdk::NameIs;
using sdk::ParseState;

constexpr std::size_t kMaxMethod = 32;            // longest in the IANA registry: 17 (BASELINE-CONTROL: 16)
constexpr std::string_view kVersion = "HTTP/1.";  // and one digit
constexpr std::size_t kVersionSize = 8;
constexpr std::size_t kStatusLineSize = 12;  // "HTTP/1.1 200"

/// The IANA method registry.
constexpr std::array<std::string_view, 39> kRegistered = {"GET",
                                                          "POST",
                                                          "PUT",
                                                          "HEAD",
                                                          "DELETE",
                                                          "PATCH",
                                                          "OPTIONS",
                                                          "CONNECT",
                                                          "TRACE",
                                                          "ACL",
                                                          "BIND",
                                                          "CHECKIN",
                                                          "CHECKOUT",
                                                          "COPY",
                                                          "LABEL",
                                                          "LINK",
                                                          "LOCK",
                                                          "MERGE",
                                                          "MKACTIVITY",
                                                          "MKCALENDAR",
                                                          "MKCOL",
                                                          "MKREDIRECTREF",
                                                          "MKWORKSPACE",
                                                          "MOVE",
                                                          "ORDERPATCH",
                                                          "PROPFIND",
                                                          "PROPPATCH",
                                                          "QUERY",
                                                          "REBIND",
                                                          "REPORT",
                                                          "SEARCH",
                                                          "UNBIND",
                                                          "UNCHECKOUT",
                                                          "UNLINK",
                                                          "UNLOCK",
                                                          "UPDATE",
                                                          "UPDATEREDIRECTREF",
                                                          "VERSION-CONTROL",
                                                          "BASELINE-CONTROL"};

bool IsRegistered(std::string_view method) {
  return std::find(kRegistered.begin(), kRegistered.end(), method) != kRegistered.end();
}

/// Whether `text` may still become a registered method.
bool BeginsRegistered(std::string_view text) {
  return std::any_of(kRegistered.begin(), kRegistered.end(), [&](std::string_view m) { return m.starts_with(text); });
}

std::size_t LeadingToken(std::string_view text) {
  std::size_t size = 0;
  while (size < text.size() && sdk::IsTchar(text[size])) ++size;
  return size;
}

Slice SliceOf(const char* base, std::string_view text) {
  return {static_cast<std::uint32_t>(text.data() - base), static_cast<std::uint32_t>(text.size())};
}

/// The line from `begin` to the line feed at `end`, without its end.
std::string_view Line(const char* begin, const char* end) {
  const std::size_t carriage_return = end != begin && end[-1] == '\r' ? 1 : 0;
  return {begin, static_cast<std::size_t>(end - begin) - carriage_return};
}

/// One length of a Content-Length field; the field may hold a list.
void AddLength(std::string_view item, BodyHeaders* body) {
  std::uint64_t length = 0;
  if (!sdk::ParseDecimal(sdk::TrimBlanks(item), &length) || body->has_length) {
    body->conflict = true;
    return;
  }
  body->has_length = true;
  body->length = length;
}

void AddContentLength(std::string_view value, BodyHeaders* body) {
  if (!body->has_length && sdk::ParseDecimal(value, &body->length)) {
    body->has_length = true;
    return;
  }
  while (true) {
    const std::size_t comma = value.find(',');
    AddLength(value.substr(0, comma), body);
    if (comma == std::string_view::npos) return;
    value.remove_prefix(comma + 1);
  }
}

/// Only the last coding of the last field frames the body.
void AddTransferEncoding(std::string_view value, BodyHeaders* body) {
  const std::size_t comma = value.rfind(',');
  const std::string_view last = sdk::TrimBlanks(comma == std::string_view::npos ? value : value.substr(comma + 1));
  if (body->chunked) body->conflict = true;  // chunked twice, or something applied on top of it
  body->chunked = sdk::EqualsIgnoreCase(last, "chunked");
  body->other_coding = !body->chunked;
}

void Capture(const char* base, std::size_t index, std::string_view value, CapturedHeaders* captured) {
  if (captured->count == captured->items.size()) return;
  captured->items[captured->count++] = {static_cast<std::uint32_t>(index), SliceOf(base, value)};
}

/// Puts a value where the head keeps it; the first of several wins.
void Set(const char* base, std::string_view value, Slice* out) {
  if (out->size == 0) *out = SliceOf(base, value);
}

void AddRequestHeader(const char* base, std::string_view name, std::string_view value, RequestHead* head) {
  const char* p = name.data();
  switch (name.size()) {
    case 4:
      if (NameIs(p, "host")) Set(base, value, &head->host);
      break;
    case 9:
      if (NameIs(p, "forwarded")) Set(base, value, &head->forwarded);
      break;
    case 10:
      if (NameIs(p, "user-agent")) {
        Set(base, value, &head->user_agent);
      } else if (NameIs(p, "tracestate") && head->tracestates < head->tracestate.size()) {
        head->tracestate[head->tracestates++] = SliceOf(base, value);
      }
      break;
    case 11:
      if (NameIs(p, "traceparent")) {
        head->traceparent = SliceOf(base, value);
        if (head->traceparents < 2) ++head->traceparents;
      }
      break;
    case 14:
      if (NameIs(p, "content-length")) AddContentLength(value, &head->body);
      break;
    case 15:
      if (NameIs(p, "x-forwarded-for")) Set(base, value, &head->x_forwarded_for);
      break;
    case 16:
      if (NameIs(p, "x-forwarded-host")) Set(base, value, &head->x_forwarded_host);
      break;
    case 17:
      if (NameIs(p, "transfer-encoding")) {
        AddTransferEncoding(value, &head->body);
      } else if (NameIs(p, "x-forwarded-proto")) {
        Set(base, value, &head->x_forwarded_proto);
      }
      break;
    default: break;
  }
}

void AddResponseHeader(const char*, std::string_view name, std::string_view value, ResponseHead* head) {
  if (name.size() == 14 && NameIs(name.data(), "content-length")) AddContentLength(value, &head->body);
  if (name.size() == 17 && NameIs(name.data(), "transfer-encoding")) AddTransferEncoding(value, &head->body);
}

/// How long the names are that somebody reads, by their first letter: a byte per length, at most four, the shortest
/// lowest (of several colons the first ends the name). A line that begins otherwise costs one load.
using NameLengths = std::array<std::uint32_t, 256>;

/// `names`: in lower case, the longest first.
constexpr NameLengths LengthsOf(std::initializer_list<std::string_view> names) {
  NameLengths table{};
  for (const std::string_view name : names) {
    for (const char first : {name.front(), static_cast<char>(name.front() - ('a' - 'A'))}) {
      std::uint32_t& lengths = table[static_cast<std::uint8_t>(first)];
      lengths = lengths << 8U | static_cast<std::uint8_t>(name.size());
    }
  }
  return table;
}

constexpr NameLengths kResponseNames = LengthsOf({"transfer-encoding", "content-length"});
constexpr NameLengths kRequestNames =
    LengthsOf({"transfer-encoding", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-for", "content-length",
               "traceparent", "tracestate", "user-agent", "forwarded", "host"});

/// The colon of a line whose name may be one of `names`, or nullptr.
inline const char* InterestingColon(const NameLengths& names, const char* begin, const char* end) {
  for (std::uint32_t lengths = names[static_cast<std::uint8_t>(*begin)]; lengths != 0; lengths >>= 8U) {
    const std::ptrdiff_t length = lengths & 0xffU;
    if (length < end - begin && begin[length] == ':') return begin + length;
  }
  return nullptr;
}

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

/// Where a walk over lines stands: behind the line feed at `eol` the line at `at` begins.
struct LineWalk {
  sdk::LineEnds ends;
  const char* eol;
  const char* at;
};

/// Joins the lines that continue the one at hand (RFC 9112 §5.2). By value and out of line: folded values are rare, and
/// the walk's state is to stay in registers.
[[gnu::noinline]] LineWalk Unfold(LineWalk walk, const char* end) {
  while (walk.at != end && IsBlank(*walk.at)) {
    const char* more = walk.ends.Next();
    if (more == nullptr) break;
    walk.eol = more;
    walk.at = more + 1;
  }
  return walk;
}

[[gnu::noinline]] void CaptureIfWanted(const sdk::http::HeaderFilter& filter, const char* base, std::string_view name,
                                       std::string_view value, CapturedHeaders* captured) {
  const std::size_t index = filter.Find(name);
  if (index != sdk::http::HeaderFilter::kNone) Capture(base, index, value, captured);
}

/// Reads header lines up to the empty one, from behind the first line feed of `block`. `Add` takes (base, name, value).
/// The walk over line ends stays in registers: this is the innermost loop of the decoder.
template <const NameLengths& kNames, auto Add, class Head>
ParseState ParseHeaders(std::string_view block, sdk::LineEnds ends, const char* at, const ParseOptions& options,
                        Head* head, CapturedHeaders* captured) {
  const sdk::http::HeaderFilter* const filter =
      options.filter != nullptr && !options.filter->empty() ? options.filter : nullptr;
  const char* const base = block.data();
  const char* const end = base + block.size();
  if (at != end && IsBlank(*at)) return ParseState::kInvalid;  // continues nothing
  while (const char* eol = ends.Next()) {
    if (eol - at <= 1 && (eol == at || *at == '\r')) {
      head->size = static_cast<std::uint32_t>(eol + 1 - base);
      return ParseState::kOk;
    }
    const char* const begin = at;
    at = eol + 1;
    const char* colon = filter == nullptr ? InterestingColon(kNames, begin, eol) : FindByte(base, begin, eol, ':');
    if (colon == nullptr || colon == eol) continue;  // of no interest, or no header: not for us to judge
    if (at != end && IsBlank(*at)) [[unlikely]] {
      const LineWalk walk = Unfold({ends, eol, at}, end);
      head->folded = head->folded || walk.at != at;
      ends = walk.ends;
      eol = walk.eol;
      at = walk.at;
    }
    const std::string_view name(begin, static_cast<std::size_t>(colon - begin));
    const std::string_view value = sdk::TrimBlanks(Line(colon + 1, eol));
    Add(base, name, value, head);
    if (filter != nullptr) CaptureIfWanted(*filter, base, name, value, captured);
  }
  head->size = static_cast<std::uint32_t>(at - base);
  return options.cut ? ParseState::kOk : ParseState::kNeedMore;
}

void CheckFraming(std::uint8_t minor_version, BodyHeaders* body) {
  const bool coded = body->chunked || body->other_coding;
  if (coded && (body->has_length || minor_version == 0)) body->conflict = true;
}

/// "method target HTTP/1.x" taken apart.
ParseState ParseRequestLine(const char* base, std::string_view line, RequestHead* head) {
  const std::size_t method = LeadingToken(line);
  if (method == 0 || method > kMaxMethod || method == line.size() || line[method] != ' ') return ParseState::kInvalid;
  if (line.size() < method + 3 + kVersionSize) return ParseState::kInvalid;
  const std::size_t target_end = line.size() - kVersionSize - 1;
  const char* const version = line.data() + target_end + 1;
  if (line[target_end] != ' ') return ParseState::kInvalid;
  if (std::memcmp(version, "HTTP/2.0", kVersionSize) == 0) return ParseState::kEndOfStream;
  if (std::memcmp(version, kVersion.data(), kVersion.size()) != 0) return ParseState::kInvalid;
  const char minor = version[kVersion.size()];
  if (!sdk::IsDigit(minor)) return ParseState::kInvalid;
  const auto begin = static_cast<std::uint32_t>(line.data() - base);
  head->method = {begin, static_cast<std::uint32_t>(method)};
  head->target = {begin + static_cast<std::uint32_t>(method + 1), static_cast<std::uint32_t>(target_end - method - 1)};
  head->minor_version = minor == '0' ? 0 : 1;
  return ParseState::kOk;
}

/// A request line cut off by the capture limit: the method and as much of the target as there is.
ParseState ParseCutRequestLine(std::string_view line, RequestHead* head) {
  const std::size_t method = LeadingToken(line);
  if (method == 0 || method + 1 >= line.size() || line[method] != ' ') return ParseState::kInvalid;
  head->method = {0, static_cast<std::uint32_t>(method)};
  head->target = SliceOf(line.data(), line.substr(method + 1));
  head->size = static_cast<std::uint32_t>(line.size());
  return ParseState::kOk;
}

}  // namespace

Likeness LooksLikeResponse(std::string_view block) {
  constexpr std::string_view kShape = "HTTP/1.d ddd";
  if (block.empty()) return Likeness::kMaybe;
  if (block.front() != kShape.front()) return Likeness::kNo;
  if (block.size() > kShape.size()) {
    const char* p = block.data();
    const bool shaped = std::memcmp(p, kVersion.data(), kVersion.size()) == 0 && sdk::IsDigit(p[7]) && p[8] == ' ' &&
                        sdk::IsDigit(p[9]) && sdk::IsDigit(p[10]) && sdk::IsDigit(p[11]) &&
                        (p[12] == ' ' || p[12] == '\r' || p[12] == '\n');
    return shaped ? Likeness::kYes : Likeness::kNo;
  }
  const std::size_t size = std::min(block.size(), kShape.size());
  for (std::size_t i = 0; i < size; ++i) {
    if (kShape[i] == 'd' ? !sdk::IsDigit(block[i]) : block[i] != kShape[i]) return Likeness::kNo;
  }
  return Likeness::kMaybe;
}

Likeness LooksLikeRequest(std::string_view block) {
  const std::size_t method = LeadingToken(block);
  if (method > kMaxMethod) return Likeness::kNo;
  if (method == block.size()) return Likeness::kMaybe;
  if (method == 0 || block[method] != ' ') return Likeness::kNo;
  if (block.size() > method + 1 && static_cast<std::uint8_t>(block[method + 1]) <= ' ') return Likeness::kNo;
  const std::size_t end = block.find('\n');
  if (end == std::string_view::npos) return Likeness::kMaybe;
  RequestHead head;
  return ParseRequestLine(block.data(), Line(block.data(), block.data() + end), &head) == ParseState::kInvalid
             ? Likeness::kNo
             : Likeness::kYes;
}

/// Flattened, like ParseResponse: a head is too short for the calls to pay.
[[gnu::flatten]] ParseState ParseRequest(std::string_view block, const ParseOptions& options, RequestHead* head,
                                         CapturedHeaders* captured) {
  if (options.torn) {
    const std::string_view method = block.substr(0, LeadingToken(block));
    if (method.size() == block.size() ? !BeginsRegistered(method) : !IsRegistered(method)) return ParseState::kInvalid;
  }
  sdk::LineEnds ends(block);
  const char* first_end = ends.Next();
  if (first_end == nullptr) {
    if (LooksLikeRequest(block) == Likeness::kNo) return ParseState::kInvalid;
    return options.cut ? ParseCutRequestLine(block, head) : ParseState::kNeedMore;
  }
  const ParseState first = ParseRequestLine(block.data(), Line(block.data(), first_end), head);
  if (first != ParseState::kOk) return first;
  const ParseState state =
      ParseHeaders<kRequestNames, AddRequestHeader>(block, ends, first_end + 1, options, head, captured);
  CheckFraming(head->minor_version, &head->body);
  return state;
}

[[gnu::flatten]] ParseState ParseResponse(std::string_view block, const ParseOptions& options, ResponseHead* head,
                                          CapturedHeaders* captured) {
  const Likeness likeness = LooksLikeResponse(block);
  if (likeness == Likeness::kNo || (likeness == Likeness::kMaybe && options.cut && block.size() < kStatusLineSize)) {
    return ParseState::kInvalid;
  }
  if (likeness == Likeness::kMaybe && !options.cut) return ParseState::kNeedMore;
  head->minor_version = block[kVersion.size()] == '0' ? 0 : 1;
  const char* const status = block.data() + kStatusLineSize - 3;
  head->status = static_cast<std::uint16_t>((status[0] - '0') * 100 + (status[1] - '0') * 10 + (status[2] - '0'));
  if (head->status < 100) return ParseState::kInvalid;
  sdk::LineEnds ends(block);
  const char* first_end = ends.Next();
  if (first_end == nullptr) {
    head->size = static_cast<std::uint32_t>(block.size());
    return options.cut ? ParseState::kOk : ParseState::kNeedMore;
  }
  const ParseState state =
      ParseHeaders<kResponseNames, AddResponseHeader>(block, ends, first_end + 1, options, head, captured);
  CheckFraming(head->minor_version, &head->body);
  return state;
}

}  // namespace probed::mod::http
