// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What a span costs the daemon in user space, from the ring to the sealed OTLP batch, in instructions: the http module
// behind a real feed, link table, metrics, route and encoder. Sending, clocks of the machine and the kernel are left
// out.
//
//   valgrind --tool=callgrind --toggle-collect='*DrainRound*' span_cost same    # : 16000 spans
//
// same     every request as the last one on its connection, as a load generator sends them
// paths    each with another path and query
// mixed    paths, and every second one on a connection with other headers
// clients  as `same`, seen from the client
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "server/modules/manifest.h"
#include "server/pipeline/host_table.h"
#include "server/pipeline/instruments.h"
#include "server/pipeline/module_feed.h"
#include "server/pipeline/tests/fake_ring.h"
#include "server/pipeline/tests/output_rig.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace probed::pipeline {

// External, so that a profiler finds it by name.
std::size_t DrainRound(ModuleFeed& feed);
[[gnu::noinline]] std::size_t DrainRound(ModuleFeed& feed) { return feed.Drain(4096); }

namespace {

constexpr std::uint64_t kConnections = 8;
constexpr std::uint64_t kWarmUp = 4200;  // then the link table is full, and takes its oldest again
constexpr std::uint64_t kRounds = 2000;
constexpr std::uint32_t kTgid = 4711;

struct Load {
  bool paths = false;
  bool headers = false;
  bool clients = false;
};

std::string Request(const Load& load, std::uint64_t number) {
  std::string target = "/";
  if (load.paths) target = "/items/" + std::to_string(10000 + number) + "?page=" + std::to_string(number % 10);
  std::string head = "GET " + target + " HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: h2load nghttp2\r\n";
  if (load.headers && number / kConnections % 2 != 0) head += "Accept: text/html\r\n";
  return head + "\r\n";
}

/// nginx, `return 200 "ok\n"`.
std::string Response(const Load& load, std::uint64_t number) {
  std::string head = "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 21 Nov 2026 05:19:";
  head += std::to_string(10 + number / 4000 % 50) + " GMT\r\nContent-Type: text/plain\r\n";
  if (load.headers && number / kConnections % 2 != 0) head += "X-Cache: miss\r\n";
  return head + "Content-Length: 3\r\nConnection: keep-alive\r\n\r\nok\n";
}

class Traffic {
 public:
  explicit Traffic(Load load) : load_(load) {}

  void Open(FakeRing& ring) {
    for (std::uint64_t connection = 0; connection < kConnections; ++connection) {
      pb_open open{};
      open.tgid_start_ns = 1;
      open.local[0] = open.peer[0] = 127;
      open.local[3] = open.peer[3] = 1;
      open.local_port = 8080;
      open.peer_port = static_cast<__u16>(40000 + connection);
      open.family = PROBE_FAMILY_INET;
      open.from_start = 1;
      ring.Put(Record(PB_RECORD_OPEN, connection), {reinterpret_cast<const char*>(&open), sizeof(open)});
    }
  }

  /// A request and a response on each connection.
  void Round(FakeRing& ring) {
    for (std::uint64_t connection = 0; connection < kConnections; ++connection, ++number_) {
      Send(ring, connection, load_.clients ? PROBE_SENT : PROBE_RECEIVED, Request(load_, number_));
    }
    number_ -= kConnections;
    for (std::uint64_t connection = 0; connection < kConnections; ++connection, ++number_) {
      Send(ring, connection, load_.clients ? PROBE_RECEIVED : PROBE_SENT, Response(load_, number_));
    }
  }

 private:
  pb_record Record(__u8 type, std::uint64_t connection) {
    pb_record record{};
    record.type = type;
    record.cookie = 1000 + connection;
    record.incarnation = 1;
    record.tgid = record.thread_id = kTgid;
    record.generation = 1;
    record.ktime_ns = now_ns_ += 5000;
    return record;
  }

  void Send(FakeRing& ring, std::uint64_t connection, std::uint8_t direction, const std::string& bytes) {
    std::uint64_t& offset = offsets_[connection][direction];
    pb_record record = Record(PB_RECORD_SEGMENT, connection);
    record.direction = direction;
    record.offset = offset;
    record.wire_sequence = static_cast<__u32>(1 + connection * 1000 + offset);
    record.total = static_cast<__u32>(bytes.size());
    offset += bytes.size();
    ring.Put(record, bytes);
  }

  const Load load_;
  std::uint64_t number_ = 0;
  std::uint64_t now_ns_ = 6'000'000'000;
  std::uint64_t offsets_[kConnections][2] = {};
};

std::string ReadManifest() {
  std::ifstream file(PROBED_HTTP_MANIFEST);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

int Run(const Load& load) {
  OutputRig rig;
  std::uint64_t bytes = 0;
  std::uint64_t spans = 0;
  rig.shared.deliver = [&](SinkMask, const exporter::BatchPtr& batch) {
    bytes += batch->bytes.size();
    spans += batch->items;
  };
  rig.proc.Put({.pid = kTgid, .comm = "nginx"});
  const modules::Manifest manifest = *modules::ParseManifest(ReadManifest());
  HostTable host("http", rig.keys, *RegisterInstruments(manifest, rig.metrics, rig.keys));
  const auto instance = *modules::ModuleInstance::Create("http", 1, probe_module_entry, host.table());
  instance->Commit(*instance->Prepare("{}"), 1);
  SpanOutput output(0, rig.shared);
  FakeRing ring;
  ModuleFeed feed(rig.module, ring.Reader(), output, [](const StreamRelease&) -> probe_result_t { return PROBE_OK; });
  if (!feed.Start(*instance, 0).ok()) return 1;
  Traffic traffic(load);
  traffic.Open(ring);
  feed.Drain(4096);
  for (std::uint64_t round = 0; round < kWarmUp; ++round) {  // the process is looked up, memory taken
    traffic.Round(ring);
    feed.Drain(4096);
  }
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    traffic.Round(ring);
    DrainRound(feed);
  }
  output.FlushBatches();
  feed.Stop(0);
  std::printf("%llu spans, %.1f bytes each\n", static_cast<unsigned long long>(spans),
              static_cast<double>(bytes) / static_cast<double>(spans));
  return spans == (kWarmUp + kRounds) * kConnections ? 0 : 1;
}

}  // namespace
}  // namespace probed::pipeline

int main(int argc, char** argv) {
  const std::string_view what = argc == 2 ? argv[1] : "";
  probed::pipeline::Load load;
  load.paths = what == "paths" || what == "mixed";
  load.headers = what == "mixed";
  load.clients = what == "clients";
  if (what != "same" && !load.paths && !load.clients) {
    std::fputs("usage: span_cost same|paths|mixed|clients\n", stderr);
    return 2;
  }
  return probed::pipeline::Run(load);
}
