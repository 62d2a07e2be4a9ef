// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/tls/tests/conversations.h"

#include <array>
#include <fstream>
#include <stdexcept>

#include "modules/tls/bpf/tls_records.h"

namespace probed::mod::tls::testing {
namespace {

using sdk::testing::Step;

std::string FromHex(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    out += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
  return out;
}

unsigned long long Word(const std::string& bytes, std::size_t at) {
  unsigned long long word = 0;
  for (std::size_t i = 0; i < TLS_HEADER_BYTES; ++i)
    word |= static_cast<unsigned long long>(static_cast<unsigned char>(bytes.at(at + i))) << (8 * i);
  return word;
}

}  // namespace

std::vector<Step> Conversation(const std::string& name, char sent) {
  std::ifstream file(PROBED_TLS_CONVERSATIONS + name);
  if (!file) throw std::runtime_error("no conversation " + name);
  std::vector<Step> steps;
  for (std::string line; std::getline(file, line);)
    steps.push_back(
        {static_cast<std::uint8_t>(line.at(0) == sent ? PROBE_SENT : PROBE_RECEIVED), FromHex(line.substr(2))});
  return steps;
}

/// Records must not go over the end of a step: the proxy's reads are whole flights.
std::vector<Step> AsShipped(const std::vector<Step>& steps) {
  std::vector<Step> out;
  std::array<unsigned char, 2> flags{};
  for (const Step& step : steps) {
    unsigned char& mine = flags[step.direction];
    for (std::size_t at = 0; at < step.bytes.size();) {
      tls_header header{};
      if (tls_read_header(Word(step.bytes, at), &header) == 0) throw std::runtime_error("not a record");
      const std::size_t size = TLS_HEADER_BYTES + header.length;
      const bool finished = (mine & TLS_FINISHED) != 0;
      if (!finished) mine = tls_after_header(mine, flags[step.direction ^ 1U], &header);
      const std::size_t clear = (mine & TLS_CLEAR) != 0 ? size : std::size_t{TLS_HEADER_BYTES};
      const std::size_t shipped = finished ? 0 : clear;
      out.push_back({step.direction, step.bytes.substr(at, shipped), static_cast<std::uint32_t>(size - shipped)});
      at += size;
    }
  }
  return out;
}

}  // namespace probed::mod::tls::testing
