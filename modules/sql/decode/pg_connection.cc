// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/sql/decode/pg_connection.h"

#include <algorithm>

namespace probed::mod::sql::pg {

namespace {

void Append(Connection& c, std::string_view text) {
  std::copy(text.begin(), text.end(), c.name_space.begin() + c.name_space_size);
  c.name_space_size = static_cast<std::uint8_t>(c.name_space_size + text.size());
}

}  // namespace

std::string_view NamespaceOf(Connection& connection) {
  Connection& c = connection;
  const std::string_view schema = c.path.now();
  if (c.description != 0 && schema == c.said.text()) return {c.name_space.data(), c.name_space_size};
  ++c.description;
  c.kept.set = 0;
  c.said.Set(schema);
  c.name_space_size = 0;
  Append(c, c.database.text());
  if (c.name_space_size != 0 && !schema.empty()) Append(c, "|");
  Append(c, schema);
  return {c.name_space.data(), c.name_space_size};
}

void Pop(sdk::Stream stream, Connection& connection) {
  Operation* operation = TakeFirst(connection);
  Release(stream, &operation->text);
  Release(stream, &operation->parameters);
  Release(stream, &operation->replaced);
  FreeWithName(stream, operation);
}

}  // namespace probed::mod::sql::pg
