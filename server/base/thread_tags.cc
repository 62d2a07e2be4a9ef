// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/base/thread_tags.h"

#include <pthread.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace probed {
namespace {

struct Tag {
  ThreadTag tag = ThreadTag::kNone;
  std::uint32_t index = 0;
};

constinit thread_local Tag current_tag;

bool HasSeveral(ThreadTag tag) { return tag == ThreadTag::kShard || tag == ThreadTag::kSink; }

}  // namespace

void TagThread(ThreadTag tag, std::uint32_t index) {
  current_tag = {tag, index};
  std::string name(ThreadTagName(tag));
  if (name.empty()) return;
  if (HasSeveral(tag)) name.append(":").append(std::to_string(index));
  name.resize(std::min<std::size_t>(name.size(), 15));  // what the kernel keeps of a thread's name
  pthread_setname_np(pthread_self(), name.c_str());
}

ThreadTag CurrentThreadTag() { return current_tag.tag; }
std::uint32_t CurrentThreadIndex() { return current_tag.index; }

std::string_view ThreadTagName(ThreadTag tag) {
  switch (tag) {
    case ThreadTag::kNone: return "";
    case ThreadTag::kControl: return "control";
    case ThreadTag::kShard: return "shard";
    case ThreadTag::kSink: return "sink";
    case ThreadTag::kDiscovery: return "discovery";
    case ThreadTag::kGrpc: return "grpc";
  }
  return "";
}

void CheckOnThread(ThreadTag tag, const char* file, int line) {
  const ThreadTag here = CurrentThreadTag();
  if (here == ThreadTag::kNone || here == tag) return;
  const std::string_view have = ThreadTagName(here);
  const std::string_view want = ThreadTagName(tag);
  std::fprintf(stderr, "%s:%d: called on [%.*s], belongs to [%.*s]\n", file, line, static_cast<int>(have.size()),
               have.data(), static_cast<int>(want.size()), want.data());
  std::abort();
}

}  // namespace probed
