// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Where in a file TLS libraries take and give plaintext: what the module answers to probed.attach/1.
#pragma once

#include <cstdint>
#include <vector>

#include "api/sdk/host.h"

namespace probed::mod::tls {

/// Sites in libssl and libgnutls, or in a program that has the interface of OpenSSL in it (BoringSSL too) with its
/// symbols. Empty: the file has none.
std::vector<probe_site_t> FindSites(int fd);

}  // namespace probed::mod::tls
