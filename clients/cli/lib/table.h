// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Columns of text that fit a terminal.
#pragma once

#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

namespace probed::cli {

/// What the output goes to. width 0: not a terminal, nothing is cut.
struct Terminal {
  std::size_t width = 0;
  bool color = false;
};

enum class Paint { kPlain, kGood, kWarn, kBad, kDim, kHead };

/// `text` in that colour, or as it is when the terminal has none.
std::string Painted(const Terminal& terminal, Paint paint, const std::string& text);

struct Cell {
  std::string text;
  Paint paint = Paint::kPlain;
};

/// Cells are escaped when they are added, so they may hold anything. When the rows are wider than the terminal, the
/// widest column is cut first.
class Table {
 public:
  explicit Table(std::vector<std::string> head);
  /// Takes as many cells as the head has.
  void Add(std::vector<Cell> row);
  void Print(std::ostream& out, const Terminal& terminal) const;
  bool empty() const { return rows_.empty(); }

 private:
  std::vector<std::size_t> Widths(std::size_t limit) const;

  std::vector<std::string> head_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace probed::cli
