// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/kafka/decode/connection.h"

#include <cstring>
#include <memory>
#include <new>

namespace probed::mod::kafka {
namespace {

/// Room for texts behind a request.
class Texts {
 public:
  explicit Texts(char* at) : at_(at) {}
  std::string_view Keep(std::string_view text) {
    if (text.empty()) return {};
    char* const begin = at_;
    std::memcpy(begin, text.data(), text.size());
    at_ += text.size();
    return {begin, text.size()};
  }

 private:
  char* at_;
};

std::size_t TextBytes(const Request& request, const Topics& topics) {
  std::size_t bytes = request.head.client_id.size() + request.group.size();
  for (std::size_t i = 0; i < topics.count; ++i)
    bytes += topics.items[i].name.size() + topics.items[i].batches.key.size();
  for (std::size_t i = 0; i < topics.link_count; ++i) bytes += topics.links[i].state.len;
  return bytes;
}

void KeepTopics(const Topics& topics, Topic* to, Texts& texts, Request* out) {
  std::uninitialized_copy_n(topics.items.begin(), topics.count, to);
  out->topics = {to, topics.count};
  for (Topic& topic : out->topics) {
    topic.name = texts.Keep(topic.name);
    topic.batches.key = texts.Keep(topic.batches.key);
  }
}

void KeepLinks(const Topics& topics, probe_trace_context_t* to, Texts& texts, Request* out) {
  std::uninitialized_copy_n(topics.links.begin(), topics.link_count, to);
  out->links = {to, topics.link_count};
  for (probe_trace_context_t& link : out->links) {
    const std::string_view state = texts.Keep(sdk::FromAbi(link.state));
    link.state = sdk::ToAbi(state);
  }
}

}  // namespace

Request* KeepRequest(sdk::Stream stream, Connection& connection, const Request& request, const Topics& topics) {
  static_assert(alignof(Topic) <= alignof(Request) && alignof(probe_trace_context_t) <= alignof(Topic));
  const std::size_t topics_at = sizeof(Request);
  const std::size_t links_at = topics_at + topics.count * sizeof(Topic);
  const std::size_t texts_at = links_at + topics.link_count * sizeof(probe_trace_context_t);
  const std::size_t size = texts_at + TextBytes(request, topics);
  auto* memory = static_cast<char*>(stream.Alloc(size));
  if (memory == nullptr) return nullptr;
  auto* out = ::new (memory) Request(request);
  out->block_size = size;
  Texts texts(memory + texts_at);
  out->head.client_id = texts.Keep(request.head.client_id);
  out->group = texts.Keep(request.group);
  KeepTopics(topics, reinterpret_cast<Topic*>(memory + topics_at), texts, out);
  KeepLinks(topics, reinterpret_cast<probe_trace_context_t*>(memory + links_at), texts, out);
  (connection.newest == nullptr ? connection.oldest : connection.newest->next) = out;
  connection.newest = out;
  ++connection.waiting;
  return out;
}

void DropRequest(sdk::Stream stream, Connection& connection, Request& request) {
  Request* before = nullptr;
  for (Request* at = connection.oldest; at != &request; at = at->next) before = at;
  (before == nullptr ? connection.oldest : before->next) = request.next;
  if (connection.newest == &request) connection.newest = before;
  --connection.waiting;
  stream.Free(&request, request.block_size);
}

Request* FindRequest(const Connection& connection, std::int32_t correlation) {
  for (Request* request = connection.oldest; request != nullptr; request = request->next) {
    if (request->head.correlation == correlation) return request;
  }
  return nullptr;
}

}  // namespace probed::mod::kafka
