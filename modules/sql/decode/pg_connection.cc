// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/sql/decode/pg_connection.h"

namespace probed::mod::sql::pg {
Operation* Push(sdk::Stream stream, Connection& connection, Step step, std::string_view name) {
  auto* operation = NewWithName<Operation>(stream, name);
  if (operation == nullptr) return nullptr;
  operation->step = step;
  (connection.last == nullptr ? connection.first : connection.last->next) = operation;
  connection.last = operation;
  return operation;
}

void Pop(sdk::Stream stream, Connection& connection) {
  Operation* operation = connection.first;
  connection.first = operation->next;
  if (connection.first == nullptr) connection.last = nullptr;
  Release(stream, &operation->text);
  Release(stream, &operation->replaced);
  FreeWithName(stream, operation);
}

}  // namespace probed::mod::sql::pg
