// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Which span is whose parent. Exchanges are entered as soon as their request is recognised; the context of a span
// (trace, parent, flags) is found when it is asked for, at emission, and then stands. In this order:
//
//   every kind         a trace context found in its own bytes, unless a local parent agrees with it (below)
//   SERVER, CONSUMER   the local CLIENT whose request has the same socket pair and TCP sequence number; of plaintext
//                      the same connection and offset (probed.plaintext/1), and an end no earlier than this beginning
//   all others         the SERVER exchange whose bytes the thread received last (probe_exchange.cause)
//   else               a new trace
//
// A local parent agrees with the bytes when it is in the same trace and nearer: the CLIENT that sent those very bytes,
// or the SERVER whose own incoming context the process passed on unchanged. Then it is the parent.
//
// No parent is better than a wrong one: a reference to a segment in which several requests began is ambiguous, one to
// a request that had ended before the child began is stale. Both are counted, neither is followed.
//
// A span whose parent is missing waits for it: for a cause if there are other shards, for a client if it is on this
// machine, unless this server has had many requests in a row whose clients never came: nobody looks at those.
//
// Threads: one table for all shards; every function on any shard's thread. One lock for all, none with one shard:
// parent and child live on different shards, so locks by stripe would have to be taken in pairs; held for some 50 ns
// three times per exchange, one lock is busy 15 % at a million exchanges per second.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>

#include "server/pipeline/exchange.h"
#include "server/pipeline/fast_mutex.h"
#include "server/pipeline/link_store.h"

namespace probed::pipeline {

struct LinkTableOptions {
  std::uint32_t shards = 1;
  std::uint32_t capacity = 32768;  // entries of 256 bytes, made as needed
  /// How long an ended exchange may still become somebody's parent, if room permits, in the time of the records: many
  /// drain intervals. At 40 000 exchanges per second each 100 ms are a MiB.
  std::chrono::nanoseconds retain = std::chrono::milliseconds(250);
  /// How long a span may wait for its parent. One that another shard decodes is there within two drain intervals. A
  /// client's request is known when its call has come back, which on a busy host may be after the server's answer.
  std::chrono::nanoseconds wait = std::chrono::milliseconds(100);
};

enum class Resolution : std::uint8_t {
  kReady,    // the context is filled in
  kPending,  // ask again later; after `wait` the answer is kReady
  kUnknown,  // evicted, aborted, or never begun
};

struct LinkCounters {
  std::uint64_t linked_remote = 0;
  std::uint64_t linked_pair = 0;
  std::uint64_t linked_cause = 0;
  std::uint64_t root = 0;
  std::uint64_t ambiguous = 0;  // of the roots (or remote ones): several requests could have been the cause
  std::uint64_t stale = 0;      // of the roots (or remote ones): the cause had ended before, or began after
  std::uint64_t evicted = 0;    // open exchanges that had to go: the table was full of them
  std::uint64_t waited = 0;     // spans that had to wait for their parent
};

class LinkTable {
 public:
  explicit LinkTable(LinkTableOptions options = {});

  /// Never 0. Evicts the oldest open exchange when the table is full of open ones.
  ExchangeId Begin(const ExchangeInfo& info, IdGenerator& ids);

  /// The context of an exchange's span. Before or after End; at any time again with the same answer.
  Resolution Resolve(ExchangeId id, std::uint64_t now_ns, IdGenerator& ids, SpanContext& out);

  /// It ended as a span, with the context that Resolve gives.
  Resolution End(ExchangeId id, std::uint64_t end_ns, std::uint64_t now_ns, IdGenerator& ids, SpanContext& out);
  /// It ended without a span: nobody's parent any more.
  void Abort(ExchangeId id);

  /// [any]
  LinkCounters counters() const;
  std::uint32_t size() const;

 private:
  using Count = std::atomic<std::uint64_t>;  // written under the lock (or by the only shard), read by anybody
  struct Counts {
    Count linked_remote{0}, linked_pair{0}, linked_cause{0}, root{0}, ambiguous{0}, stale{0}, evicted{0}, waited{0};
  };
  /// What looking for a local parent came to.
  enum class Search : std::uint8_t { kNone, kFound, kMissing, kAmbiguous, kStale };
  struct Candidate {
    Search search = Search::kNone;
    LinkEntry* entry = nullptr;
  };
  class Guard;

  LinkEntry& MakeRoom(std::uint64_t now_ns);
  void EnterStream(LinkEntry& entry);

  void Bind(LinkEntry& child, LinkEntry* parent);
  static void Unbind(LinkEntry& child);
  LinkEntry* FindContainer(const LinkEntry& child);
  Candidate FindCause(const LinkEntry& child);
  Candidate FindPair(LinkEntry& child);

  inline Resolution ContextOf(LinkEntry& entry, std::uint64_t now_ns, IdGenerator& ids, SpanContext& out);
  bool TryResolve(LinkEntry& entry, std::uint64_t now_ns, bool forced, int depth, IdGenerator& ids);
  bool MustWait(LinkEntry& entry, const Candidate& candidate, std::uint64_t now_ns, bool& forced);
  bool MayCome(const LinkEntry& entry) const;
  void NoteClient(const LinkEntry& entry, Search search);
  bool ResolveParent(LinkEntry& entry, LinkEntry*& parent, std::uint64_t now_ns, bool forced, int depth,
                     IdGenerator& ids);
  void Adopt(LinkEntry& child, const LinkEntry& parent, Origin origin);
  void FinishRemote(LinkEntry& entry);
  void FinishRoot(LinkEntry& entry, IdGenerator& ids);
  static void Copy(const LinkEntry& entry, SpanContext& out);

  const LinkTableOptions options_;
  const bool shared_;
  mutable FastMutex mutex_;
  LinkStore store_;
  std::array<std::uint8_t, 256> in_vain_{};  // by PairKey::place: requests in a row whose clients were waited for
  Counts counts_;
};

}  // namespace probed::pipeline
