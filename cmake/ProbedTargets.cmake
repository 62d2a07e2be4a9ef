# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# probed_library(NAME SOURCES... DEPS...)  a static library of one folder, alias probed::NAME
# probed_decoder_fuzz(MODULE ...)          the libFuzzer target of a module's decoder, or its seeds as a test
# probed_test(NAME SOURCES... DEPS... [LABELS...])  a gmock test program, registered with ctest under unit by default
# probed_unity(TARGET)  compiles several files of a target at once (PROBED_UNITY): most of the time goes into headers. Not
#                       of modules: the decoders of gRPC, Kafka and DNS took 3 to 5 % more instructions so
# probed_apart(FILES...)  compiles these by themselves: they have names that other files of their target have too, or
#                         flattened functions, which take in all that they can see

function(probed_unity target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${PROBED_UNITY} UNITY_BUILD_BATCH_SIZE 0)
endfunction()

function(probed_apart)
  set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

function(probed_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(probed_${name} STATIC ${ARG_SOURCES})
  add_library(probed::${name} ALIAS probed_${name})
  # Else position-independent code treats every function as replaceable from outside, and inlines none of them.
  target_compile_options(probed_${name} PRIVATE -fno-semantic-interposition)
  target_link_libraries(probed_${name} PUBLIC ${ARG_DEPS} PRIVATE probed_options)
  target_include_directories(probed_${name} PUBLIC ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
  probed_unity(probed_${name})
endfunction()

# What tests include, read once. They are not optimised: what they test is.
if(PROBED_TESTS AND PROBED_UNITY)
  set(headers ${PROJECT_BINARY_DIR}/test_headers)
  file(GENERATE OUTPUT ${headers}/main.cc CONTENT "int main() {}\n")
  add_executable(probed_test_headers ${headers}/main.cc)
  target_compile_options(probed_test_headers PRIVATE -O0)
  target_link_libraries(probed_test_headers PRIVATE probed_options GTest::gmock_main)
  target_precompile_headers(probed_test_headers PRIVATE
    <array> <chrono> <filesystem> <fstream> <functional> <map> <memory> <optional> <span> <string> <string_view> <thread>
    <vector> <gmock/gmock.h> <gtest/gtest.h> <nlohmann/json.hpp>)
endif()

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
  if(PROBED_SANITIZE) # slower by themselves, and run at idle priority
    math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * 30")
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} probed_options GTest::gmock_main)
  target_compile_options(${name} PRIVATE -O0)
  probed_unity(${name})
  if(PROBED_UNITY)
    target_precompile_headers(${name} REUSE_FROM probed_test_headers)
  endif()
  if(PROBED_UNIT_TESTS_APART AND ARG_LABELS STREQUAL unit)
    set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT})
endfunction()

# probed_decoder_fuzz(MODULE LENGTH bytes SOURCES file... [DEPS library...] [DEFINES name=value...]), in the tests/ of a
# module: the libFuzzer target fuzz/<module>_decoder_fuzz.cc with the module's own sources, and a short run from its seeds
# as a test. Without PROBED_FUZZ: a test that gives it each seed once.
function(probed_decoder_fuzz module)
  cmake_parse_arguments(ARG "" "LENGTH" "SOURCES;DEPS;DEFINES" ${ARGN})
  set(name ${module}_decoder_fuzz)
  if(NOT PROBED_FUZZ)
    set(test ${module}_corpus_test)
    probed_test(${test} SOURCES fuzz/${name}.cc ${PROJECT_SOURCE_DIR}/api/sdk/testing/corpus_test.cc
                        DEPS ${module}_decoder)
    target_compile_definitions(${test} PRIVATE ${ARG_DEFINES}
                                               PROBED_CORPUS="${CMAKE_CURRENT_SOURCE_DIR}/fuzz/${name}_corpus")
    return()
  endif()
  set(found ${CMAKE_CURRENT_BINARY_DIR}/${name}_found)
  set(sanitizers -fsanitize=fuzzer,address,undefined)
  list(TRANSFORM ARG_SOURCES PREPEND ../)
  file(MAKE_DIRECTORY ${found})
  file(GLOB dictionary CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/${name}.dict)
  list(TRANSFORM dictionary PREPEND -dict=)
  add_executable(${name} fuzz/${name}.cc ../module.cc ${ARG_SOURCES})
  target_compile_options(${name} PRIVATE ${sanitizers} -fno-sanitize-recover=all)
  target_link_options(${name} PRIVATE ${sanitizers})
  target_link_libraries(${name} PRIVATE probed::sdk ${ARG_DEPS} probed_options)
  target_compile_definitions(${name} PRIVATE ${ARG_DEFINES})
  add_test(NAME ${name}_smoke COMMAND ${name} -runs=200000 -max_len=${ARG_LENGTH} ${dictionary} ${found}
                                      ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/${name}_corpus)
  set_tests_properties(${name}_smoke PROPERTIES LABELS fuzz TIMEOUT 300)
endfunction()
