// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A small HTTP/1.1 listener for scrapers and health checks: own thread, own io_context. Knows nothing of what it serves
// (http_routes.h); the daemon starts one for itself, a Prometheus sink another on its own port.
//
// Bounds: kMaxConnections at a time (further ones wait in the kernel's backlog), kMaxHeaderBytes and kMaxBodyBytes per
// request, and kConnectionTimeout for each read and each write. Timers exist only while a connection is open.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "server/base/status.h"
#include "server/selfmon/http_routes.h"

namespace probed::selfmon {

class HttpEndpoint {
 public:
  static constexpr std::size_t kMaxConnections = 16;
  static constexpr std::uint32_t kMaxHeaderBytes = 8192;
  static constexpr std::uint64_t kMaxBodyBytes = 4096;
  static constexpr std::chrono::seconds kConnectionTimeout{10};

  /// Listens on "host:port", "[v6]:port" or ":port" (all addresses); port 0 takes a free one. INVALID_ARGUMENT for
  /// what is no address, ALREADY_EXISTS when the address is taken, else UNAVAILABLE.
  static Result<std::unique_ptr<HttpEndpoint>> Start(const std::string& listen, HttpHandlers handlers);

  /// Stops the thread; when it returns no callback runs or will run. Open connections are cut.
  ~HttpEndpoint();
  HttpEndpoint(const HttpEndpoint&) = delete;
  HttpEndpoint& operator=(const HttpEndpoint&) = delete;

  /// The port it listens on, also when 0 was asked for.
  std::uint16_t port() const;

 private:
  class Impl;
  explicit HttpEndpoint(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace probed::selfmon
