// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The words that stand for enum values in probed.yaml: one table per enum, read by the reader and the writer.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "server/config/model.h"

namespace probed::config {

template <typename T>
using WordTable = std::vector<std::pair<std::string, T>>;

const WordTable<SinkType>& SinkTypeWords();
const WordTable<Signal>& SignalWords();
const WordTable<Compression>& CompressionWords();
const WordTable<Temporality>& TemporalityWords();

template <typename T>
std::string WordFor(const WordTable<T>& table, T value) {
  for (const auto& [word, candidate] : table) {
    if (candidate == value) return word;
  }
  return "";
}

}  // namespace probed::config
