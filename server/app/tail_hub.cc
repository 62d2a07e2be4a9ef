// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/app/tail_hub.h"

#include <algorithm>
#include <string_view>

#include "server/export/otlp_json.h"

namespace probed::app {
namespace {

constexpr std::string_view kScopePrefix = "probed.";

bool Wanted(const std::vector<std::string>& list, std::string_view value) {
  return list.empty() || std::find(list.begin(), list.end(), value) != list.end();
}

bool Wanted(const state::TailFilter& filter, config::Signal signal) {
  switch (signal) {
    case config::Signal::kTraces: return filter.traces;
    case config::Signal::kMetrics: return filter.metrics;
    case config::Signal::kLogs: return filter.logs;
  }
  return false;
}

class FilteredReader final : public state::TailReader {
 public:
  FilteredReader(std::unique_ptr<exporter::TailReader> reader, state::TailFilter filter)
      : reader_(std::move(reader)), filter_(std::move(filter)) {}

  std::vector<state::TailItem> Next(std::chrono::milliseconds timeout) override {
    exporter::TailReader::Read read = reader_->Next(timeout);
    std::vector<state::TailItem> items;
    if (read.lost_items != 0) items.emplace_back().lost = read.lost_items;
    for (const exporter::BatchPtr& batch : read.batches)
      if (Wanted(filter_, batch->signal)) Append(*batch, items);
    return items;
  }

 private:
  void Append(const exporter::Batch& batch, std::vector<state::TailItem>& items) const {
    exporter::ForEachItemJson(batch, [&](const exporter::ItemJson& item) {
      std::string_view module = item.scope_name;
      if (module.starts_with(kScopePrefix)) module.remove_prefix(kScopePrefix.size());
      if (!Wanted(filter_.modules, module) || !Wanted(filter_.services, item.service_name)) return;
      items.push_back({.lost = 0,
                       .signal = batch.signal,
                       .module = std::string(module),
                       .service = std::string(item.service_name),
                       .json = item.json});
    });
  }

  std::unique_ptr<exporter::TailReader> reader_;
  const state::TailFilter filter_;
};

}  // namespace

std::unique_ptr<state::TailReader> TailHub::OpenTail(const state::TailFilter& filter) {
  return std::make_unique<FilteredReader>(ring_.Open(), filter);
}

}  // namespace probed::app
