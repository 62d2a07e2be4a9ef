// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The capture backends as tables: which programs of the core each attaches, for which attach prototypes modules bring
// programs, and what of it a kernel can have. Data and look-ups; loading and attaching: capture_core.h.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/shared/layout.h"
#include "server/bpf/kernel_features.h"

namespace probed::bpf {

enum class Backend { kSock, kFexit };
std::string_view BackendName(Backend backend);

/// A program of the core that is attached. `function`: of kernels that have it; null: of all.
struct Hook {
  const char* program;
  bool required;
  const char* function = nullptr;
};

/// A prototype of a backend: the define modules are compiled with, the array, and which programs of a slot it has.
struct Prototype {
  const char* name;
  const char* array;
  std::span<const pb_slot_program> programs;
  const char* function = nullptr;  // as of Hook
};

/// Those that hooks or prototypes depend on. [control] Reads the kernel's BTF: ask once.
KernelFunctions FunctionsOfThisKernel();

/// Those to try, in order. `wanted`: "sock", "fexit", or empty for the better one.
std::vector<Backend> Candidates(const std::string& wanted, const KernelFunctions& functions);
std::vector<Hook> HooksOf(Backend backend, const KernelFunctions& functions);
std::vector<Prototype> PrototypesOf(Backend backend, const KernelFunctions& functions);
std::span<const char* const> CgroupHooksOf(Backend backend);

/// How the name of such a program ends.
const char* SuffixOf(pb_slot_program program);
/// Whether a module with these programs takes part in the chain.
bool IsInChain(const std::vector<std::string>& programs, pb_chain chain);
/// Those of a module's programs that are loaded for a prototype; none, if they would only classify.
std::vector<std::string> ProgramsFor(const Prototype& prototype, const std::vector<std::string>& programs);

}  // namespace probed::bpf
