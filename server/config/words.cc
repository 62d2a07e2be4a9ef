// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/config/words.h"

namespace probed::config {

const WordTable<SinkType>& SinkTypeWords() {
  static const WordTable<SinkType> words = {{"otlp_grpc", SinkType::kOtlpGrpc},
                                            {"otlp_http", SinkType::kOtlpHttp},
                                            {"file", SinkType::kFile},
                                            {"console", SinkType::kConsole},
                                            {"prometheus", SinkType::kPrometheus}};
  return words;
}

const WordTable<Signal>& SignalWords() {
  static const WordTable<Signal> words = {
      {"traces", Signal::kTraces}, {"metrics", Signal::kMetrics}, {"logs", Signal::kLogs}};
  return words;
}

const WordTable<Compression>& CompressionWords() {
  static const WordTable<Compression> words = {{"none", Compression::kNone}, {"gzip", Compression::kGzip}};
  return words;
}

const WordTable<Temporality>& TemporalityWords() {
  static const WordTable<Temporality> words = {{"cumulative", Temporality::kCumulative},
                                               {"delta", Temporality::kDelta}};
  return words;
}

}  // namespace probed::config
