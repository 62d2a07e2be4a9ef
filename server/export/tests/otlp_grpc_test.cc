// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The gRPC transport against the generated service in this process, and against sockets that misbehave.
#include "server/export/otlp_grpc.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <grpcpp/grpcpp.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/write.hpp>
#include <thread>

#include "opentelemetry/proto/collector/logs/v1/logs_service.grpc.pb.h"
#include "opentelemetry/proto/collector/metrics/v1/metrics_service.grpc.pb.h"
#include "opentelemetry/proto/collector/trace/v1/trace_service.grpc.pb.h"
#include "server/export/log_encoder.h"
#include "server/export/metric_encoder.h"
#include "server/export/semconv.h"
#include "server/export/tests/rpc_status.h"
#include "server/export/tests/temp_dir.h"
#include "server/export/tests/test_certificate.h"
#include "server/export/tests/test_metrics.h"
#include "server/export/tests/test_span.h"
#include "server/export/tests/test_tcp_server.h"

namespace probed::exporter {
namespace {

namespace collector = opentelemetry::proto::collector;
using collector::trace::v1::ExportTraceServiceRequest;
using collector::trace::v1::ExportTraceServiceResponse;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = AttemptResult::Kind;

/// Does what `answer` says; keeps the last request and its metadata.
class TraceService final : public collector::trace::v1::TraceService::Service {
 public:
  using Answer = std::function<grpc::Status(grpc::ServerContext&, ExportTraceServiceResponse&)>;

  grpc::Status Export(grpc::ServerContext* context, const ExportTraceServiceRequest* request,
                      ExportTraceServiceResponse* response) override {
    {
      const std::lock_guard lock(mutex_);
      request_ = *request;
      metadata_.clear();
      for (const auto& [key, value] : context->client_metadata()) {
        metadata_.emplace(std::string(key.data(), key.size()), std::string(value.data(), value.size()));
      }
    }
    return answer_ ? answer_(*context, *response) : grpc::Status::OK;
  }

  Answer answer_;
  std::mutex mutex_;
  ExportTraceServiceRequest request_;
  std::multimap<std::string, std::string> metadata_;
};

class MetricsService final : public collector::metrics::v1::MetricsService::Service {
 public:
  grpc::Status Export(grpc::ServerContext*, const collector::metrics::v1::ExportMetricsServiceRequest* request,
                      collector::metrics::v1::ExportMetricsServiceResponse*) override {
    metrics_ += request->resource_metrics(0).scope_metrics(0).metrics_size();
    return grpc::Status::OK;
  }
  std::atomic<int> metrics_{0};
};

class LogsService final : public collector::logs::v1::LogsService::Service {
 public:
  grpc::Status Export(grpc::ServerContext*, const collector::logs::v1::ExportLogsServiceRequest* request,
                      collector::logs::v1::ExportLogsServiceResponse*) override {
    logs_ += request->resource_logs(0).scope_logs(0).log_records_size();
    return grpc::Status::OK;
  }
  std::atomic<int> logs_{0};
};

class OtlpGrpcTest : public testing::Test {
 protected:
  void StartServer(const std::shared_ptr<grpc::ServerCredentials>& credentials = grpc::InsecureServerCredentials()) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", credentials, &port_);
    builder.RegisterService(&traces_);
    builder.RegisterService(&metrics_);
    builder.RegisterService(&logs_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
  }
  void TearDown() override {
    if (server_) server_->Shutdown(std::chrono::system_clock::now());
  }

  config::Sink ConfigFor(int port) {
    config::Sink sink;
    sink.name = "s";
    sink.type = config::SinkType::kOtlpGrpc;
    sink.endpoint = "localhost:" + std::to_string(port);
    return sink;
  }
  std::unique_ptr<Transport> Make(const config::Sink& sink) {
    const auto settings = ResolveOtlpSettings(sink, [](std::string_view) { return std::nullopt; });
    EXPECT_TRUE(settings.ok()) << settings.status();
    auto transport = MakeOtlpGrpcTransport(*settings);
    EXPECT_TRUE(transport.ok()) << transport.status();
    return *std::move(transport);
  }
  AttemptResult Answered(const grpc::Status& status) {
    traces_.answer_ = [&](grpc::ServerContext&, ExportTraceServiceResponse&) { return status; };
    return Make(ConfigFor(port_))->Send(batch_, seconds(10));
  }

  TraceService traces_;
  MetricsService metrics_;
  LogsService logs_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  const BatchPtr batch_ = TestBatch(20);
};

TEST_F(OtlpGrpcTest, DeliversTheBatchWithHeadersAndUserAgent) {
  StartServer();
  config::Sink config = ConfigFor(port_);
  config.headers = {{"Api-Key", "secret"}};
  const auto transport = Make(config);
  for (int i = 0; i < 3; ++i) {
    const AttemptResult result = transport->Send(batch_, seconds(10));
    EXPECT_EQ(result.kind, Kind::kOk) << result.message;
  }
  ExportTraceServiceRequest expected;
  ASSERT_TRUE(expected.ParseFromString(std::string(batch_->bytes)));
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(traces_.request_, expected));
  EXPECT_EQ(traces_.metadata_.find("api-key")->second, "secret");
  EXPECT_TRUE(traces_.metadata_.find("user-agent")->second.starts_with(UserAgent()));
}

TEST_F(OtlpGrpcTest, EachSignalHasItsService) {
  StartServer();
  const auto transport = Make(ConfigFor(port_));
  EXPECT_EQ(transport->Send(EncodeMetrics({{TestHistogram(), TestSum()}}).at(0), seconds(10)).kind, Kind::kOk);
  const KeyTable keys;
  LogBatchBuilder logs(keys);
  logs.Append(MakeResource(1, {}), MakeScope(1, "s", ""), LogRecord{});
  EXPECT_EQ(transport->Send(logs.Seal(), seconds(10)).kind, Kind::kOk);
  EXPECT_EQ(metrics_.metrics_, 2);
  EXPECT_EQ(logs_.logs_, 1);
}

TEST_F(OtlpGrpcTest, TheBatchIsLetGo) {
  StartServer();
  BatchPtr batch = TestBatch(100);
  const std::weak_ptr<const Batch> watch = batch;
  const auto transport = Make(ConfigFor(port_));
  EXPECT_EQ(transport->Send(batch, seconds(10)).kind, Kind::kOk);
  batch.reset();
  for (int i = 0; i < 1000 && !watch.expired(); ++i) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_TRUE(watch.expired());
}

TEST_F(OtlpGrpcTest, PartialSuccess) {
  StartServer();
  traces_.answer_ = [](grpc::ServerContext&, ExportTraceServiceResponse& response) {
    response.mutable_partial_success()->set_rejected_spans(3);
    response.mutable_partial_success()->set_error_message("too old");
    return grpc::Status::OK;
  };
  const AttemptResult result = Make(ConfigFor(port_))->Send(batch_, seconds(10));
  EXPECT_EQ(result.kind, Kind::kPartial);
  EXPECT_EQ(result.rejected, 3U);
  EXPECT_EQ(result.message, "too old");
}

TEST_F(OtlpGrpcTest, RetriesWhatTheSpecificationSaysAndNothingElse) {
  using grpc::StatusCode;
  StartServer();
  for (const StatusCode code : {StatusCode::CANCELLED, StatusCode::ABORTED, StatusCode::OUT_OF_RANGE,
                                StatusCode::UNAVAILABLE, StatusCode::DATA_LOSS}) {
    EXPECT_EQ(Answered({code, "x"}).kind, Kind::kRetryable) << code;
  }
  EXPECT_EQ(Answered({StatusCode::DEADLINE_EXCEEDED, "x"}).kind, Kind::kTimeout);
  for (const StatusCode code :
       {StatusCode::UNKNOWN, StatusCode::INVALID_ARGUMENT, StatusCode::NOT_FOUND, StatusCode::PERMISSION_DENIED,
        StatusCode::RESOURCE_EXHAUSTED, StatusCode::UNIMPLEMENTED, StatusCode::INTERNAL, StatusCode::UNAUTHENTICATED}) {
    EXPECT_EQ(Answered({code, "x"}).kind, Kind::kPermanent) << code;
  }
}

TEST_F(OtlpGrpcTest, RetryInfoMakesExhaustionRetryable) {
  StartServer();
  const AttemptResult result =
      Answered({grpc::StatusCode::RESOURCE_EXHAUSTED, "slow down", RpcStatus(8, "slow down", 12)});
  EXPECT_EQ(result.kind, Kind::kRetryable);
  EXPECT_EQ(result.retry_after, seconds(12));
  EXPECT_THAT(result.message, testing::HasSubstr("RESOURCE_EXHAUSTED: slow down"));
}

TEST_F(OtlpGrpcTest, RefusedConnectionFailsAtOnceAndTheNextAttemptSeesTheNewServer) {
  const auto transport = Make(ConfigFor(UnusedPort()));
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(transport->Send(batch_, seconds(20)).kind, Kind::kRetryable);
  EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(10));
}

TEST_F(OtlpGrpcTest, AHangingReceiverTimesOut) {
  StartServer();
  traces_.answer_ = [](grpc::ServerContext& context, ExportTraceServiceResponse&) {
    while (!context.IsCancelled()) std::this_thread::sleep_for(milliseconds(1));
    return grpc::Status::OK;
  };
  const auto transport = Make(ConfigFor(port_));
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(transport->Send(batch_, milliseconds(200)).kind, Kind::kTimeout);
  EXPECT_LT(std::chrono::steady_clock::now() - began, seconds(5));
  traces_.answer_ = nullptr;
  EXPECT_EQ(transport->Send(batch_, seconds(10)).kind, Kind::kOk);
}

TEST_F(OtlpGrpcTest, ASilentSocketTimesOut) {
  TestTcpServer server([](TestTcpServer::Socket& socket) {
    char bytes[4096];
    while (true) socket.read_some(boost::asio::buffer(bytes));
  });
  const AttemptResult result = Make(ConfigFor(server.port()))->Send(batch_, milliseconds(300));
  EXPECT_TRUE(result.kind == Kind::kTimeout || result.kind == Kind::kRetryable) << result.message;
}

TEST_F(OtlpGrpcTest, CancelEndsAnAttemptAndAllLaterOnes) {
  StartServer();
  std::atomic<bool> reached{false};
  traces_.answer_ = [&](grpc::ServerContext& context, ExportTraceServiceResponse&) {
    reached = true;
    while (!context.IsCancelled()) std::this_thread::sleep_for(milliseconds(1));
    return grpc::Status::OK;
  };
  const auto transport = Make(ConfigFor(port_));
  std::thread canceller([&] {
    while (!reached) std::this_thread::sleep_for(milliseconds(1));
    transport->Cancel();
  });
  EXPECT_EQ(transport->Send(batch_, seconds(60)).kind, Kind::kRetryable);
  canceller.join();
  EXPECT_EQ(transport->Send(batch_, seconds(60)).kind, Kind::kRetryable);
}

TEST_F(OtlpGrpcTest, DeathInTheMiddleOfACallIsRetryable) {
  StartServer();
  std::atomic<bool> reached{false};
  traces_.answer_ = [&](grpc::ServerContext& context, ExportTraceServiceResponse&) {
    reached = true;
    while (!context.IsCancelled()) std::this_thread::sleep_for(milliseconds(1));
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "going away");
  };
  std::thread killer([&] {
    while (!reached) std::this_thread::sleep_for(milliseconds(1));
    server_->Shutdown(std::chrono::system_clock::now());
  });
  const AttemptResult result = Make(ConfigFor(port_))->Send(batch_, seconds(20));
  killer.join();
  EXPECT_EQ(result.kind, Kind::kRetryable) << result.message;
}

TEST_F(OtlpGrpcTest, AConnectionCutAfterTheFirstBytesIsRetryable) {
  TestTcpServer server([](TestTcpServer::Socket& socket) {
    // An empty SETTINGS frame (RFC 9113, 6.5), so that the client believes in HTTP/2; then the end.
    const char settings[9] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
    boost::asio::write(socket, boost::asio::buffer(settings));
    char bytes[256];
    socket.read_some(boost::asio::buffer(bytes));
  });
  EXPECT_EQ(Make(ConfigFor(server.port()))->Send(batch_, seconds(20)).kind, Kind::kRetryable);
}

/// Forwards to `port` and counts what the client sends.
class CountingProxy {
 public:
  explicit CountingProxy(int port, milliseconds delay = milliseconds(0))
      : server_([this, port, delay](TestTcpServer::Socket& client) {
          std::this_thread::sleep_for(delay);  // as if far away
          boost::asio::io_context io;
          TestTcpServer::Socket target(io);
          target.connect({boost::asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(port)});
          std::thread back([&] { Pump(target, client, nullptr); });
          Pump(client, target, &sent_);
          back.join();
        }) {}
  std::uint16_t port() const { return server_.port(); }
  std::size_t sent() const { return sent_; }

 private:
  static void Pump(TestTcpServer::Socket& from, TestTcpServer::Socket& to, std::atomic<std::size_t>* count) {
    char bytes[4096];
    boost::system::error_code error;
    while (true) {
      const std::size_t size = from.read_some(boost::asio::buffer(bytes), error);
      if (error) break;
      if (count != nullptr) *count += size;
      boost::asio::write(to, boost::asio::buffer(bytes, size), error);
      if (error) break;
    }
    to.shutdown(TestTcpServer::Socket::shutdown_both, error);
  }

  std::atomic<std::size_t> sent_{0};
  TestTcpServer server_;
};

TEST_F(OtlpGrpcTest, CompressesWithGzip) {
  StartServer();
  const BatchPtr batch = TestBatch(200);
  std::size_t sizes[2] = {};
  for (const auto compression : {config::Compression::kNone, config::Compression::kGzip}) {
    CountingProxy proxy(port_);
    config::Sink config = ConfigFor(proxy.port());
    config.compression = compression;
    EXPECT_EQ(Make(config)->Send(batch, seconds(10)).kind, Kind::kOk);
    EXPECT_EQ(traces_.request_.resource_spans(0).scope_spans(0).spans_size(), 200);
    sizes[static_cast<std::size_t>(compression)] = proxy.sent();
  }
  EXPECT_GT(sizes[0], batch->bytes.size());
  EXPECT_LT(sizes[1], batch->bytes.size() / 2);
}

TEST_F(OtlpGrpcTest, AFarReceiverHasTimeForItsHandshake) {
  StartServer();
  CountingProxy proxy(port_, milliseconds(400));
  const AttemptResult result = Make(ConfigFor(proxy.port()))->Send(batch_, seconds(10));
  EXPECT_EQ(result.kind, Kind::kOk) << result.message;
}

class OtlpGrpcTlsTest : public OtlpGrpcTest {
 protected:
  void StartTls(bool want_client_certificate) {
    grpc::SslServerCredentialsOptions options(want_client_certificate
                                                  ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                                  : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
    options.pem_root_certs = certificate_.certificate_pem;
    options.pem_key_cert_pairs = {{certificate_.key_pem, certificate_.certificate_pem}};
    StartServer(grpc::SslServerCredentials(options));
  }
  config::Sink TlsConfig() {
    config::Sink config = ConfigFor(port_);
    config.endpoint = "https://" + config.endpoint;
    config.ca_file = dir_.Write("ca.pem", certificate_.certificate_pem);
    return config;
  }

  const TestCertificate certificate_ = MakeTestCertificate();
  const TempDir dir_;
};

TEST_F(OtlpGrpcTlsTest, SendsOverTls) {
  StartTls(false);
  const AttemptResult result = Make(TlsConfig())->Send(batch_, seconds(10));
  EXPECT_EQ(result.kind, Kind::kOk) << result.message;
}

TEST_F(OtlpGrpcTlsTest, RefusesACertificateItDoesNotTrust) {
  StartTls(false);
  config::Sink config = TlsConfig();
  config.ca_file = dir_.Write("other.pem", MakeTestCertificate().certificate_pem);
  EXPECT_EQ(Make(config)->Send(batch_, seconds(10)).kind, Kind::kRetryable);
}

TEST_F(OtlpGrpcTlsTest, ShowsItsOwnCertificate) {
  StartTls(true);
  config::Sink config = TlsConfig();
  EXPECT_EQ(Make(config)->Send(batch_, seconds(10)).kind, Kind::kRetryable);
  config.cert_file = config.ca_file;
  config.key_file = dir_.Write("key.pem", certificate_.key_pem);
  EXPECT_EQ(Make(config)->Send(batch_, seconds(10)).kind, Kind::kOk);
}

TEST_F(OtlpGrpcTlsTest, SaysWhichFileCannotBeRead) {
  config::Sink config = ConfigFor(1);
  config.ca_file = dir_.File("missing.pem");
  const auto settings = ResolveOtlpSettings(config, [](std::string_view) { return std::nullopt; });
  const auto transport = MakeOtlpGrpcTransport(*settings);
  EXPECT_EQ(transport.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Message(transport.status())), testing::HasSubstr("missing.pem"));
}

}  // namespace
}  // namespace probed::exporter
