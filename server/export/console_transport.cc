// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/console_transport.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "server/export/otlp_reader.h"
#include "server/export/utf8.h"

namespace probed::exporter {
namespace {

constexpr std::size_t kMaxAttributes = 6;
constexpr std::size_t kMaxValueBytes = 80;

/// A code point of valid UTF-8 at the front of `text`, and its length.
std::pair<std::uint32_t, std::size_t> FirstCodePoint(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xE0) return {(lead & 0x1fU) << 6U | (byte(1) & 0x3fU), 2};
  if (lead < 0xF0) return {(lead & 0xfU) << 12U | (byte(1) & 0x3fU) << 6U | (byte(2) & 0x3fU), 3};
  return {(lead & 7U) << 18U | (byte(1) & 0x3fU) << 12U | (byte(2) & 0x3fU) << 6U | (byte(3) & 0x3fU), 4};
}

bool MovesText(std::uint32_t code) {
  const bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
  const bool direction = code == 0x200e || code == 0x200f || code == 0x61c || (code >= 0x202a && code <= 0x202e) ||
                         (code >= 0x2066 && code <= 0x2069);
  return control || direction || code == 0x2028 || code == 0x2029;
}

std::string EscapeCode(std::uint32_t code) {
  switch (code) {
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    default: return code < 0x100 ? fmt::format("\\x{:02x}", code) : fmt::format("\\u{{{:x}}}", code);
  }
}

std::string FormatTime(std::uint64_t utc_ns) {
  const auto seconds = static_cast<std::time_t>(utc_ns / 1'000'000'000);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(seconds), utc_ns / 1'000'000 % 1000);
}

std::string FormatDuration(std::uint64_t ns) {
  const auto number = static_cast<double>(ns);
  if (ns < 1000) return fmt::format("{}ns", ns);
  if (ns < 1'000'000) return fmt::format("{:.2f}us", number / 1e3);
  if (ns < 1'000'000'000) return fmt::format("{:.2f}ms", number / 1e6);
  return fmt::format("{:.2f}s", number / 1e9);
}

std::string Shorten(std::string text) {
  if (text.size() <= kMaxValueBytes) return text;
  text.resize(kMaxValueBytes);
  while (!text.empty() && !IsValidUtf8(text)) text.pop_back();
  return text + "…";
}

std::string FormatAttributes(const std::vector<AttributeView>& attributes) {
  std::string text;
  for (std::size_t i = 0; i < attributes.size() && i < kMaxAttributes; ++i) {
    text += " " + EscapeForTerminal(attributes[i].key) + "=";
    text += EscapeForTerminal(Shorten(ValueText(attributes[i].value)));
  }
  if (attributes.size() > kMaxAttributes) text += fmt::format(" +{}", attributes.size() - kMaxAttributes);
  return text;
}

std::string Service(const ItemView& item) {
  const std::string_view name = ReadServiceName(item.resource);
  return name.empty() ? "-" : EscapeForTerminal(name);
}

std::string SpanLine(const ItemView& item) {
  const SpanView span = ReadSpan(item.item);
  const std::uint64_t duration = span.end_utc_ns > span.start_utc_ns ? span.end_utc_ns - span.start_utc_ns : 0;
  return fmt::format("{} {} {} {} {} {}{}\n", FormatTime(span.start_utc_ns), Service(item), SpanKindName(span.kind),
                     EscapeForTerminal(span.name), span.status == PROBE_STATUS_ERROR ? "error" : "ok",
                     FormatDuration(duration), FormatAttributes(span.attributes));
}

std::string LogLine(const ItemView& item) {
  const LogView log = ReadLog(item.item);
  return fmt::format("{} {} log{} {} {}{}\n", FormatTime(log.time_utc_ns), Service(item), log.severity,
                     EscapeForTerminal(log.event_name), EscapeForTerminal(ValueText(log.body)),
                     FormatAttributes(log.attributes));
}

std::string MetricLine(const ItemView& item) {
  const MetricView metric = ReadMetric(item.item);
  return fmt::format("{} metric {} {} points={}\n", Service(item), EscapeForTerminal(metric.name),
                     EscapeForTerminal(metric.unit), metric.points);
}

std::string Line(config::Signal signal, const ItemView& item) {
  switch (signal) {
    case config::Signal::kTraces: return SpanLine(item);
    case config::Signal::kMetrics: return MetricLine(item);
    case config::Signal::kLogs: return LogLine(item);
  }
  return {};
}

class ConsoleTransport final : public Transport {
 public:
  explicit ConsoleTransport(ConsoleWriter write) : write_(std::move(write)) {}

  AttemptResult Send(const BatchPtr& batch, std::chrono::milliseconds /*timeout*/) override {
    if (write_(ConsoleText(*batch))) return AttemptResult::Ok();
    return AttemptResult::Permanent("cannot write to the console");
  }

 private:
  ConsoleWriter write_;
};

}  // namespace

std::string EscapeForTerminal(std::string_view text) {
  if (!IsValidUtf8(text)) return EscapeForTerminal(ToValidUtf8(text));
  std::string out;
  while (!text.empty()) {
    const auto [code, length] = FirstCodePoint(text);
    if (code == '\\') {
      out += "\\\\";
    } else if (MovesText(code)) {
      out += EscapeCode(code);
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return out;
}

std::string ConsoleText(const Batch& batch) {
  std::string text;
  ForEachItem(batch.bytes, [&](const ItemView& item) { text += Line(batch.signal, item); });
  return text;
}

std::unique_ptr<Transport> MakeConsoleTransport(ConsoleWriter write) {
  return std::make_unique<ConsoleTransport>(std::move(write));
}

ConsoleWriter StandardOutput() {
  return [](std::string_view text) {
    while (!text.empty()) {
      const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
  };
}

}  // namespace probed::exporter
