// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Recorded conversations (record.py), as either end sees them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "api/sdk/testing/drive.h"

namespace probed::mod::tls::testing {

/// As the end whose bytes are `sent` (`>` the client's, `<` the server's).
std::vector<sdk::testing::Step> Conversation(const std::string& name, char sent);

/// The same with what the kernel's program leaves out: bytes of encrypted records, and all behind a Finished.
std::vector<sdk::testing::Step> AsShipped(const std::vector<sdk::testing::Step>& steps);

}  // namespace probed::mod::tls::testing
