# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# probed_bpf_object(OUT_VAR NAME SOURCE [DEFINES...])
#   Compiles SOURCE with clang for the BPF target into a stripped CO-RE object NAME.bpf.o, with a depfile, and sets
#   OUT_VAR to its path. Needs no BTF of the build host: kernel types come from bpf/include.
find_program(PROBED_BPF_CLANG NAMES clang-19 REQUIRED)
find_program(PROBED_BPF_STRIP NAMES llvm-strip-19 REQUIRED)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(PROBED_BPF_ARCH __TARGET_ARCH_arm64)
else()
  set(PROBED_BPF_ARCH __TARGET_ARCH_x86)
endif()

# Where the package (or the source tree) keeps the headers of kernel code.
if(NOT PROBED_BPF_INCLUDE_DIRS)
  set(PROBED_BPF_INCLUDE_DIRS ${PROJECT_SOURCE_DIR})
endif()

function(probed_bpf_object out_var name source)
  cmake_parse_arguments(ARG "" "" "DEFINES" ${ARGN})
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o)
  set(includes)
  foreach(dir IN LISTS PROBED_BPF_INCLUDE_DIRS)
    list(APPEND includes -I${dir})
  endforeach()
  set(defines)
  foreach(define IN LISTS ARG_DEFINES)
    list(APPEND defines -D${define})
  endforeach()
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${PROBED_BPF_CLANG} -target bpf -mcpu=v3 -O2 -g -std=gnu11 -D${PROBED_BPF_ARCH} ${defines} ${includes}
            -Wall -Wextra -Werror -Wno-unused-parameter -Wno-missing-declarations -Wno-address-of-packed-member
            -fno-stack-protector -MD -MF ${object}.d -MT ${object} -c ${source} -o ${object}
    COMMAND ${PROBED_BPF_STRIP} -g ${object}
    DEPENDS ${source}
    DEPFILE ${object}.d
    COMMENT "BPF ${name}.bpf.o"
    VERBATIM)
  set(${out_var} ${object} PARENT_SCOPE)
endfunction()
