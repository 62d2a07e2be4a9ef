// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// A fuzz target's seeds, each given to it once: targets keep building, and what was found once stays mended, where no
// fuzzer runs. Linked with the target; PROBED_CORPUS is the folder.
#include <gmock/gmock.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::string Read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The target itself says what must hold, and ends the program where it does not.
TEST(Corpus, EverySeedIsTaken) {
  int seeds = 0;
  for (const auto& entry : std::filesystem::directory_iterator(PROBED_CORPUS)) {
    const std::string input = Read(entry.path());
    SCOPED_TRACE(entry.path());
    EXPECT_EQ(LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size()), 0);
    ++seeds;
  }
  EXPECT_GT(seeds, 0);
}

}  // namespace
