// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/otlp_http.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <ctime>
#include <optional>
#include <utility>
#include <variant>

#include "server/export/gzip.h"
#include "server/export/otlp_response.h"
#include "server/export/semconv.h"

namespace probed::exporter {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace ssl = asio::ssl;
using asio::use_awaitable;

using Request = http::request<http::span_body<const char>>;
using Response = http::response<http::string_body>;
using PlainStream = beast::tcp_stream;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;
using Stream = std::variant<std::monostate, PlainStream, TlsStream>;

constexpr int kHttp11 = 11;
constexpr std::size_t kMaxResponse = 4U << 20U;

bool IsRetryable(unsigned code) { return code == 429 || code == 502 || code == 503 || code == 504; }

/// The specification's table of codes (otlp.md, "OTLP/HTTP response", "throttling").
AttemptResult FromResponse(const Response& response, const OtlpEndpoint& endpoint) {
  const unsigned code = response.result_int();
  if (code >= 200 && code < 300) return ParseExportResponse(response.body());
  std::string message = fmt::format("{}{}: HTTP {}", endpoint.Authority(), endpoint.target, code);
  if (const std::string said = ParseRpcMessage(response.body()); !said.empty()) message += ": " + said;
  if (!IsRetryable(code)) return AttemptResult::Permanent(std::move(message));
  const auto after = response[http::field::retry_after];
  return AttemptResult::Retryable(std::move(message),
                                  ParseRetryAfter({after.data(), after.size()}, std::time(nullptr)));
}

/// The receiver was gone before it answered: nothing of a response was read.
bool IsStale(const boost::system::error_code& error) {
  return error == http::error::end_of_stream || error == asio::error::eof || error == asio::error::connection_reset ||
         error == asio::error::broken_pipe || error == ssl::error::stream_truncated;
}

/// The connection of one signal and how to make it.
class Lane {
 public:
  Lane(asio::io_context& io, OtlpSettings settings, std::shared_ptr<ssl::context> tls)
      : io_(io), resolver_(io), settings_(std::move(settings)), tls_(std::move(tls)) {}

  const OtlpSettings& settings() const { return settings_; }

  /// One request and its response. A kept connection may have been closed by the receiver meanwhile: then once more
  /// over a new one.
  asio::awaitable<AttemptResult> Exchange(std::string_view body, bool compressed) {
    const bool kept = Connected();
    Response response;
    bool again = false;
    try {
      response = co_await Attempt(body, compressed);
    } catch (const boost::system::system_error& error) {
      if (!kept || closed_ || !IsStale(error.code())) throw;
      again = true;
    }
    if (again) {
      Close();
      Open();
      response = co_await Attempt(body, compressed);
    }
    if (!response.keep_alive()) Close();
    co_return FromResponse(response, settings_.endpoint);
  }

  void Open() { closed_ = false; }

  /// Ends the connection; operations under way fail.
  void Close() {
    closed_ = true;
    resolver_.cancel();
    boost::system::error_code ignored;
    if (auto* plain = std::get_if<PlainStream>(&stream_)) plain->socket().close(ignored);
    if (auto* tls = std::get_if<TlsStream>(&stream_)) beast::get_lowest_layer(*tls).socket().close(ignored);
  }

 private:
  bool Connected() const {
    if (const auto* plain = std::get_if<PlainStream>(&stream_)) return plain->socket().is_open();
    if (const auto* tls = std::get_if<TlsStream>(&stream_)) return beast::get_lowest_layer(*tls).socket().is_open();
    return false;
  }

  asio::awaitable<Response> Attempt(std::string_view body, bool compressed) {
    if (!Connected()) co_await Connect();
    const Request request = MakeRequest(body, compressed);
    if (auto* plain = std::get_if<PlainStream>(&stream_)) co_return co_await RoundTrip(*plain, request);
    co_return co_await RoundTrip(std::get<TlsStream>(stream_), request);
  }

  asio::awaitable<void> Connect() {
    buffer_.clear();
    const OtlpEndpoint& endpoint = settings_.endpoint;
    const auto addresses = co_await resolver_.async_resolve(endpoint.host, endpoint.port, use_awaitable);
    if (!tls_) {
      auto& stream = stream_.emplace<PlainStream>(io_);
      co_await stream.async_connect(addresses, use_awaitable);
      co_return;
    }
    auto& stream = stream_.emplace<TlsStream>(io_, *tls_);
    SSL_set_tlsext_host_name(stream.native_handle(), endpoint.host.c_str());
    stream.set_verify_callback(ssl::host_name_verification(endpoint.host));
    co_await beast::get_lowest_layer(stream).async_connect(addresses, use_awaitable);
    co_await stream.async_handshake(ssl::stream_base::client, use_awaitable);
  }

  template <typename AnyStream>
  asio::awaitable<Response> RoundTrip(AnyStream& stream, const Request& request) {
    co_await http::async_write(stream, request, use_awaitable);
    http::response_parser<http::string_body> parser;
    parser.body_limit(kMaxResponse);
    co_await http::async_read(stream, buffer_, parser, use_awaitable);
    co_return parser.release();
  }

  Request MakeRequest(std::string_view body, bool compressed) const {
    Request request(http::verb::post, settings_.endpoint.target, kHttp11);
    for (const auto& [name, value] : settings_.headers) request.set(name, value);
    request.set(http::field::host, settings_.endpoint.Authority());
    const std::string_view agent = UserAgent();
    request.set(http::field::user_agent, boost::string_view(agent.data(), agent.size()));
    request.set(http::field::content_type, "application/x-protobuf");
    if (compressed) request.set(http::field::content_encoding, "gzip");
    request.body() = {body.data(), body.size()};
    request.prepare_payload();
    return request;
  }

  asio::io_context& io_;
  asio::ip::tcp::resolver resolver_;
  OtlpSettings settings_;
  std::shared_ptr<ssl::context> tls_;  // null: plaintext. Shared by lanes with the same files
  Stream stream_;
  beast::flat_buffer buffer_;
  bool closed_ = false;  // Close was called during an exchange
};

class OtlpHttpTransport final : public Transport {
 public:
  OtlpHttpTransport(const OtlpSignalSettings& settings, const std::array<std::shared_ptr<ssl::context>, 3>& tls)
      : lanes_{Lane(io_, settings[0], tls[0]), Lane(io_, settings[1], tls[1]), Lane(io_, settings[2], tls[2])} {}

  AttemptResult Send(const BatchPtr& batch, std::chrono::milliseconds timeout) override {
    if (cancelled_) return AttemptResult::Retryable("cancelled");
    Lane& lane = lanes_[SignalIndex(batch->signal)];
    lane.Open();
    const bool compressed = lane.settings().compression == config::Compression::kGzip;
    const std::string_view body = compressed ? gzip_.Compress(batch->bytes) : std::string_view(batch->bytes);
    std::optional<AttemptResult> result;
    asio::co_spawn(io_, lane.Exchange(body, compressed), [&](const std::exception_ptr& failure, AttemptResult answer) {
      result = failure ? Explain(failure, lane.settings().endpoint) : std::move(answer);
    });
    Drive(lane, std::min(timeout, lane.settings().timeout));
    if (timed_out_) return AttemptResult::Timeout(lane.settings().endpoint.Authority() + ": no answer in time");
    if (result->kind != AttemptResult::Kind::kOk && result->kind != AttemptResult::Kind::kPartial) lane.Close();
    return *std::move(result);
  }

  void Cancel() override {
    cancelled_ = true;
    asio::post(io_, [this] {
      for (Lane& lane : lanes_) lane.Close();
    });
  }

 private:
  /// Runs the exchange to its end, or to the timeout and then to the end that closing brings about.
  void Drive(Lane& lane, std::chrono::milliseconds timeout) {
    io_.restart();
    io_.run_for(timeout);
    timed_out_ = !io_.stopped();
    if (!timed_out_) return;
    lane.Close();
    io_.run();
  }

  static AttemptResult Explain(const std::exception_ptr& failure, const OtlpEndpoint& endpoint) {
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      return AttemptResult::Retryable(fmt::format("{}: {}", endpoint.Authority(), error.what()));
    }
  }

  asio::io_context io_{1};
  std::array<Lane, 3> lanes_;
  Gzip gzip_;
  std::atomic<bool> cancelled_{false};
  bool timed_out_ = false;
};

Result<std::shared_ptr<ssl::context>> MakeTls(const OtlpSettings& settings) {
  if (!settings.endpoint.tls) return std::shared_ptr<ssl::context>();
  auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
  try {
    context->set_options(ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1);
    context->set_verify_mode(ssl::verify_peer);
    if (settings.ca_file.empty()) {
      context->set_default_verify_paths();
    } else {
      context->load_verify_file(settings.ca_file);
    }
    if (!settings.cert_file.empty()) {
      context->use_certificate_chain_file(settings.cert_file);
      context->use_private_key_file(settings.key_file, ssl::context::pem);
    }
  } catch (const boost::system::system_error& error) {
    return MakeStatus(absl::StatusCode::kInvalidArgument,
                      fmt::format("cannot use the TLS files of {}: {}", settings.endpoint.Authority(), error.what()));
  }
  return context;
}

}  // namespace

Result<std::unique_ptr<Transport>> MakeOtlpHttpTransport(const OtlpSignalSettings& settings) {
  std::array<std::shared_ptr<ssl::context>, 3> tls;
  for (std::size_t i = 0; i < tls.size(); ++i) {
    ASSIGN_OR_RETURN(tls[i], MakeTls(settings[i]));
  }
  return std::make_unique<OtlpHttpTransport>(settings, tls);
}

}  // namespace probed::exporter
