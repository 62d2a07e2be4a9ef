// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/grpc/decode/block.h"

#include <algorithm>
#include <cstring>

#include "api/sdk/text.h"
#include "api/sdk/trace_context.h"
#include "modules/grpc/decode/hpack.h"
#include "modules/grpc/decode/status.h"

namespace probed::mod::grpc {
namespace {

Content ContentOf(std::string_view type) {
  constexpr std::string_view kGrpcType = "application/grpc";
  if (!type.starts_with(kGrpcType)) return Content::kOther;
  type.remove_prefix(kGrpcType.size());
  if (type.starts_with("-web-text")) return Content::kGrpcWebText;
  if (type.starts_with("-web")) return Content::kGrpcWeb;
  // "+proto", "+json", ";charset=..": but not another name that only begins alike.
  return type.empty() || type.front() == '+' || type.front() == ';' ? Content::kGrpc : Content::kOther;
}

std::uint16_t StatusOf(std::string_view value) {
  if (value.size() != 3 || !std::all_of(value.begin(), value.end(), sdk::IsDigit)) return 0;
  return static_cast<std::uint16_t>((value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0'));
}

}  // namespace

bool Block::Grow(sdk::Stream stream, std::size_t need) {
  const std::size_t capacity = std::max<std::size_t>(need, std::max<std::size_t>(512, std::size_t{capacity_} * 2));
  auto* text = static_cast<char*>(stream.Alloc(capacity));
  if (text == nullptr) return false;
  if (text_ != nullptr) {
    std::memcpy(text, text_, size_);
    stream.Free(text_, capacity_);
  }
  text_ = text;
  capacity_ = static_cast<std::uint32_t>(capacity);
  return true;
}

void Block::Release(sdk::Stream stream) {
  if (text_ != nullptr) stream.Free(text_, capacity_);
  text_ = nullptr;
  size_ = capacity_ = 0;
}

/// A value is kept whole or not at all: half a path would be another one.
bool Block::Keep(sdk::Stream stream, const Wanted& wanted, std::string_view value, Slice* out) {
  const std::size_t need = size_ + value.size();
  if (need > wanted.most_bytes || (need > capacity_ && !Grow(stream, need))) {
    fields_.cut = true;
    return false;
  }
  if (!value.empty()) std::memcpy(text_ + size_, value.data(), value.size());
  *out = {size_, static_cast<std::uint32_t>(value.size())};
  size_ = static_cast<std::uint32_t>(need);
  return true;
}

void Block::Keep(sdk::Stream stream, const Wanted& wanted, Text which, std::string_view value) {
  if (fields_.texts[which].empty()) Keep(stream, wanted, value, &fields_.texts[which]);
}

void Block::AddPseudo(sdk::Stream stream, const Wanted& wanted, std::string_view name, std::string_view value) {
  if (name == ":method") {
    fields_.pseudo_method = true;
    Keep(stream, wanted, kMethod, value);
  } else if (name == ":path") {
    Keep(stream, wanted, kPath, value);
  } else if (name == ":scheme") {
    Keep(stream, wanted, kScheme, value);
  } else if (name == ":authority") {
    Keep(stream, wanted, kAuthority, value);
  } else if (name == ":status") {
    fields_.status = StatusOf(value);
  }
}

void Block::AddTrace(std::string_view value) {
  if (++fields_.traceparents == 1 && sdk::ParseTraceparent(value, &fields_.trace)) return;
  fields_.trace.valid = 0;
  fields_.traceparents = 2;
}

/// Several fields are one list. What lies between its parts is kept too, and then cannot grow any more: rare enough.
void Block::AddState(sdk::Stream stream, const Wanted& wanted, std::string_view value) {
  Slice& state = fields_.texts[kTraceState];
  if (state.empty()) return Keep(stream, wanted, kTraceState, value);
  if (state.offset + state.size != size_) return;
  Slice more;
  if (!Keep(stream, wanted, ",", &more) || !Keep(stream, wanted, value, &more)) {
    size_ = state.offset;
    state = {};
    return;
  }
  state.size = size_ - state.offset;
}

void Block::AddKnown(sdk::Stream stream, const Wanted& wanted, std::string_view name, std::string_view value) {
  switch (name.size()) {
    case 4:
      if (name == "host") Keep(stream, wanted, kAuthority, value);
      break;
    case 9:
      if (name == "forwarded") Keep(stream, wanted, kForwarded, value);
      break;
    case 10:
      if (name == "user-agent") Keep(stream, wanted, kUserAgent, value);
      if (name == "tracestate") AddState(stream, wanted, value);
      break;
    case 11:
      if (name == "grpc-status") fields_.grpc_status = ParseStatus(value);
      if (name == "traceparent") AddTrace(value);
      break;
    case 12:
      if (name == "content-type") fields_.content = ContentOf(value);
      if (name == "grpc-timeout") fields_.timeout_ns = ParseTimeout(value);
      break;
    case 15:
      if (name == "x-forwarded-for") Keep(stream, wanted, kForwardedFor, value);
      break;
    case 16:
      if (name == "x-forwarded-host") Keep(stream, wanted, kForwardedHost, value);
      break;
    case 17:
      if (name == "x-forwarded-proto") Keep(stream, wanted, kForwardedProto, value);
      break;
    default: break;
  }
}

void Block::Add(sdk::Stream stream, const Wanted& wanted, std::string_view name, std::string_view value) {
  if (name.empty() || name == kUnknownName) {
    fields_.lossy = true;
    return;
  }
  if (name.front() == ':') return AddPseudo(stream, wanted, name, value);
  AddKnown(stream, wanted, name, value);
  if (wanted.headers == nullptr || wanted.headers->empty()) return;
  const std::size_t index = wanted.headers->Find(name);
  if (index == sdk::http::HeaderFilter::kNone || fields_.captured == kMaxCaptured) return;
  Slice kept;
  if (!Keep(stream, wanted, value, &kept)) return;
  captured_[fields_.captured++] = {static_cast<std::uint32_t>(index), kept};
}

}  // namespace probed::mod::grpc
