// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/selfmon/http_endpoint.h"

#include <pthread.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

namespace probed::selfmon {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;

// After a failed accept (no descriptors left) the next attempt waits this long instead of spinning.
constexpr std::chrono::milliseconds kAcceptPause{100};

// How much of a refused request is read for the sake of its answer.
constexpr std::size_t kLingerBytes = 256UL << 10U;

std::string_view ToStd(beast::string_view text) { return {text.data(), text.size()}; }

http::response<http::string_body> ToResponse(HttpAnswer answer, unsigned version, bool keep_alive) {
  http::response<http::string_body> response;
  response.version(version);
  response.result(answer.status);
  response.set(http::field::content_type, answer.content_type);
  response.set(http::field::cache_control, "no-store");
  if (!answer.allow.empty()) response.set(http::field::allow, answer.allow);
  response.body() = std::move(answer.body);
  response.keep_alive(keep_alive);
  response.prepare_payload();
  return response;
}

/// What a request gets that could not be read; nothing when there is nobody to tell.
std::optional<HttpAnswer> AnswerToBadRequest(const ErrorCode& error) {
  if (error.category() != make_error_code(http::error::bad_method).category()) return std::nullopt;
  if (error == http::error::end_of_stream || error == http::error::partial_message) return std::nullopt;
  HttpAnswer answer;
  answer.status = 400;
  if (error == http::error::header_limit || error == http::error::buffer_overflow) answer.status = 431;
  if (error == http::error::body_limit) answer.status = 413;
  answer.body = error.message() + "\n";
  return answer;
}

struct Address {
  std::string host;
  std::string port;
};

/// Splits at the last colon; a v6 address stands in brackets.
std::optional<Address> SplitAddress(const std::string& listen) {
  const std::size_t colon = listen.rfind(':');
  if (colon == std::string::npos || colon + 1 == listen.size()) return std::nullopt;
  Address address{listen.substr(0, colon), listen.substr(colon + 1)};
  if (address.port.find_first_not_of("0123456789") != std::string::npos || address.port.size() > 5 ||
      std::stoul(address.port) > 65535) {
    return std::nullopt;
  }
  if (address.host.size() >= 2 && address.host.front() == '[' && address.host.back() == ']') {
    address.host = address.host.substr(1, address.host.size() - 2);
  } else if (address.host.find(':') != std::string::npos) {
    return std::nullopt;
  }
  return address;
}

Status ListenError(const std::string& listen, const ErrorCode& error) {
  const auto code =
      error == asio::error::address_in_use ? absl::StatusCode::kAlreadyExists : absl::StatusCode::kUnavailable;
  return MakeStatus(code, "cannot listen on " + listen + ": " + error.message());
}

/// One connection; owns itself through the handlers of its pending operation. `on_end` runs once, when it is gone.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, const HttpHandlers& handlers, std::function<void()> on_end)
      : stream_(std::move(socket)), handlers_(handlers), on_end_(std::move(on_end)) {}
  ~Connection() { on_end_(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Read() {
    parser_.emplace();
    parser_->header_limit(HttpEndpoint::kMaxHeaderBytes);
    parser_->body_limit(HttpEndpoint::kMaxBodyBytes);
    stream_.expires_after(HttpEndpoint::kConnectionTimeout);
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](ErrorCode error, std::size_t) { self->OnRead(error); });
  }

 private:
  void OnRead(const ErrorCode& error) {
    if (error) {
      std::optional<HttpAnswer> answer = AnswerToBadRequest(error);
      if (answer) Write(ToResponse(std::move(*answer), 11, false), false);
      return;
    }
    const auto& request = parser_->get();
    HttpAnswer answer = AnswerRequest(handlers_, ToStd(request.method_string()), ToStd(request.target()));
    Write(ToResponse(std::move(answer), request.version(), request.keep_alive()), request.method() == http::verb::head);
  }

  void Write(http::response<http::string_body> response, bool head_only) {
    response_ = std::move(response);
    serializer_.emplace(response_);
    serializer_->split(head_only);
    stream_.expires_after(HttpEndpoint::kConnectionTimeout);
    const auto done = [self = shared_from_this()](ErrorCode error, std::size_t) { self->OnWritten(error); };
    if (head_only) {
      http::async_write_header(stream_, *serializer_, done);
    } else {
      http::async_write(stream_, *serializer_, done);
    }
  }

  void OnWritten(const ErrorCode& error) {
    if (error) return;
    if (response_.keep_alive()) return Read();
    ErrorCode ignored;  // the peer may have gone already
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    Linger();
  }

  /// Closing with unread bytes resets the connection, and the peer may lose the answer: a refused request is read on
  /// for a while (until the deadline that was set for the answer) and thrown away.
  void Linger() {
    if (lingered_ >= kLingerBytes) return;
    stream_.async_read_some(asio::buffer(scratch_), [self = shared_from_this()](ErrorCode error, std::size_t bytes) {
      self->lingered_ += bytes;
      if (!error) self->Linger();
    });
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_{HttpEndpoint::kMaxHeaderBytes + HttpEndpoint::kMaxBodyBytes};
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
  std::optional<http::response_serializer<http::string_body>> serializer_;
  std::array<char, 4096> scratch_;
  std::size_t lingered_ = 0;
  const HttpHandlers& handlers_;
  std::function<void()> on_end_;
};

}  // namespace

/// Everything but Open and Stop runs on the endpoint's thread.
class HttpEndpoint::Impl {
 public:
  explicit Impl(HttpHandlers handlers) : handlers_(std::move(handlers)) {}

  Status Open(const std::string& listen) {
    const std::optional<Address> address = SplitAddress(listen);
    if (!address) return MakeStatus(absl::StatusCode::kInvalidArgument, "\"" + listen + "\" is no host:port");
    ErrorCode error;
    tcp::resolver resolver(io_);
    const auto found = resolver.resolve(address->host, address->port, tcp::resolver::passive, error);
    if (error) return ListenError(listen, error);
    Bind(found.begin()->endpoint(), error);
    return error ? ListenError(listen, error) : OkStatus();
  }

  void Run() {
    Accept();
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "http");
      io_.run();
    });
  }

  void Stop() {
    io_.stop();
    if (thread_.joinable()) thread_.join();
    stopped_ = true;
  }

  std::uint16_t port() const { return port_; }

 private:
  void Bind(const tcp::endpoint& endpoint, ErrorCode& error) {
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(tcp::acceptor::max_listen_connections, error);
    if (!error) port_ = acceptor_.local_endpoint(error).port();
  }

  /// At most one accept is pending, and none while the house is full.
  void Accept() {
    if (accepting_ || connections_ >= kMaxConnections) return;
    accepting_ = true;
    acceptor_.async_accept([this](ErrorCode error, tcp::socket socket) {
      accepting_ = false;
      if (error) return AcceptLater();
      Serve(std::move(socket));
      Accept();
    });
  }

  void AcceptLater() {
    pause_.expires_after(kAcceptPause);
    pause_.async_wait([this](ErrorCode error) {
      if (!error) Accept();
    });
  }

  void Serve(tcp::socket socket) {
    ++connections_;
    std::make_shared<Connection>(std::move(socket), handlers_, [this] { OnConnectionEnd(); })->Read();
  }

  void OnConnectionEnd() {
    --connections_;
    if (!stopped_) Accept();
  }

  // Destroying io_ ends the connections, which count down above; acceptor and timer below need it alive.
  HttpHandlers handlers_;
  std::size_t connections_ = 0;
  bool accepting_ = false;
  bool stopped_ = false;  // what is left is torn down by the destructor
  std::uint16_t port_ = 0;
  asio::io_context io_{1};
  tcp::acceptor acceptor_{io_};
  asio::steady_timer pause_{io_};
  std::thread thread_;
};

HttpEndpoint::HttpEndpoint(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpEndpoint::~HttpEndpoint() { impl_->Stop(); }
std::uint16_t HttpEndpoint::port() const { return impl_->port(); }

Result<std::unique_ptr<HttpEndpoint>> HttpEndpoint::Start(const std::string& listen, HttpHandlers handlers) {
  auto impl = std::make_unique<Impl>(std::move(handlers));
  RETURN_IF_ERROR(impl->Open(listen));
  impl->Run();
  return std::unique_ptr<HttpEndpoint>(new HttpEndpoint(std::move(impl)));
}

}  // namespace probed::selfmon
