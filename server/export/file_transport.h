// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// OTLP/JSON lines in files, one signal per file, rotated by size. Traces go to the path given; metrics and logs to the
// same name with the signal before its extension: spans.jsonl, spans.metrics.jsonl, spans.logs.jsonl. Rotated files get
// .1 (newest) to .N behind the name.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "server/base/status.h"
#include "server/config/model.h"
#include "server/export/transport.h"

namespace probed::exporter {

/// `rotate_bytes` 0: never rotated. `rotate_keep` 0: a full file is emptied.
struct FileSettings {
  std::string path;
  std::uint64_t rotate_bytes = 0;
  std::uint32_t rotate_keep = 0;
};

/// The file of one signal.
std::string SignalPath(const std::string& path, config::Signal signal);

/// INVALID_ARGUMENT for a path that is not absolute. Files are opened with the first batch of their signal. A write
/// that fails half-way is taken back, so that a file holds whole lines only; it is retried.
Result<std::unique_ptr<Transport>> MakeFileTransport(FileSettings settings);

}  // namespace probed::exporter
