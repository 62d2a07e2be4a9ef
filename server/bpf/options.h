// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Options of libbpf's functions. Its own LIBBPF_OPTS leaves members out, which clang warns of.
#pragma once

namespace probed::bpf {

/// Options that say nothing yet, of a struct as libbpf has them: with its own size in `sz`.
template <class Options>
Options NoOptions() {
  Options options{};
  options.sz = sizeof(options);
  return options;
}

}  // namespace probed::bpf
