// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/pipeline/target_rules.h"

namespace probed::pipeline {

std::vector<discovery::TargetRule> ToTargetRules(const std::vector<config::Target>& targets) {
  std::vector<discovery::TargetRule> rules;
  rules.reserve(targets.size());
  for (const config::Target& target : targets) {
    rules.push_back({target.exclude, target.exe, target.ports, target.pids, target.cgroups});
  }
  return rules;
}

}  // namespace probed::pipeline
