// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Headers the user asked for, ready for the parser: a header name is looked up by length first, so that the common
// header that nobody wants costs one bit test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/sdk/text.h"

namespace probed::sdk::http {

class HeaderFilter {
 public:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  HeaderFilter() = default;
  explicit HeaderFilter(std::vector<std::string> lower_case_names) : names_(std::move(lower_case_names)) {
    for (const std::string& name : names_) lengths_ |= Bit(name.size());
  }

  bool empty() const { return names_.empty(); }
  std::size_t size() const { return names_.size(); }

  /// Index of the name in the list given, or kNone.
  std::size_t Find(std::string_view name) const {
    if ((lengths_ & Bit(name.size())) == 0) return kNone;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (EqualsIgnoreCase(names_[i], name)) return i;
    }
    return kNone;
  }

 private:
  static std::uint64_t Bit(std::size_t length) { return std::uint64_t{1} << (length & 63U); }

  std::vector<std::string> names_;
  std::uint64_t lengths_ = 0;
};

}  // namespace probed::sdk::http
