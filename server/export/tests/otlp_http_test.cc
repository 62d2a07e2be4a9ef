// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The HTTP transport against real servers in this process.
#include "server/export/otlp_http.h"

#include <gmock/gmock.h>
#include <zlib.h>

#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <ctime>
#include <thread>

#include "opentelemetry/proto/collector/trace/v1/trace_service.pb.h"
#include "server/export/semconv.h"
#include "server/export/tests/rpc_status.h"
#include "server/export/tests/temp_dir.h"
#include "server/export/tests/test_certificate.h"
#include "server/export/tests/test_span.h"
#include "server/export/tests/test_tcp_server.h"

namespace probed::exporter {
namespace {

namespace http = boost::beast::http;
namespace ssl = boost::asio::ssl;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = AttemptResult::Kind;
using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

Response Reply(int status, std::string body = "") {
  Response response(static_cast<http::status>(status), 11);
  response.body() = std::move(body);
  response.keep_alive(true);
  response.prepare_payload();
  return response;
}

/// Answers request after request on a connection until the client leaves.
template <typename Stream>
void Serve(Stream& stream, const std::function<Response(const Request&)>& answer) {
  boost::beast::flat_buffer buffer;
  while (true) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(16U << 20U);
    http::read(stream, buffer, parser);
    const Response response = answer(parser.get());
    http::write(stream, response);
    if (!response.keep_alive()) return;
  }
}

std::string Gunzip(const std::string& text) {
  z_stream stream{};
  inflateInit2(&stream, 15 + 16);
  std::string out(1U << 20U, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

class OtlpHttpTest : public testing::Test {
 protected:
  config::Sink ConfigFor(std::uint16_t port, const std::string& scheme = "http") {
    config::Sink sink;
    sink.name = "s";
    sink.type = config::SinkType::kOtlpHttp;
    sink.endpoint = scheme + "://localhost:" + std::to_string(port);
    return sink;
  }
  std::unique_ptr<Transport> Make(const config::Sink& sink) {
    const auto settings = ResolveOtlpSettings(sink, [](std::string_view) { return std::nullopt; });
    EXPECT_TRUE(settings.ok()) << settings.status();
    auto transport = MakeOtlpHttpTransport(*settings);
    EXPECT_TRUE(transport.ok()) << transport.status();
    return *std::move(transport);
  }
  AttemptResult SendTo(std::uint16_t port, milliseconds timeout = seconds(10)) {
    return Make(ConfigFor(port))->Send(batch_, timeout);
  }
  /// One request answered with one response.
  AttemptResult Answered(const Response& response) {
    TestTcpServer server(
        [&](TestTcpServer::Socket& socket) { Serve(socket, [&](const Request&) { return response; }); });
    return SendTo(server.port());
  }

  const BatchPtr batch_ = TestBatch(20);
};

TEST_F(OtlpHttpTest, PostsTheBatchAsItIsOverOneConnection) {
  std::vector<Request> requests;
  TestTcpServer server([&](TestTcpServer::Socket& socket) {
    Serve(socket, [&](const Request& request) {
      requests.push_back(request);
      return Reply(200);
    });
  });
  config::Sink config = ConfigFor(server.port());
  config.headers = {{"Api-Key", "secret"}};
  const auto transport = Make(config);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(transport->Send(batch_, seconds(10)).kind, Kind::kOk);
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(server.connections(), 1);
  const Request& request = requests[2];
  EXPECT_EQ(request.method(), http::verb::post);
  EXPECT_EQ(request.target(), "/v1/traces");
  EXPECT_EQ(request[http::field::content_type], "application/x-protobuf");
  EXPECT_EQ(request[http::field::host], "localhost:" + std::to_string(server.port()));
  EXPECT_EQ(request[http::field::user_agent], std::string(UserAgent()));
  EXPECT_EQ(request["api-key"], "secret");
  EXPECT_EQ(request.count(http::field::content_encoding), 0U);
  EXPECT_EQ(request.body(), batch_->bytes);
}

TEST_F(OtlpHttpTest, EachSignalHasItsPath) {
  std::vector<std::string> targets;
  TestTcpServer server([&](TestTcpServer::Socket& socket) {
    Serve(socket, [&](const Request& request) {
      targets.emplace_back(request.target());
      return Reply(200);
    });
  });
  const auto transport = Make(ConfigFor(server.port()));
  for (const config::Signal signal : {config::Signal::kTraces, config::Signal::kMetrics, config::Signal::kLogs}) {
    auto batch = std::make_shared<Batch>();
    batch->signal = signal;
    batch->bytes = batch_->bytes;
    EXPECT_EQ(transport->Send(batch, seconds(10)).kind, Kind::kOk);
  }
  EXPECT_THAT(targets, testing::ElementsAre("/v1/traces", "/v1/metrics", "/v1/logs"));
}

TEST_F(OtlpHttpTest, CompressesWithGzip) {
  std::string encoding;
  std::string body;
  TestTcpServer server([&](TestTcpServer::Socket& socket) {
    Serve(socket, [&](const Request& request) {
      encoding = std::string(request[http::field::content_encoding]);
      body = request.body();
      return Reply(200);
    });
  });
  config::Sink config = ConfigFor(server.port());
  config.compression = config::Compression::kGzip;
  const auto transport = Make(config);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(transport->Send(batch_, seconds(10)).kind, Kind::kOk);
    EXPECT_EQ(encoding, "gzip");
    EXPECT_LT(body.size(), batch_->bytes.size() / 2);
    EXPECT_EQ(Gunzip(body), batch_->bytes);
  }
}

TEST_F(OtlpHttpTest, PartialSuccess) {
  opentelemetry::proto::collector::trace::v1::ExportTraceServiceResponse response;
  response.mutable_partial_success()->set_rejected_spans(7);
  response.mutable_partial_success()->set_error_message("quota");
  const AttemptResult result = Answered(Reply(200, response.SerializeAsString()));
  EXPECT_EQ(result.kind, Kind::kPartial);
  EXPECT_EQ(result.rejected, 7U);
  EXPECT_EQ(result.message, "quota");
}

TEST_F(OtlpHttpTest, RetriesWhatTheSpecificationSaysAndNothingElse) {
  for (const int status : {429, 502, 503, 504}) EXPECT_EQ(Answered(Reply(status)).kind, Kind::kRetryable) << status;
  for (const int status : {301, 400, 401, 404, 413, 500, 501, 505}) {
    EXPECT_EQ(Answered(Reply(status)).kind, Kind::kPermanent) << status;
  }
}

TEST_F(OtlpHttpTest, ErrorsSayWhatTheReceiverSaid) {
  const AttemptResult result = Answered(Reply(400, RpcStatus(3, "span without id")));
  EXPECT_THAT(result.message, testing::HasSubstr("HTTP 400: span without id"));
  EXPECT_THAT(result.message, testing::HasSubstr("/v1/traces"));
}

TEST_F(OtlpHttpTest, HonoursRetryAfter) {
  Response response = Reply(503);
  response.set(http::field::retry_after, "17");
  EXPECT_EQ(Answered(response).retry_after, seconds(17));
  char date[64];
  const std::time_t later = std::time(nullptr) + 100;
  std::tm parts{};
  std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&later, &parts));
  response.set(http::field::retry_after, date);
  const auto after = Answered(response).retry_after;
  ASSERT_TRUE(after.has_value());
  EXPECT_GT(*after, seconds(80));
  EXPECT_LE(*after, seconds(100));
}

TEST_F(OtlpHttpTest, RefusedConnectionIsRetryable) {
  const AttemptResult result = SendTo(UnusedPort());
  EXPECT_EQ(result.kind, Kind::kRetryable);
  EXPECT_THAT(result.message, testing::HasSubstr("refused"));
}

TEST_F(OtlpHttpTest, AHangingReceiverTimesOutAndTheNextAttemptIsFresh) {
  std::atomic<bool> hang{true};
  TestTcpServer server([&](TestTcpServer::Socket& socket) {
    Serve(socket, [&](const Request&) {
      if (!hang) return Reply(200);
      char byte = 0;
      socket.read_some(boost::asio::buffer(&byte, 1));  // until the client gives up
      throw std::runtime_error("gone");
    });
  });
  const auto transport = Make(ConfigFor(server.port()));
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(transport->Send(batch_, milliseconds(100)).kind, Kind::kTimeout);
  EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(5));
  hang = false;
  EXPECT_EQ(transport->Send(batch_, seconds(10)).kind, Kind::kOk);
  EXPECT_EQ(server.connections(), 2);
}

TEST_F(OtlpHttpTest, CancelEndsAnAttemptAndAllLaterOnes) {
  std::atomic<bool> reached{false};
  TestTcpServer server([&](TestTcpServer::Socket& socket) {
    Serve(socket, [&](const Request&) {
      reached = true;
      char byte = 0;
      socket.read_some(boost::asio::buffer(&byte, 1));
      return Reply(200);
    });
  });
  const auto transport = Make(ConfigFor(server.port()));
  std::thread canceller([&] {
    while (!reached) std::this_thread::yield();
    transport->Cancel();
  });
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(transport->Send(batch_, seconds(60)).kind, Kind::kRetryable);
  canceller.join();
  EXPECT_EQ(transport->Send(batch_, seconds(60)).kind, Kind::kRetryable);
  EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(20));
}

TEST_F(OtlpHttpTest, DeathInTheMiddleOfTheAnswerIsRetryable) {
  for (const std::string_view part : {"", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"}) {
    TestTcpServer server([&](TestTcpServer::Socket& socket) {
      boost::beast::flat_buffer buffer;
      http::request_parser<http::string_body> parser;
      http::read(socket, buffer, parser);
      boost::asio::write(socket, boost::asio::buffer(part.data(), part.size()));
    });
    EXPECT_EQ(SendTo(server.port()).kind, Kind::kRetryable) << part;
  }
}

TEST_F(OtlpHttpTest, AnswersThatAreNoHttpAreRetryable) {
  TestTcpServer server([&](TestTcpServer::Socket& socket) {
    char bytes[1024];
    socket.read_some(boost::asio::buffer(bytes));
    boost::asio::write(socket, boost::asio::buffer("SSH-2.0-OpenSSH\r\n", 17));
  });
  EXPECT_EQ(SendTo(server.port()).kind, Kind::kRetryable);
}

TEST_F(OtlpHttpTest, AKeptConnectionThatTheReceiverClosedCostsNoAttempt) {
  std::atomic<int> answered{0};
  TestTcpServer server([&](TestTcpServer::Socket& socket) {
    boost::beast::flat_buffer buffer;
    http::request_parser<http::string_body> parser;
    http::read(socket, buffer, parser);
    ++answered;
    http::write(socket, Reply(200));  // promises keep-alive, and closes all the same
  });
  const auto transport = Make(ConfigFor(server.port()));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(transport->Send(batch_, seconds(10)).kind, Kind::kOk) << i;
  EXPECT_EQ(answered, 5);
}

TEST_F(OtlpHttpTest, ARequestThatWasBeingAnsweredIsNotSentAgainAtOnce) {
  std::atomic<int> requests{0};
  TestTcpServer server([&](TestTcpServer::Socket& socket) {
    Serve(socket, [&](const Request&) {
      if (++requests == 1) return Reply(200);
      boost::asio::write(socket, boost::asio::buffer("HTTP/1.1 2", 10));
      throw std::runtime_error("dies");
    });
  });
  const auto transport = Make(ConfigFor(server.port()));
  EXPECT_EQ(transport->Send(batch_, seconds(10)).kind, Kind::kOk);
  EXPECT_EQ(transport->Send(batch_, seconds(10)).kind, Kind::kRetryable);
  EXPECT_EQ(requests, 2);
}

TEST_F(OtlpHttpTest, ConnectionCloseIsHonoured) {
  TestTcpServer server([&](TestTcpServer::Socket& socket) {
    Serve(socket, [&](const Request&) {
      Response response = Reply(200);
      response.keep_alive(false);
      return response;
    });
  });
  const auto transport = Make(ConfigFor(server.port()));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(transport->Send(batch_, seconds(10)).kind, Kind::kOk);
  EXPECT_EQ(server.connections(), 3);
}

class OtlpHttpsTest : public OtlpHttpTest {
 protected:
  void ServeTls(TestTcpServer::Socket& socket, ssl::verify_mode verify = ssl::verify_none) {
    ssl::context context(ssl::context::tls_server);
    context.use_certificate_chain(boost::asio::buffer(certificate_.certificate_pem));
    context.use_private_key(boost::asio::buffer(certificate_.key_pem), ssl::context::pem);
    context.add_certificate_authority(boost::asio::buffer(certificate_.certificate_pem));
    context.set_verify_mode(verify);
    ssl::stream<TestTcpServer::Socket&> stream(socket, context);
    stream.handshake(ssl::stream_base::server);
    Serve(stream, [&](const Request& request) {
      received_ = request.body();
      return Reply(200);
    });
  }

  const TestCertificate certificate_ = MakeTestCertificate();
  const TempDir dir_;
  const std::string ca_file_ = dir_.Write("ca.pem", certificate_.certificate_pem);
  std::string received_;
};

TEST_F(OtlpHttpsTest, SendsOverTlsToWhomItTrusts) {
  TestTcpServer server([&](TestTcpServer::Socket& socket) { ServeTls(socket); });
  config::Sink config = ConfigFor(server.port(), "https");
  config.ca_file = ca_file_;
  const auto transport = Make(config);
  EXPECT_EQ(transport->Send(batch_, seconds(10)).kind, Kind::kOk);
  EXPECT_EQ(received_, batch_->bytes);
  EXPECT_EQ(transport->Send(batch_, seconds(10)).kind, Kind::kOk);
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(OtlpHttpsTest, RefusesACertificateItDoesNotTrust) {
  TestTcpServer server([&](TestTcpServer::Socket& socket) { ServeTls(socket); });
  const AttemptResult result = Make(ConfigFor(server.port(), "https"))->Send(batch_, seconds(10));
  EXPECT_EQ(result.kind, Kind::kRetryable);
  EXPECT_THAT(result.message, testing::HasSubstr("certificate"));
  EXPECT_EQ(received_, "");
}

TEST_F(OtlpHttpsTest, RefusesACertificateForAnotherName) {
  TestTcpServer server([&](TestTcpServer::Socket& socket) { ServeTls(socket); });
  config::Sink config = ConfigFor(server.port(), "https");
  config.endpoint = "https://127.0.0.2:" + std::to_string(server.port());
  config.ca_file = ca_file_;
  EXPECT_EQ(Make(config)->Send(batch_, seconds(10)).kind, Kind::kRetryable);
  EXPECT_EQ(received_, "");
}

TEST_F(OtlpHttpsTest, ShowsItsOwnCertificate) {
  TestTcpServer server(
      [&](TestTcpServer::Socket& socket) { ServeTls(socket, ssl::verify_peer | ssl::verify_fail_if_no_peer_cert); });
  config::Sink config = ConfigFor(server.port(), "https");
  config.ca_file = ca_file_;
  EXPECT_EQ(Make(config)->Send(batch_, seconds(10)).kind, Kind::kRetryable);
  config.cert_file = ca_file_;
  config.key_file = dir_.Write("key.pem", certificate_.key_pem);
  EXPECT_EQ(Make(config)->Send(batch_, seconds(10)).kind, Kind::kOk);
}

TEST_F(OtlpHttpsTest, SaysWhichFileCannotBeUsed) {
  config::Sink config = ConfigFor(1, "https");
  config.ca_file = dir_.File("missing.pem");
  const auto settings = ResolveOtlpSettings(config, [](std::string_view) { return std::nullopt; });
  EXPECT_EQ(MakeOtlpHttpTransport(*settings).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace probed::exporter
