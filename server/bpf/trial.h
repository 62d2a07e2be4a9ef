// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The smallest program there is, for a question to the kernel: whether it takes one of a type, and at which hook.
#pragma once

#include <bpf/bpf.h>

#include "server/base/fd.h"

namespace probed::bpf {

/// Invalid: the kernel refuses it, and errno says why. It is attached to nothing. [control]
Fd LoadNothing(bpf_prog_type type, bpf_prog_load_opts options);

}  // namespace probed::bpf
