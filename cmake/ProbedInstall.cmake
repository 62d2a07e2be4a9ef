# SPDX-FileCopyrightText: The probed authors
# SPDX-License-Identifier: Apache-2.0
#
# What `cmake --install` gives to module authors: headers, template, build functions. Binaries, modules and deployment
# files are installed by the rooms that make them.
include(CMakePackageConfigHelpers)

set(PROBED_INCLUDE_DIR ${CMAKE_INSTALL_INCLUDEDIR}/probed)
install(DIRECTORY api/module api/sdk DESTINATION ${PROBED_INCLUDE_DIR}/api FILES_MATCHING PATTERN "*.h"
        PATTERN tests EXCLUDE)
install(DIRECTORY bpf/include bpf/shared DESTINATION ${PROBED_INCLUDE_DIR}/bpf FILES_MATCHING PATTERN "*.h")
install(DIRECTORY api/proto/probed api/proto/google DESTINATION ${CMAKE_INSTALL_DATADIR}/probed/proto FILES_MATCHING PATTERN "*.proto")
install(DIRECTORY api/template DESTINATION ${CMAKE_INSTALL_DATADIR}/probed)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/probed)
configure_package_config_file(cmake/probed-config.cmake.in ${PROJECT_BINARY_DIR}/probed-config.cmake
                              INSTALL_DESTINATION ${package_dir} PATH_VARS PROBED_INCLUDE_DIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/probed-config-version.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/probed-config.cmake ${PROJECT_BINARY_DIR}/probed-config-version.cmake
              cmake/BpfObject.cmake cmake/ProbeModule.cmake cmake/module.version cmake/module_sections.py
        DESTINATION ${package_dir})
