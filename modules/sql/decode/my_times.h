// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Dates and times of MySQL's binary protocol, as MySQL writes them. What is zero at their end is not sent, so each
// comes in several lengths:
//
//   DATE, DATETIME, TIMESTAMP   year(2) month day | hour minute second | microseconds(4)      0, 4, 7 or 11 bytes
//   TIME                        negative days(4) hour minute second | microseconds(4)         0, 8 or 12 bytes
#pragma once

#include <array>
#include <string_view>

namespace probed::mod::sql::my {

using TimeText = std::array<char, 32>;  // longer than any of them

// `bytes`: the value without its length. Empty: it has another length, or numbers that no date or time has.
std::string_view DateText(std::string_view bytes, TimeText& text);
std::string_view DateTimeText(std::string_view bytes, TimeText& text);
std::string_view DurationText(std::string_view bytes, TimeText& text);

}  // namespace probed::mod::sql::my
