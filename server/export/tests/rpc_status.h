// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Makes a google.rpc.Status by hand: its generated classes are not at hand.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "server/export/wire.h"

namespace probed::exporter {

/// With a RetryInfo when `seconds` is given.
inline std::string RpcStatus(int code, std::string_view message, std::optional<std::int64_t> seconds = std::nullopt,
                             std::int32_t nanos = 0) {
  WireWriter out;
  out.Varint(1, static_cast<std::uint64_t>(code));
  out.Text(2, message);
  const std::size_t other = out.Open(3);
  out.Text(1, "type.googleapis.com/google.rpc.DebugInfo");
  out.Close(other);
  if (seconds) {
    const std::size_t any = out.Open(3);
    out.Text(1, "type.googleapis.com/google.rpc.RetryInfo");
    const std::size_t info = out.Open(2);
    const std::size_t duration = out.Open(1);
    out.Varint(1, static_cast<std::uint64_t>(*seconds));
    out.Varint(2, static_cast<std::uint64_t>(static_cast<std::int64_t>(nanos)));
    out.Close(duration);
    out.Close(info);
    out.Close(any);
  }
  return std::string(out.view());
}

}  // namespace probed::exporter
