// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Exchanges to the host: begins one from a request head, ends one as a span. What the attributes are is the business of
// api/sdk/http/semantics.h.
#pragma once

#include <cstdint>
#include <string_view>

#include "api/sdk/host.h"
#include "api/sdk/http/semantics.h"
#include "api/sdk/span_builder.h"
#include "modules/http/decode/connection.h"

namespace probed::mod::http {

/// Attribute keys of this module, beside those of the semantics.
struct Keys {
  explicit Keys(sdk::Host host)
      : http(host),
        framing_conflict(host.InternKey("probed.http.framing_conflict")),
        head_truncated(host.InternKey("probed.http.head_truncated")) {}

  sdk::http::Keys http;
  std::uint32_t framing_conflict;
  std::uint32_t head_truncated;
};

/// One per shard. [shard]
class Emitter {
 public:
  explicit Emitter(const Keys& keys) : keys_(keys) {}

  /// Opens an exchange for a request whose head is `bytes`. Returns its id.
  /// known: its trace context, if that was read already.
  std::uint64_t Begin(sdk::Stream stream, const Connection& connection, const HeadStart& start, const RequestHead& head,
                      std::string_view bytes, const probe_trace_context_t* known = nullptr);

  /// Ends it. failure: error.type of what went wrong on the connection, or empty.
  void Emit(sdk::Stream stream, Connection& connection, Exchange& exchange, std::string_view failure);

 private:
  void TraceContext(const RequestHead& head, std::string_view bytes, const probe_trace_context_t* known,
                    probe_trace_context_t* out);
  void DescribeConstant(Connection& connection, Exchange& exchange, const sdk::http::Exchange& description);
  void Headers(Exchange& exchange);
  void HeaderArrays(const CapturedHeader* items, std::uint32_t count, const char* bytes,
                    const std::vector<std::uint32_t>& keys);

  const Keys& keys_;
  sdk::SpanBuilder span_;
};

}  // namespace probed::mod::http
