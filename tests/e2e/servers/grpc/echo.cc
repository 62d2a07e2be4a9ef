// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// grpc_echo server PORT [CERT KEY] | client PORT [CERT]: README.md. gRPC's C++ library as programs use it: a
// synchronous server, a client that waits for each call or, for many at once, has a completion queue. `alone PORT`
// serves Say from one thread, so that runs are alike (tests/bench/grpc_cost.sh).
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "echo.grpc.pb.h"

namespace {

using test::Text;

constexpr int kMostBytes = 64 << 20;

Text Of(std::string data) {
  Text text;
  text.set_data(std::move(data));
  return text;
}

class Service final : public test::Echo::Service {
  grpc::Status Say(grpc::ServerContext*, const Text* request, Text* answer) override {
    *answer = *request;
    return grpc::Status::OK;
  }
  grpc::Status Slow(grpc::ServerContext* context, const Text* request, Text*) override {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(std::stoi(request->data()));
    while (std::chrono::steady_clock::now() < end && !context->IsCancelled()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return grpc::Status::OK;
  }
  grpc::Status Fail(grpc::ServerContext*, const Text* request, Text*) override {
    return {static_cast<grpc::StatusCode>(std::stoi(request->data())), "as asked"};
  }
  grpc::Status Count(grpc::ServerContext*, const Text* request, grpc::ServerWriter<Text>* out) override {
    for (int i = 0; i < std::stoi(request->data()); ++i) out->Write(Of(std::to_string(i)));
    return grpc::Status::OK;
  }
  grpc::Status Sum(grpc::ServerContext*, grpc::ServerReader<Text>* in, Text* answer) override {
    std::size_t sum = 0;
    for (Text text; in->Read(&text);) sum += text.data().size();
    *answer = Of(std::to_string(sum));
    return grpc::Status::OK;
  }
  grpc::Status Chat(grpc::ServerContext*, grpc::ServerReaderWriter<Text, Text>* both) override {
    for (Text text; both->Read(&text);) both->Write(text);
    return grpc::Status::OK;
  }
};

using Files = std::vector<std::string>;

std::string TextOf(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::shared_ptr<grpc::ServerCredentials> ServerSecrets(const Files& files) {
  if (files.size() < 2) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs.push_back({TextOf(files[1]), TextOf(files[0])});
  return grpc::SslServerCredentials(options);
}

int Serve(const std::string& port, const Files& files) {
  Service service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:" + port, ServerSecrets(files));
  builder.SetMaxReceiveMessageSize(kMostBytes);
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  server->Wait();
  return 0;
}

struct Said {
  grpc::ServerContext context;
  Text request;
  grpc::ServerAsyncResponseWriter<Text> writer{&context};
  bool answered = false;
};

int ServeAlone(const std::string& port) {
  test::Echo::AsyncService service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:" + port, grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::ServerCompletionQueue> queue = builder.AddCompletionQueue();
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  const auto wait = [&] {
    auto* said = new Said;
    service.RequestSay(&said->context, &said->request, &said->writer, queue.get(), queue.get(), said);
  };
  wait();
  void* tag = nullptr;
  for (bool ok = false; queue->Next(&tag, &ok);) {
    auto* said = static_cast<Said*>(tag);
    if (!ok || said->answered) {
      delete said;
      continue;
    }
    wait();
    said->answered = true;
    said->writer.Finish(said->request, grpc::Status::OK, said);
  }
  return 0;
}

void Require(bool holds) {
  if (holds) return;
  std::fputs("a wrong answer\n", stderr);
  std::abort();
}

class Client {
 public:
  Client(const std::string& port, const Files& files) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kMostBytes);
    std::shared_ptr<grpc::ChannelCredentials> secrets = grpc::InsecureChannelCredentials();
    if (!files.empty()) {
      secrets = grpc::SslCredentials({.pem_root_certs = TextOf(files[0]), .pem_private_key = {}, .pem_cert_chain = {}});
      arguments.SetSslTargetNameOverride("shop.test");
    }
    stub_ = test::Echo::NewStub(grpc::CreateCustomChannel("127.0.0.1:" + port, secrets, arguments));
  }

  grpc::Status Run(std::istream& words) {
    std::string call;
    int first = 0;
    int second = 0;
    int third = 0;
    words >> call >> first >> second >> third;
    if (call == "say") return Say(first, second);
    if (call == "parallel") return Parallel(first, second, third);
    if (call == "slow") return Unary(&test::Echo::Stub::Slow, first);
    if (call == "fail") return Unary(&test::Echo::Stub::Fail, first);
    if (call == "missing") return Unary(&test::Echo::Stub::Nothing, 0);
    if (call == "deadline") return Deadline(first);
    if (call == "cancel") return Cancel(first);
    if (call == "count") return Count(first);
    if (call == "sum") return Sum(first);
    Require(call == "chat");
    return Chat(first);
  }

 private:
  using Method = grpc::Status (test::Echo::Stub::*)(grpc::ClientContext*, const Text&, Text*);

  grpc::Status Unary(Method method, int number) {
    grpc::ClientContext context;
    Text answer;
    return (stub_.get()->*method)(&context, Of(std::to_string(number)), &answer);
  }

  grpc::Status Say(int size, int times) {
    const Text request = Of(std::string(static_cast<std::size_t>(size), 'x'));
    for (int i = 0; i < times; ++i) {
      grpc::ClientContext context;
      Text answer;
      const grpc::Status status = stub_->Say(&context, request, &answer);
      if (!status.ok()) return status;
      Require(answer.data().size() == request.data().size());
    }
    return grpc::Status::OK;
  }

  struct Waiting {
    grpc::ClientContext context;
    Text answer;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<Text>> reader;
  };

  grpc::Status Parallel(int streams, int times, int size) {
    const Text request = Of(std::string(static_cast<std::size_t>(size), 'x'));
    grpc::CompletionQueue queue;
    const auto begin = [&] {
      auto* waiting = new Waiting;
      waiting->reader = stub_->AsyncSay(&waiting->context, request, &queue);
      waiting->reader->Finish(&waiting->answer, &waiting->status, waiting);
    };
    int begun = 0;
    for (; begun < std::min(streams, times); ++begun) begin();
    grpc::Status failed;
    for (int ended = 0; ended < times; ++ended) {
      void* tag = nullptr;
      bool ok = false;
      Require(queue.Next(&tag, &ok) && ok);
      const std::unique_ptr<Waiting> waiting(static_cast<Waiting*>(tag));
      if (!waiting->status.ok()) failed = waiting->status;
      if (begun++ < times) begin();
    }
    return failed;
  }

  grpc::Status Deadline(int milliseconds) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(milliseconds));
    Text answer;
    return stub_->Slow(&context, Of("5000"), &answer);
  }

  grpc::Status Cancel(int milliseconds) {
    grpc::ClientContext context;
    std::thread canceller([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
      context.TryCancel();
    });
    Text answer;
    const grpc::Status status = stub_->Slow(&context, Of("5000"), &answer);
    canceller.join();
    return status;
  }

  grpc::Status Count(int messages) {
    grpc::ClientContext context;
    const auto reader = stub_->Count(&context, Of(std::to_string(messages)));
    int count = 0;
    for (Text text; reader->Read(&text);) ++count;
    const grpc::Status status = reader->Finish();
    Require(!status.ok() || count == messages);
    return status;
  }

  grpc::Status Sum(int messages) {
    grpc::ClientContext context;
    Text answer;
    const auto writer = stub_->Sum(&context, &answer);
    for (int i = 0; i < messages; ++i) writer->Write(Of("abc"));
    writer->WritesDone();
    return writer->Finish();
  }

  grpc::Status Chat(int messages) {
    grpc::ClientContext context;
    const auto both = stub_->Chat(&context);
    Text answer;
    for (int i = 0; i < messages; ++i) Require(both->Write(Of("abc")) && both->Read(&answer));
    both->WritesDone();
    return both->Finish();
  }

  std::unique_ptr<test::Echo::Stub> stub_;
};

int Ask(const std::string& port, const Files& files) {
  Client client(port, files);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::cout << client.Run(words).error_code() << std::endl;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string role = argc >= 3 ? argv[1] : "";
  const Files files(argv + std::min(argc, 3), argv + argc);
  if (role == "server") return Serve(argv[2], files);
  if (role == "alone") return ServeAlone(argv[2]);
  if (role == "client") return Ask(argv[2], files);
  std::fputs("grpc_echo server PORT [CERT KEY] | alone PORT | client PORT [CERT]\n", stderr);
  return 2;
}
