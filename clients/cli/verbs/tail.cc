// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
// probectl tail: decoded spans, data points and log records as they are made, one line each.
#include <algorithm>
#include <memory>
#include <ostream>

#include "clients/cli/lib/otlp_line.h"
#include "clients/cli/verbs/verbs.h"

namespace probed::cli {
namespace {

struct Tail {
  std::vector<std::string> modules;
  std::vector<std::string> services;
  std::vector<std::string> signals;
  std::uint64_t count = 0;  // 0: no end
  bool utc = false;
};

v1::TailRequest RequestOf(const Tail& tail) {
  v1::TailRequest request;
  for (const std::string& name : tail.modules) request.add_modules(name);
  for (const std::string& name : tail.services) request.add_services(name);
  for (const std::string& signal : tail.signals) {
    if (signal == "traces") request.add_signals(v1::SIGNAL_TRACES);
    if (signal == "metrics") request.add_signals(v1::SIGNAL_METRICS);
    if (signal == "logs") request.add_signals(v1::SIGNAL_LOGS);
  }
  return request;
}

/// As it came where it cannot hurt a terminal, else the same JSON in pure ASCII.
std::string SafeJson(const std::string& text) {
  const bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
  if (plain) return text;
  const Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return DumpJson(value.is_discarded() ? Json(text) : value);
}

void Print(Session& session, const v1::TailItem& item, const LineStyle& style) {
  switch (session.options.format) {
    case Format::kJson: session.out() << SafeJson(item.json()) << '\n'; break;
    case Format::kYaml: session.out() << "---\n" << DumpYaml(ToJson(item)) << '\n'; break;
    case Format::kTable:
    case Format::kWide:
    case Format::kName: session.out() << ItemLine(item, style) << '\n'; break;
  }
}

ExitCode Run(Session& session, const Tail& tail) {
  const LineStyle style{session.terminal(), session.options.format == Format::kWide, tail.utc};
  std::uint64_t seen = 0;
  const auto enough = [&] { return (tail.count != 0 && seen >= tail.count) || !session.out().good(); };
  const std::function<bool(const v1::TailResponse&)> take = [&](const v1::TailResponse& response) {
    if (response.loss().lost() > 0)
      session.err() << "lost " << response.loss().lost() << " items, the reader was too slow\n";
    for (int i = 0; i < response.items_size() && !enough(); ++i, ++seen) Print(session, response.items(i), style);
    session.out().flush();
    return !enough();
  };
  const grpc::Status status = session.TryStream(&v1::Observe::Stub::Tail, RequestOf(tail), take);
  const bool ran_out = status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED && tail.count == 0;
  if (status.ok() || ran_out || session.interrupt().fired()) return ExitCode::kDone;
  return session.Fail("tail", status);
}

}  // namespace

void AddTail(Verbs& verbs) {
  const auto tail = std::make_shared<Tail>();
  CLI::App* command = verbs.app().add_subcommand("tail", "Spans, metrics and logs as they are made");
  command->add_option("--module", tail->modules, "Only of this module; may be repeated")->allow_extra_args(false);
  command->add_option("--service", tail->services, "Only of this service; may be repeated")->allow_extra_args(false);
  command->add_option("--signal", tail->signals, "traces (default), metrics or logs; may be repeated")
      ->allow_extra_args(false)
      ->check(CLI::IsMember({"traces", "metrics", "logs"}));
  command->add_option("-n,--count", tail->count, "End after that many items");
  command->add_flag("--utc", tail->utc, "Times in UTC instead of the local zone");
  verbs.OnRun(command, [&verbs, tail] { return Run(verbs.session(), *tail); });
}

}  // namespace probed::cli
