// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The symbolic threads of docs/threading.md. A thread takes its tag once, when it starts; functions that belong to one
// thread assert it in debug builds. A thread without a tag (a unit test, main before the daemon runs) passes any
// assert.
#pragma once

#include <cstdint>
#include <string_view>

namespace probed {

enum class ThreadTag : std::uint8_t { kNone, kControl, kShard, kSink, kDiscovery, kGrpc };

/// Tags the calling thread; `index` tells the threads of one tag apart. Also names the thread for the kernel.
void TagThread(ThreadTag tag, std::uint32_t index = 0);

ThreadTag CurrentThreadTag();
std::uint32_t CurrentThreadIndex();

/// "control", "shard", ...: the words the module ABI and the docs use. Empty for kNone.
std::string_view ThreadTagName(ThreadTag tag);

/// Aborts with a message when the calling thread carries another tag.
void CheckOnThread(ThreadTag tag, const char* file, int line);

}  // namespace probed

#ifdef NDEBUG
#define PROBED_ASSERT_ON(tag) static_cast<void>(0)
#else
/// PROBED_ASSERT_ON(Control): this function is called on [control] only.
#define PROBED_ASSERT_ON(tag) ::probed::CheckOnThread(::probed::ThreadTag::k##tag, __FILE__, __LINE__)
#endif
