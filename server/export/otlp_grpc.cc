// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/otlp_grpc.h"

#include <absl/synchronization/mutex.h>
#include <fmt/format.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <array>
#include <atomic>
#include <fstream>
#include <mutex>
#include <sstream>

#include "server/export/otlp_response.h"
#include "server/export/semconv.h"

namespace probed::exporter {
namespace {

// Our own retry decides when to connect again; gRPC must not add a wait of its own to it.
constexpr int kReconnectBackoffMs = 100;

const char* Method(config::Signal signal) {
  switch (signal) {
    case config::Signal::kTraces: return "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    case config::Signal::kMetrics: return "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
    case config::Signal::kLogs: return "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
  }
  return "";
}

Result<std::string> ReadFile(const std::string& path) {
  if (path.empty()) return std::string();
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (file && !text.str().empty()) return text.str();
  return MakeStatus(absl::StatusCode::kInvalidArgument, fmt::format("cannot read {}", path));
}

Result<std::shared_ptr<grpc::ChannelCredentials>> Credentials(const OtlpSettings& settings) {
  if (!settings.endpoint.tls) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  ASSIGN_OR_RETURN(options.pem_root_certs, ReadFile(settings.ca_file));
  ASSIGN_OR_RETURN(options.pem_private_key, ReadFile(settings.key_file));
  ASSIGN_OR_RETURN(options.pem_cert_chain, ReadFile(settings.cert_file));
  return grpc::SslCredentials(options);
}

grpc::ChannelArguments Arguments() {
  grpc::ChannelArguments arguments;
  arguments.SetUserAgentPrefix(std::string(UserAgent()));
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // what the sink names is what is talked to
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectBackoffMs);
  // Not GRPC_ARG_MIN_RECONNECT_BACKOFF_MS: it bounds the time one handshake may take, and a far receiver needs seconds.
  return arguments;
}

void ReleaseBatch(void* holder) { delete static_cast<BatchPtr*>(holder); }

/// A buffer that refers to the batch's bytes and holds the batch until gRPC is done with them, which may be after a
/// call has timed out.
grpc::ByteBuffer Refer(const BatchPtr& batch) {
  auto* holder = new BatchPtr(batch);
  char* bytes = const_cast<char*>(batch->bytes.data());  // gRPC's signature; slices are immutable
  const grpc::Slice slice(bytes, batch->bytes.size(), ReleaseBatch, holder);
  return {&slice, 1};
}

std::string Flatten(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  if (!buffer.Dump(&slices).ok()) return {};
  std::string bytes;
  for (const grpc::Slice& slice : slices) bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return bytes;
}

std::string_view CodeName(grpc::StatusCode code) {
  constexpr std::string_view kNames[] = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  const auto index = static_cast<std::size_t>(code);
  return index < std::size(kNames) ? kNames[index] : "UNKNOWN";
}

/// The specification's table of codes (otlp.md, "OTLP/gRPC throttling" and "failures").
AttemptResult FromError(const grpc::Status& status, const OtlpEndpoint& endpoint) {
  std::string message =
      fmt::format("{}: {}: {}", endpoint.Authority(), CodeName(status.error_code()), status.error_message());
  const auto delay = ParseRetryInfo(status.error_details());
  switch (status.error_code()) {
    case grpc::StatusCode::DEADLINE_EXCEEDED: return AttemptResult::Timeout(std::move(message));
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::ABORTED:
    case grpc::StatusCode::OUT_OF_RANGE:
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DATA_LOSS: return AttemptResult::Retryable(std::move(message), delay);
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return delay ? AttemptResult::Retryable(std::move(message), delay) : AttemptResult::Permanent(std::move(message));
    default: return AttemptResult::Permanent(std::move(message));
  }
}

/// One signal's way out.
struct Lane {
  OtlpSettings settings;
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  std::shared_ptr<grpc::Channel> channel;  // shared is gRPC's own type; only this lane holds it
};

class OtlpGrpcTransport final : public Transport {
 public:
  explicit OtlpGrpcTransport(std::array<Lane, 3> lanes) : lanes_(std::move(lanes)) {}
  ~OtlpGrpcTransport() override {
    queue_.Shutdown();
    WaitForEvent();  // that there will be none: every call has ended
  }
  OtlpGrpcTransport(const OtlpGrpcTransport&) = delete;
  OtlpGrpcTransport& operator=(const OtlpGrpcTransport&) = delete;

  AttemptResult Send(const BatchPtr& batch, std::chrono::milliseconds timeout) override {
    Lane& lane = lanes_[SignalIndex(batch->signal)];
    grpc::ClientContext context;
    Prepare(context, lane.settings, std::min(timeout, lane.settings.timeout));
    if (!SetCurrent(&context)) return AttemptResult::Retryable("cancelled");
    grpc::ByteBuffer response;
    const grpc::Status status = Call(lane, batch, context, response);
    SetCurrent(nullptr);
    if (status.ok()) return ParseExportResponse(Flatten(response));
    // A channel that failed would go on trying to connect by itself; the next attempt makes its own.
    lane.channel.reset();
    return FromError(status, lane.settings.endpoint);
  }

  void Cancel() override {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    if (current_ != nullptr) current_->TryCancel();
  }

 private:
  static void Prepare(grpc::ClientContext& context, const OtlpSettings& settings, std::chrono::milliseconds timeout) {
    context.set_deadline(std::chrono::system_clock::now() + timeout);
    for (const auto& [name, value] : settings.headers) context.AddMetadata(name, value);
    if (settings.compression == config::Compression::kGzip) context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  }

  bool SetCurrent(grpc::ClientContext* context) {
    const std::lock_guard lock(mutex_);
    current_ = context;
    return !cancelled_;
  }

  void WaitForEvent() {
    void* tag = nullptr;
    bool ok = false;
    queue_.Next(&tag, &ok);
  }

  grpc::Status Call(Lane& lane, const BatchPtr& batch, grpc::ClientContext& context, grpc::ByteBuffer& response) {
    if (!lane.channel) {
      lane.channel = grpc::CreateCustomChannel(lane.settings.endpoint.Authority(), lane.credentials, Arguments());
    }
    grpc::GenericStub stub(lane.channel);
    const grpc::ByteBuffer request = Refer(batch);
    const auto call = stub.PrepareUnaryCall(&context, Method(batch->signal), request, &queue_);
    grpc::Status status;
    call->StartCall();
    call->Finish(&response, &status, nullptr);
    WaitForEvent();  // comes at the context's deadline at the latest
    return status;
  }

  std::array<Lane, 3> lanes_;
  grpc::CompletionQueue queue_;  // one call at a time
  std::mutex mutex_;
  grpc::ClientContext* current_ = nullptr;
  bool cancelled_ = false;
};

}  // namespace

Result<std::unique_ptr<Transport>> MakeOtlpGrpcTransport(const OtlpSignalSettings& settings) {
  std::array<Lane, 3> lanes;
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    lanes[i].settings = settings[i];
    ASSIGN_OR_RETURN(lanes[i].credentials, Credentials(settings[i]));
  }
  return std::make_unique<OtlpGrpcTransport>(std::move(lanes));
}

void DisableGrpcDeadlockSearch() { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }

}  // namespace probed::exporter
