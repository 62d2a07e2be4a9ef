// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/sql/decode/pg_connection.h"

namespace probed::mod::sql::pg {

void Pop(sdk::Stream stream, Connection& connection) {
  Operation* operation = TakeFirst(connection);
  Release(stream, &operation->text);
  Release(stream, &operation->replaced);
  FreeWithName(stream, operation);
}

}  // namespace probed::mod::sql::pg
