# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# add_probe_module(NAME SOURCES... [MANIFEST manifest.json] [BPF bpf/name.bpf.c] [FIXTURE])
#   Builds modules/NAME.so the way the ABI asks (docs/adding_a_module.md): hidden symbols, one export, no unique symbols,
#   the manifest and one BPF object per attach prototype as ELF sections. Works in this tree and from the package.
#   FIXTURE: a module for tests; it goes to fixture_modules/ and is neither installed nor part of the conformance run.
#   Of any other, the code is also the object library NAME_decoder: the module's tests link what the module consists of.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
enable_language(ASM)  # not inside the function: CMake wants it at file scope, above every folder that uses it

set(PROBED_MODULE_TOOLS_DIR ${CMAKE_CURRENT_LIST_DIR})
# Attach prototypes one author's BPF file is compiled for; api/sdk/bpf/probed.bpf.h switches on the define.
set(PROBED_BPF_PROTOTYPES
    sock fexit_rx fexit_tx fexit_udp_tx fexit_page fexit_unix_rx fexit_unix_tx fexit_unix_page uprobe)

function(add_probe_module name)
  cmake_parse_arguments(ARG "FIXTURE" "MANIFEST;BPF" "SOURCES;DEPS" ${ARGN})
  if(NOT ARG_MANIFEST)
    set(ARG_MANIFEST ${CMAKE_CURRENT_SOURCE_DIR}/manifest.json)
  endif()
  set(section_arguments)
  set(objects)
  if(ARG_BPF)
    foreach(prototype IN LISTS PROBED_BPF_PROTOTYPES)
      string(TOUPPER ${prototype} upper)
      probed_bpf_object(object ${name}_${prototype} ${CMAKE_CURRENT_SOURCE_DIR}/${ARG_BPF}
                        DEFINES PROBED_PROTOTYPE_${upper}=1 PROBED_MODULE_NAME=${name})
      list(APPEND objects ${object})
      list(APPEND section_arguments --bpf ${prototype}=${object})
    endforeach()
  endif()

  set(sections ${CMAKE_CURRENT_BINARY_DIR}/${name}_sections)
  add_custom_command(
    OUTPUT ${sections}.s
    COMMAND ${Python3_EXECUTABLE} ${PROBED_MODULE_TOOLS_DIR}/module_sections.py --name ${name} --manifest ${ARG_MANIFEST}
            ${section_arguments} --out ${sections}.s
    DEPENDS ${ARG_MANIFEST} ${objects} ${PROBED_MODULE_TOOLS_DIR}/module_sections.py
    COMMENT "Sections of module ${name}"
    VERBATIM)
  # Clang warns of what it does not need for assembly; gcc ignores a switch it does not know.
  set_source_files_properties(${sections}.s PROPERTIES LANGUAGE ASM COMPILE_OPTIONS -Wno-unused-command-line-argument)

  add_library(probe_module_${name} MODULE ${sections}.s)
  set(code probe_module_${name})
  if(ARG_FIXTURE)
    target_sources(probe_module_${name} PRIVATE ${ARG_SOURCES})
  else()
    set(code ${name}_decoder)
    add_library(${code} OBJECT ${ARG_SOURCES})
    target_link_libraries(probe_module_${name} PRIVATE ${code})
  endif()
  set_target_properties(probe_module_${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name} LINKER_LANGUAGE CXX
                        LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/modules
                        LINK_DEPENDS ${PROBED_MODULE_TOOLS_DIR}/module.version)
  target_compile_options(${code} PRIVATE
    $<$<COMPILE_LANGUAGE:CXX>:-fvisibility=hidden -fvisibility-inlines-hidden>
    $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  target_link_options(probe_module_${name} PRIVATE
    -Wl,--version-script=${PROBED_MODULE_TOOLS_DIR}/module.version -Wl,-z,now,-z,relro,-z,noexecstack)
  if(PROBED_SANITIZE)
    target_compile_options(${code} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-O1>) # what its tests repeat at every byte
  else()
    target_link_options(probe_module_${name} PRIVATE -Wl,-z,defs)
  endif()
  target_link_libraries(${code} PUBLIC ${ARG_DEPS})
  if(TARGET probed_options)
    target_link_libraries(${code} PRIVATE probed_options)
  endif()
  if(TARGET probed::sdk)
    target_link_libraries(${code} PUBLIC probed::sdk)
  endif()
  if(ARG_FIXTURE)
    set_target_properties(probe_module_${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fixture_modules)
    return()
  endif()
  install(TARGETS probe_module_${name} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/probed/modules)
endfunction()
