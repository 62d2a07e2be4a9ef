// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "clients/cli/lib/table.h"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <utility>

#include "clients/cli/lib/escape.h"

namespace probed::cli {
namespace {

constexpr std::size_t kGap = 2;
// A column is not cut below this; a terminal narrower than that wraps.
constexpr std::size_t kLeast = 6;

std::string_view CodeOf(Paint paint) {
  switch (paint) {
    case Paint::kPlain: return "";
    case Paint::kGood: return "\033[32m";
    case Paint::kWarn: return "\033[33m";
    case Paint::kBad: return "\033[31m";
    case Paint::kDim: return "\033[2m";
    case Paint::kHead: return "\033[1m";
  }
  return "";
}

std::string Padding(const std::string& text, std::size_t width) {
  const std::size_t used = DisplayWidth(text);
  return std::string(used < width ? width - used : 0, ' ');
}

void PrintRow(std::ostream& out, const Terminal& terminal, const std::vector<Cell>& row,
              const std::vector<std::size_t>& widths) {
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::string text = FitWidth(row[i].text, widths[i]);
    out << Painted(terminal, row[i].paint, text);
    if (i + 1 < row.size()) out << Padding(text, widths[i] + kGap);
  }
  out << '\n';
}

}  // namespace

std::string Painted(const Terminal& terminal, Paint paint, const std::string& text) {
  const std::string_view code = CodeOf(paint);
  if (!terminal.color || code.empty() || text.empty()) return text;
  return std::string(code) + text + "\033[0m";
}

Table::Table(std::vector<std::string> head) : head_(std::move(head)) {}

void Table::Add(std::vector<Cell> row) {
  row.resize(head_.size());
  for (Cell& cell : row) cell.text = cell.text.empty() ? "-" : Escape(cell.text);
  rows_.push_back(std::move(row));
}

std::vector<std::size_t> Table::Widths(std::size_t limit) const {
  std::vector<std::size_t> widths;
  widths.reserve(head_.size());
  for (const std::string& name : head_) widths.push_back(DisplayWidth(name));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i].text));
  }
  if (limit == 0) return widths;
  std::size_t total = std::accumulate(widths.begin(), widths.end(), kGap * (widths.size() - 1));
  while (total > limit) {
    const auto widest = std::max_element(widths.begin(), widths.end());
    if (*widest <= kLeast) break;
    --*widest;
    --total;
  }
  return widths;
}

void Table::Print(std::ostream& out, const Terminal& terminal) const {
  const std::vector<std::size_t> widths = Widths(terminal.width);
  std::vector<Cell> head;
  head.reserve(head_.size());
  for (const std::string& name : head_) head.push_back({name, Paint::kHead});
  PrintRow(out, terminal, head, widths);
  for (const auto& row : rows_) PrintRow(out, terminal, row, widths);
}

}  // namespace probed::cli
