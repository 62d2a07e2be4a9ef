// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A copy of a module's span with everything its views point to: for the few that wait for their parent after the call
// that emitted them.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "api/module/probe_types.h"

namespace probed::pipeline {

/// Moving keeps the views valid; measurements are left out, they are recorded at emission.
class KeptSpan {
 public:
  explicit KeptSpan(const probe_span_t& span);
  KeptSpan(KeptSpan&&) noexcept = default;
  KeptSpan& operator=(KeptSpan&&) noexcept = default;

  const probe_span_t& span() const { return span_; }

 private:
  probe_str_t Keep(probe_str_t text);
  void KeepStrings(probe_attribute_t& attribute);

  probe_span_t span_;
  std::deque<std::string> texts_;  // never move
  std::deque<std::vector<probe_str_t>> arrays_;
  std::vector<probe_attribute_t> attributes_;
  std::vector<probe_trace_context_t> links_;
};

}  // namespace probed::pipeline
