// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The configuration's targets as rules of discovery, which knows no configuration.
#pragma once

#include <vector>

#include "server/config/model.h"
#include "server/discovery/exe_matcher.h"

namespace probed::pipeline {

/// In the same order: the index of a rule is the index of its target.
std::vector<discovery::TargetRule> ToTargetRules(const std::vector<config::Target>& targets);

}  // namespace probed::pipeline
