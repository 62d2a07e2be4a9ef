// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Plays the host's part for one module in a test: loads it, configures it, opens streams and feeds them the way the
// capture core would (offsets, gaps, holes announced before the next record), whole, byte by byte, or with a hole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "api/module/probe_module.h"
#include "api/sdk/host.h"
#include "api/sdk/testing/fake_host.h"

namespace probed::sdk::testing {

/// One thing that happens on a connection. Bytes flow in `direction`; `skipped` more bytes follow them that are not
/// shipped (in the same record).
struct Step {
  std::uint8_t direction = PROBE_RECEIVED;
  std::string bytes;
  std::uint32_t skipped = 0;
  std::uint8_t flags = 0;
  std::uint8_t hint = 0;
};

inline Step Received(std::string bytes, std::uint32_t skipped = 0) {
  return {PROBE_RECEIVED, std::move(bytes), skipped};
}
inline Step Sent(std::string bytes, std::uint32_t skipped = 0) { return {PROBE_SENT, std::move(bytes), skipped}; }

/// One stream. Every record advances the time by 1 ms.
class Driver;
class StreamDriver {
 public:
  StreamDriver(Driver& driver, std::uint8_t layer);

  /// OPEN record: 192.0.2.10:40000 is the peer, 192.0.2.1:8080 the local end.
  void Open(bool from_start = true);
  void OpenWith(const probe_open_t& open);
  void Feed(const Step& step);
  void Receive(std::string_view bytes) { Feed({PROBE_RECEIVED, std::string(bytes)}); }
  void Send(std::string_view bytes) { Feed({PROBE_SENT, std::string(bytes)}); }
  /// A record of `count` bytes of which none was shipped.
  void Skip(std::uint8_t direction, std::uint32_t count, std::uint8_t flags = PROBE_SEGMENT_SKIPPED,
            std::uint8_t hint = 0) {
    Feed({direction, "", count, flags, hint});
  }
  /// One datagram, of which the last `cut` bytes were not shipped.
  void Datagram(std::uint8_t direction, std::string_view bytes, const probe_endpoint_t& peer, std::uint32_t cut = 0);
  /// Bytes that were lost: no record at all, the hole is announced before the next one.
  void Lose(std::uint8_t direction, std::uint64_t count) { offset_[direction] += count; }
  void Close(probe_close_reason reason);

  std::uint64_t now_ns = 1'000'000'000;
  std::uint32_t generation = 1;
  std::uint32_t tgid = 1234;
  std::uint32_t thread_id = 1234;
  probe_cause_t cause{};
  probe_stream_t* raw() { return stream_; }

 private:
  /// Books the record just given: used, or the reason the module gave.
  void Book();

  Driver& driver_;
  probe_stream_t* stream_;
  std::uint8_t layer_;
  std::uint64_t offset_[2] = {};  // of the next byte
  std::uint64_t known_[2] = {};   // end of what was shipped or announced
};

/// The module under test. Throws when it refuses to load or the configuration is wrong.
class Driver {
 public:
  explicit Driver(const probe_module_entry_t& entry, std::string_view config = "{}") : entry_(entry) {
    if (entry.create(host.table(), &module_) != PROBE_OK) throw std::runtime_error("create failed");
    Configure(config, 1);
    StartShard();
  }
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;
  ~Driver() {
    if (shard_ != nullptr) entry_.shard_stop(shard_);
    if (module_ != nullptr) entry_.destroy(module_);
  }

  /// Field errors by path; empty: the configuration is good (and then dropped again).
  std::map<std::string, std::string> Check(std::string_view config) {
    probe_config_t* prepared = nullptr;
    auto errors = Prepare(config, &prepared);
    if (prepared != nullptr) entry_.abort(module_, prepared);
    return errors;
  }
  void Configure(std::string_view config, std::uint32_t generation) {
    probe_config_t* prepared = nullptr;
    const auto errors = Prepare(config, &prepared);
    if (prepared == nullptr) {
      throw std::runtime_error(errors.empty() ? "prepare failed"
                                              : errors.begin()->first + ": " + errors.begin()->second);
    }
    entry_.kernel_settings(prepared, &kernel);
    entry_.commit(module_, prepared, generation);
  }
  /// Another shard, and a host that knows of nothing that was. Streams made before are gone.
  void Restart() {
    entry_.shard_stop(shard_);
    host.Forget();
    StartShard();
  }
  StreamDriver NewStream(std::uint8_t layer = PROBE_LAYER_RAW) { return {*this, layer}; }
  std::uint32_t OldestGeneration() const { return entry_.oldest_generation(shard_); }
  void Retire(std::uint32_t generation) { entry_.retire(module_, generation); }
  void Flush() {
    if (entry_.flush != nullptr) entry_.flush(shard_, 0);
  }

  /// An event of a probe.
  void Event(std::uint32_t kind, std::string_view bytes) {
    const std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());  // so that a sanitizer sees every read past it
    probe_event_t event{};
    event.struct_size = sizeof(event);
    event.generation = 1;
    event.kind = kind;
    event.size = static_cast<std::uint32_t>(copy.size());
    event.bytes = copy.data();
    entry_.on_event(shard_, &event);
  }

  void Tick(std::uint64_t now_ns) {
    if (entry_.on_tick != nullptr) entry_.on_tick(shard_, now_ns);
  }

  const probe_module_entry_t& entry() const { return entry_; }
  probe_shard_t* shard() { return shard_; }

  FakeHost host;
  probe_kernel_settings_t kernel{};

 private:
  void StartShard() {
    if (entry_.shard_start(module_, 0, host.shard_context(), &shard_) != PROBE_OK) throw std::runtime_error("no shard");
  }
  std::map<std::string, std::string> Prepare(std::string_view config, probe_config_t** out) {
    std::map<std::string, std::string> errors;
    probe_error_sink_t sink{};
    sink.struct_size = sizeof(sink);
    sink.context = &errors;
    sink.field = [](void* context, probe_str_t path, probe_str_t message) {
      (*static_cast<std::map<std::string, std::string>*>(context))[std::string(FromAbi(path))] = FromAbi(message);
    };
    const probe_result_t result = entry_.prepare(module_, ToAbi(config), &sink, out);
    if ((result == PROBE_OK) != errors.empty()) throw std::runtime_error("result and field errors disagree");
    return errors;
  }

  const probe_module_entry_t& entry_;
  probe_module_t* module_ = nullptr;
  probe_shard_t* shard_ = nullptr;
};

inline StreamDriver::StreamDriver(Driver& driver, std::uint8_t layer)
    : driver_(driver), stream_(driver.host.NewStream()), layer_(layer) {}

inline void StreamDriver::Open(bool from_start) {
  probe_open_t open{};
  open.struct_size = sizeof(open);
  open.tgid = 1234;
  open.cookie = 77;
  open.ktime_ns = now_ns;
  open.local = {{192, 0, 2, 1}, 8080, PROBE_FAMILY_INET, {}};
  open.peer = {{192, 0, 2, 10}, 40000, PROBE_FAMILY_INET, {}};
  open.transport = 6;
  open.layer = layer_;
  open.from_start = from_start ? 1 : 0;
  OpenWith(open);
}

inline void StreamDriver::OpenWith(const probe_open_t& open) {
  stream_->open = open;
  stream_->opened = true;
  if (driver_.entry().on_open != nullptr) driver_.entry().on_open(driver_.shard(), stream_, &stream_->state, &open);
}

inline void StreamDriver::Feed(const Step& step) {
  now_ns += 1'000'000;
  const std::uint8_t d = step.direction;
  if (offset_[d] > known_[d] && driver_.entry().on_gap != nullptr) {
    driver_.entry().on_gap(driver_.shard(), stream_, &stream_->state, d, known_[d], offset_[d] - known_[d]);
  }
  // An exact copy, so that a sanitizer sees every read past the end.
  const std::vector<std::uint8_t> bytes(step.bytes.begin(), step.bytes.end());
  probe_segment_t segment{};
  segment.struct_size = sizeof(segment);
  segment.generation = generation;
  segment.ktime_ns = now_ns;
  segment.cookie = 77;
  segment.offset = offset_[d];
  segment.captured = static_cast<std::uint32_t>(bytes.size());
  segment.total = segment.captured + step.skipped;
  segment.wire_sequence = 1000 + static_cast<std::uint32_t>(offset_[d]);
  segment.thread_id = thread_id;
  segment.layer = layer_;
  segment.direction = d;
  segment.flags = step.flags;
  segment.hint = step.hint;
  segment.cause = cause;
  segment.bytes = bytes.data();
  stream_->counted = -1;
  driver_.entry().on_segment(driver_.shard(), stream_, &stream_->state, &segment);
  Book();
  known_[d] = offset_[d] + segment.captured;
  offset_[d] += segment.total;
}

inline void StreamDriver::Book() {
  if (stream_->counted < 0) {
    ++driver_.host.used;
  } else {
    ++driver_.host.counted[static_cast<std::uint32_t>(stream_->counted)];
  }
}

inline void StreamDriver::Datagram(std::uint8_t direction, std::string_view bytes, const probe_endpoint_t& peer,
                                   std::uint32_t cut) {
  now_ns += 1'000'000;
  // An exact copy, so that a sanitizer sees every read past the end.
  const std::vector<std::uint8_t> copy(bytes.begin(), bytes.end() - cut);
  probe_datagram_t datagram{};
  datagram.struct_size = sizeof(datagram);
  datagram.generation = generation;
  datagram.ktime_ns = now_ns;
  datagram.cookie = 77;
  datagram.total = static_cast<std::uint32_t>(bytes.size());
  datagram.captured = static_cast<std::uint32_t>(copy.size());
  datagram.thread_id = thread_id;
  datagram.tgid = tgid;
  datagram.direction = direction;
  datagram.flags = cut != 0 ? PROBE_SEGMENT_TRUNCATED : 0;
  datagram.peer = peer;
  datagram.cause = cause;
  datagram.bytes = copy.data();
  stream_->counted = -1;
  driver_.entry().on_datagram(driver_.shard(), stream_, &stream_->state, &datagram);
  Book();
}

inline void StreamDriver::Close(probe_close_reason reason) {
  now_ns += 1'000'000;
  driver_.entry().on_close(driver_.shard(), stream_, &stream_->state, reason, now_ns);
}

/// The steps with every byte in a record of its own; skipped bytes stay with the last.
inline std::vector<Step> SplitAtEveryByte(const std::vector<Step>& steps) {
  std::vector<Step> out;
  for (const Step& step : steps) {
    for (std::size_t i = 0; i + 1 < step.bytes.size(); ++i) out.push_back({step.direction, step.bytes.substr(i, 1)});
    Step last = step;
    if (!step.bytes.empty()) last.bytes = step.bytes.substr(step.bytes.size() - 1);
    out.push_back(last);
  }
  return out;
}

/// All bytes of all steps, for a test that puts a hole at each place.
inline std::size_t TotalBytes(const std::vector<Step>& steps) {
  std::size_t total = 0;
  for (const Step& step : steps) total += step.bytes.size();
  return total;
}

/// Feeds the steps but loses `length` bytes from byte `at` of the whole on (inside one step: the rest of it at most).
inline void FeedWithHole(StreamDriver& stream, const std::vector<Step>& steps, std::size_t at, std::size_t length) {
  for (const Step& step : steps) {
    if (at >= step.bytes.size()) {
      at -= step.bytes.size();
      stream.Feed(step);
      continue;
    }
    const std::size_t lost = length < step.bytes.size() - at ? length : step.bytes.size() - at;
    if (at != 0) stream.Feed({step.direction, step.bytes.substr(0, at)});
    stream.Lose(step.direction, lost);
    Step rest = step;
    rest.bytes = step.bytes.substr(at + lost);
    if (!rest.bytes.empty() || rest.skipped != 0) stream.Feed(rest);
    at = static_cast<std::size_t>(-1);  // once
  }
}

}  // namespace probed::sdk::testing
