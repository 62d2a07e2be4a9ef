// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The streams of a shard that a decoder has something open on, so that Flush can end it. A list through the streams'
// own states: nothing is allocated. [shard]
#pragma once

#include "api/module/probe_module.h"

namespace probed::sdk {

/// State has `State* previous`, `State* next` and `probe_stream_t* stream`, zero before it is first entered.
template <class State>
class OpenStreams {
 public:
  /// Does nothing for a state that is in the list.
  void Enter(State& state, probe_stream_t* stream) {
    if (state.stream == nullptr) Add(state, stream);
  }

  /// For a state that was entered; it is not used again.
  void Leave(State& state) {
    (state.previous == nullptr ? first_ : state.previous->next) = state.next;
    if (state.next != nullptr) state.next->previous = state.previous;
  }

  /// `each` may not take states out.
  template <class Each>
  void ForEach(Each each) {
    for (State* state = first_; state != nullptr; state = state->next) each(*state);
  }

 private:
  void Add(State& state, probe_stream_t* stream) {
    state.stream = stream;
    state.next = first_;
    if (first_ != nullptr) first_->previous = &state;
    first_ = &state;
  }

  State* first_ = nullptr;
};

}  // namespace probed::sdk
