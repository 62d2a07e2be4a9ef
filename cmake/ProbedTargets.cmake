# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# probed_library(NAME SOURCES... DEPS...)  a static library of one folder, alias probed::NAME
# probed_test(NAME SOURCES... DEPS... [LABELS...])  a gmock test program, registered with ctest under unit by default
function(probed_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(probed_${name} STATIC ${ARG_SOURCES})
  add_library(probed::${name} ALIAS probed_${name})
  # Else position-independent code treats every function as replaceable from outside, and inlines none of them.
  target_compile_options(probed_${name} PRIVATE -fno-semantic-interposition)
  target_link_libraries(probed_${name} PUBLIC ${ARG_DEPS} PRIVATE probed_options)
  target_include_directories(probed_${name} PUBLIC ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
endfunction()

function(probed_test name)
  if(NOT PROBED_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} probed_options GTest::gmock_main)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT})
endfunction()
