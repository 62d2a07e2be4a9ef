// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Rules for single texts of a configuration: what is a path pattern, a URL, a header. Used by validate.cc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace probed::config {

bool IsPathGlob(std::string_view text);
bool IsCgroupPath(std::string_view text);
bool IsUrl(std::string_view text);
/// host:port, with or without http:// or https:// before it.
bool IsGrpcEndpoint(std::string_view text);
bool IsHeader(std::string_view name, std::string_view value);

/// "\"x\" is no span kind; did you mean \"y\"?", or with all candidates when none is near.
std::string NotOneOf(const std::string& text, const std::vector<std::string>& candidates, const std::string& what);

}  // namespace probed::config
