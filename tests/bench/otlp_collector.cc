// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// An OTLP/gRPC receiver that acknowledges everything and counts the spans it was sent: the other end of cost
// measurements, cheap enough to run in the measuring VM. Takes any method of any service, so it needs no generated
// code.
//   otlp_collector ADDRESS:PORT      prints one line when it ends (SIGTERM, SIGINT)
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <protozero/pbf_reader.hpp>
#include <string>
#include <vector>

namespace {

struct Received {
  std::atomic<std::uint64_t> spans{0};
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> bytes{0};
};

// ExportTraceServiceRequest.resource_spans = 1, ResourceSpans.scope_spans = 2, ScopeSpans.spans = 2.
std::uint64_t CountSpans(const std::string& message) {
  std::uint64_t count = 0;
  protozero::pbf_reader request(message);
  while (request.next(1, protozero::pbf_wire_type::length_delimited)) {
    protozero::pbf_reader resource = request.get_message();
    while (resource.next(2, protozero::pbf_wire_type::length_delimited)) {
      protozero::pbf_reader scope = resource.get_message();
      while (scope.next(2, protozero::pbf_wire_type::length_delimited)) {
        scope.skip();
        ++count;
      }
    }
  }
  return count;
}

std::string Join(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string message;
  if (!buffer.Dump(&slices).ok()) return message;
  for (const grpc::Slice& slice : slices) message.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return message;
}

// One call: reads one message, answers with an empty one. Deletes itself when gRPC is done with it.
class Call final : public grpc::ServerGenericBidiReactor {
 public:
  explicit Call(Received& received) : received_(received) { StartRead(&request_); }

  void OnReadDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "a request without a message"));
      return;
    }
    Count();
    grpc::Slice empty;
    answer_ = grpc::ByteBuffer(&empty, 1);
    StartWriteAndFinish(&answer_, grpc::WriteOptions(), grpc::Status::OK);
  }

  void OnDone() override { delete this; }

 private:
  void Count() {
    const std::string message = Join(request_);
    received_.requests += 1;
    received_.bytes += message.size();
    try {
      received_.spans += CountSpans(message);
    } catch (const protozero::exception& malformed) {
      std::fprintf(stderr, "otlp_collector: malformed message: %s\n", malformed.what());
    }
  }

  Received& received_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer answer_;
};

class Service final : public grpc::CallbackGenericService {
 public:
  explicit Service(Received& received) : received_(received) {}
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext*) override {
    return new Call(received_);
  }

 private:
  Received& received_;
};

int WaitForSignal(const sigset_t& signals) {
  int number = 0;
  sigwait(&signals, &number);
  return number;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: otlp_collector ADDRESS:PORT\n");
    return 2;
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  Received received;
  Service service(received);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(argv[1], grpc::InsecureServerCredentials());
  builder.RegisterCallbackGenericService(&service);
  builder.SetMaxReceiveMessageSize(64 << 20);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    std::fprintf(stderr, "otlp_collector: cannot listen on %s\n", argv[1]);
    return 1;
  }
  WaitForSignal(signals);
  server->Shutdown();
  std::printf("collector: spans %llu requests %llu bytes %llu\n", static_cast<unsigned long long>(received.spans),
              static_cast<unsigned long long>(received.requests), static_cast<unsigned long long>(received.bytes));
  return 0;
}
