// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Functions of Go programs by the table their runtime needs (.gopclntab). It is there in stripped programs too, so the
// symbol table is never asked. Go 1.18 and newer.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "api/sdk/elf_symbols.h"

namespace probed::mod::tls {

/// The code of a function, by its distance from the first function's.
struct GoFunction {
  std::uint32_t begin;
  std::uint32_t end;  // of the next function: what lies between is padding
};

struct GoFunctions {
  std::vector<std::optional<GoFunction>> functions;  // in the order of the names
  /// Where the first function may lie in the loaded image, most likely first. Which it is shows in the code.
  std::vector<std::uint64_t> bases;
};

/// Nothing when the file is no Go program, or its table cannot be read.
std::optional<GoFunctions> FindGoFunctions(const sdk::ElfSymbols& elf, std::span<const std::string_view> names);

}  // namespace probed::mod::tls
