// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Texts by the name, or number, under which a server knows them. All of it is memory of the stream.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>
#include <type_traits>

#include "api/sdk/host.h"
#include "modules/sql/decode/operation.h"

namespace probed::mod::sql {

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

/// A new operation behind those that a connection waits for. nullptr: no memory.
template <class Connection, class Step>
auto* Push(sdk::Stream stream, Connection& connection, Step step, std::string_view name) {
  auto* operation = NewWithName<std::remove_pointer_t<decltype(connection.first)>>(stream, name);
  if (operation == nullptr) return operation;
  operation->step = step;
  (connection.last == nullptr ? connection.first : connection.last->next) = operation;
  connection.last = operation;
  return operation;
}

/// Takes the first of them out.
template <class Connection>
auto* TakeFirst(Connection& connection) {
  auto* operation = connection.first;
  connection.first = operation->next;
  if (connection.first == nullptr) connection.last = nullptr;
  return operation;
}

/// A statement or portal. One block: the struct, then the name.
struct Named {
  Named* next = nullptr;
  Text* text = nullptr;
  Parameters* parameters = nullptr;  // of a portal
  std::uint32_t name_size = 0;
  bool unknown = false;

  std::string_view name() const { return {reinterpret_cast<const char*>(this + 1), name_size}; }
};

/// Plain data: zeroed memory has no names.
class Names {
 public:
  Named* Find(std::string_view name) const;
  /// Takes the reference over, also where there is no memory (false).
  bool Set(sdk::Stream stream, std::string_view name, Text* text, bool unknown);
  /// The text it stood for, with its reference; nullptr: none.
  Text* Remove(sdk::Stream stream, std::string_view name);
  void Clear(sdk::Stream stream);

 private:
  static constexpr std::size_t kRows = 16;
  static std::size_t RowOf(std::string_view name);

  std::array<Named*, kRows> rows_;
};

}  // namespace probed::mod::sql
