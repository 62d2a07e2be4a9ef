# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# What runs on a shard's thread: over the pipeline's parts, the kernel's rings and the modules.
probed_library(shard
  SOURCES host_table.cc instruments.cc kept_span.cc ledger.cc module_feed.cc shard_worker.cc span_output.cc
  DEPS probed::pipeline probed::bpf probed::modules)
