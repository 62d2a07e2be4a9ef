// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/sql/decode/my_connection.h"

#include <algorithm>

namespace probed::mod::sql::my {

/// A longer one is not known rather than cut.
void Database::Set(std::string_view name) {
  size = static_cast<std::uint8_t>(name.size() <= kMost ? name.size() : 0);
  std::copy_n(name.data(), size, bytes.data());
}

StatementKey::StatementKey(std::uint32_t number) {
  for (char& byte : bytes) {
    byte = static_cast<char>(number & 0xffU);
    number >>= 8U;
  }
}

void Pop(sdk::Stream stream, Connection& connection) {
  Operation* operation = TakeFirst(connection);
  Release(stream, &operation->text);
  Release(stream, &operation->parameters);
  FreeWithName(stream, operation);
}

}  // namespace probed::mod::sql::my
