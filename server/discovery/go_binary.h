// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Tells programs of the Go toolchain: their goroutines move between threads, so a thread says nothing about causes.
#pragma once

#include <string>

namespace probed::discovery {

/// True when the file is a 64-bit ELF of this byte order with a section ".go.buildinfo". Reads headers only. Tolerates
/// any bytes.
bool IsGoBinary(const std::string& path);

}  // namespace probed::discovery
