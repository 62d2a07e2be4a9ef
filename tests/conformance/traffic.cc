// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/traffic.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

namespace probed::conformance {
namespace {

// Beginnings that get a decoder past its first test. Of many protocols on purpose: what one speaks is another's
// garbage.
const std::vector<std::string> kTokens = {"GET / HTTP/1.1\r\n",
                                          "POST /a?b=c HTTP/1.0\r\n",
                                          "HTTP/1.1 200 OK\r\n",
                                          "HTTP/1.1 100 Continue\r\n\r\n",
                                          "Host: a\r\n",
                                          "Content-Length: 5\r\n",
                                          "Content-Length: -1\r\n",
                                          "Transfer-Encoding: chunked\r\n",
                                          "\r\n",
                                          "\r\n\r\n",
                                          "5\r\nhello\r\n",
                                          "ffffffffffffffff\r\n",
                                          "0\r\n\r\n",
                                          " folded\r\n",
                                          "\n",
                                          ":\r\n",
                                          "*2\r\n$3\r\nGET\r\n",
                                          "$-1\r\n",
                                          "+OK\r\n",
                                          "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                                          std::string("\0\0\4\1\5\0\0\0\1", 9),
                                          std::string("\x16\3\1\2\0\1", 6),
                                          std::string("\0\0\0\1", 4),
                                          std::string("\xff\xff\xff\xff\xff\xff\xff\xff", 8),
                                          "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n",
                                          "hello\n",
                                          "bye\n"};

std::uint64_t NextCookie() {
  static std::uint64_t cookie = 0;
  return ++cookie;
}

std::string ReadWhole(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::string Garbage::Bytes(std::size_t most) {
  std::string bytes;
  const std::size_t wanted = Below(static_cast<std::uint32_t>(most)) + 1;
  while (bytes.size() < wanted) {
    switch (Below(4)) {
      case 0: bytes += static_cast<char>(random_()); break;
      case 1: bytes += static_cast<char>(' ' + Below(95)); break;
      default: bytes += kTokens[Below(static_cast<std::uint32_t>(kTokens.size()))]; break;
    }
  }
  return bytes;
}

Conversation Garbage::Next() {
  Conversation conversation;
  const std::uint32_t stretches = 1 + Below(12);
  for (std::uint32_t i = 0; i < stretches; ++i) {
    const auto direction = Below(2) == 0 ? PROBE_RECEIVED : PROBE_SENT;
    conversation.push_back({direction, Bytes(Below(10) == 0 ? 20000 : 300)});
  }
  return conversation;
}

std::vector<Conversation> ReadCorpus(const std::string& directory) {
  std::map<std::string, Conversation> named;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(directory, none)) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".received" && extension != ".sent") continue;
    Conversation& conversation = named[entry.path().stem().string()];
    const auto direction = extension == ".sent" ? PROBE_SENT : PROBE_RECEIVED;
    Stretch stretch{direction, ReadWhole(entry.path()).substr(0, GuardedBytes::kRoom)};
    // The request first, whichever file came first; a client's requests are what it sent.
    conversation.insert(direction == PROBE_RECEIVED ? conversation.begin() : conversation.end(), std::move(stretch));
  }
  std::vector<Conversation> conversations;
  conversations.reserve(named.size());
  for (auto& [name, conversation] : named) conversations.push_back(std::move(conversation));
  return conversations;
}

Feeder::Feeder(Rig& rig, GuardedBytes& memory, bool open)
    : rig_(rig), memory_(memory), stream_(rig.host().NewStream()), cookie_(NextCookie()) {
  if (!open) return;
  probe_open_t& record = stream_->open;
  record.struct_size = sizeof(record);
  record.tgid = 42;
  record.cookie = cookie_;
  record.ktime_ns = ktime_ns_;
  record.transport = 6;
  record.from_start = 1;
  stream_->opened = true;
  rig.shard().OnOpen(stream_, &stream_->state, record);
}

void Feeder::Deliver(probe_direction direction, std::string_view bytes, std::uint32_t left_out) {
  if (gone()) return;
  ktime_ns_ += 1000;
  probe_segment_t segment{};
  segment.struct_size = sizeof(segment);
  segment.generation = 1;
  segment.ktime_ns = ktime_ns_;
  segment.cookie = cookie_;
  segment.offset = offsets_[direction];
  segment.captured = static_cast<std::uint32_t>(bytes.size());
  segment.total = segment.captured + left_out;
  segment.thread_id = 43;
  segment.tgid = 42;
  segment.direction = static_cast<std::uint8_t>(direction);
  segment.flags = left_out > 0 ? PROBE_SEGMENT_TRUNCATED : 0;
  segment.bytes = memory_.Put(bytes);
  offsets_[direction] += bytes.size();
  stream_->counted = -1;
  rig_.shard().OnSegment(stream_, &stream_->state, segment);
  if (left_out > 0) Hole(direction, left_out);
}

void Feeder::Hole(probe_direction direction, std::uint64_t length) {
  if (gone()) return;
  rig_.shard().OnGap(stream_, &stream_->state, static_cast<std::uint8_t>(direction), offsets_[direction], length);
  offsets_[direction] += length;
}

void Feeder::Close(probe_close_reason reason) {
  rig_.shard().OnClose(stream_, &stream_->state, reason, ktime_ns_ + 1000);
}

}  // namespace probed::conformance
