// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// State of one connection: how far each direction was followed, and the requests that wait for their response. All of
// it is plain data in the stream's memory; zeroed memory is a connection of which nothing was seen.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "api/sdk/framed_stream.h"
#include "api/sdk/host.h"
#include "modules/kafka/config.h"
#include "modules/kafka/decode/types.h"

namespace probed::mod::kafka {

using sdk::Arrival;

/// A request without its response. One block of memory: the struct, its topics, their links, their texts.
struct Request {
  Request* next = nullptr;  // the one sent after it
  std::size_t block_size = 0;
  const Config* config = nullptr;
  Arrival arrival;
  std::uint64_t exchange = 0;  // 0: it becomes no span
  probe_span_kind kind = PROBE_SPAN_CLIENT;
  RequestHead head;
  std::string_view group;
  bool complete = true;   // `topics` are all of them
  bool doubtful = false;  // bytes were lost that may have been the response
  std::span<Topic> topics;
  std::span<probe_trace_context_t> links;
};

struct Connection {
  static constexpr std::uint32_t kMostWaiting = 1024;  // requests; a client has five in flight

  std::array<sdk::FramedDirection, 2> directions{};  // by enum probe_direction
  Request* oldest = nullptr;
  Request* newest = nullptr;
  std::uint32_t waiting = 0;
  std::uint32_t undecodable = 0;       // records since the last message, while there was none at all
  bool spoke = false;                  // a request was seen
  bool confirmed = false;              // and the response to one: `requests` is certain
  std::uint8_t requests = PROBE_SENT;  // direction of requests; meaningless until `spoke`

  /// What waits may have been answered by bytes that were lost.
  void Doubt() {
    for (Request* request = oldest; request != nullptr; request = request->next) request->doubtful = true;
  }
};

/// Copies what outlives the bytes of a request into the stream's memory. nullptr: there is none.
Request* KeepRequest(sdk::Stream stream, Connection& connection, const Request& request, const Topics& topics);
/// Takes it out of the connection's list and gives its memory back.
void DropRequest(sdk::Stream stream, Connection& connection, Request& request);
Request* FindRequest(const Connection& connection, std::int32_t correlation);

}  // namespace probed::mod::kafka
