// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Content hashes of configuration: etags, the state's hash, the checksum of the stored file.
#pragma once

#include <string>
#include <string_view>

namespace probed::state {

/// SHA-256, lower-case hex.
std::string Sha256(std::string_view bytes);

/// Short hash of a text for etags.
std::string ShortHash(std::string_view bytes);

}  // namespace probed::state
