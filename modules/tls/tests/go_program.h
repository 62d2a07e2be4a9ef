// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A program as Go's linker lays it out, as far as the search for functions looks at it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace probed::mod::tls {

struct GoProgramFunction {
  std::string name;
  std::string code;
};

struct GoProgramOptions {
  std::uint32_t magic = 0xfffffff1;
  std::uint64_t base = 0x401000;  // of the first function
  std::uint64_t text = 0x401000;  // what the table says of it
  std::uint64_t text_section = 0x401000;
  std::uint16_t machine = 62;  // EM_X86_64
  std::string table_section = ".gopclntab";
};

/// Where the bytes of a program are that the tests change or count from.
struct GoProgram {
  std::string file;
  std::uint64_t code = 0;   // of the first function
  std::uint64_t table = 0;  // of the header of the table
};

GoProgram MakeGoProgram(const std::vector<GoProgramFunction>& functions, const GoProgramOptions& options = {});

}  // namespace probed::mod::tls
