// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/sql/decode/names.h"

namespace probed::mod::sql {

std::size_t Names::RowOf(std::string_view name) {
  std::uint32_t hash = 2166136261U;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return hash % kRows;
}

Named* Names::Find(std::string_view name) const {
  Named* at = rows_[RowOf(name)];
  while (at != nullptr && at->name() != name) at = at->next;
  return at;
}

bool Names::Set(sdk::Stream stream, std::string_view name, Text* text, bool unknown) {
  Named* named = Find(name);
  if (named == nullptr) {
    named = NewWithName<Named>(stream, name);
    if (named == nullptr) {
      Release(stream, &text);
      return false;
    }
    Named*& row = rows_[RowOf(name)];
    named->next = row;
    row = named;
  }
  Release(stream, &named->text);
  Release(stream, &named->parameters);
  named->text = text;
  named->unknown = unknown;
  return true;
}

Text* Names::Remove(sdk::Stream stream, std::string_view name) {
  for (Named** at = &rows_[RowOf(name)]; *at != nullptr; at = &(*at)->next) {
    Named* named = *at;
    if (named->name() != name) continue;
    *at = named->next;
    Text* text = named->text;
    Release(stream, &named->parameters);
    FreeWithName(stream, named);
    return text;
  }
  return nullptr;
}

void Names::Clear(sdk::Stream stream) {
  for (Named*& row : rows_) {
    while (row != nullptr) {
      Named* named = row;
      row = named->next;
      Release(stream, &named->text);
      Release(stream, &named->parameters);
      FreeWithName(stream, named);
    }
  }
}

}  // namespace probed::mod::sql
