// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/sql/decode/pg_connection.h"

#include <cstring>
#include <new>

namespace probed::mod::sql::pg {
namespace {

/// A block for T with `name` behind it. nullptr: no memory.
template <class T>
T* NewWithName(sdk::Stream stream, std::string_view name) {
  void* memory = stream.Alloc(sizeof(T) + name.size());
  if (memory == nullptr) return nullptr;
  auto* made = ::new (memory) T();
  made->name_size = static_cast<std::uint32_t>(name.size());
  if (!name.empty()) std::memcpy(made + 1, name.data(), name.size());
  return made;
}

template <class T>
void FreeWithName(sdk::Stream stream, T* block) {
  stream.Free(block, sizeof(T) + block->name_size);
}

}  // namespace

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
      FreeWithName(stream, named);
    }
  }
}

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
