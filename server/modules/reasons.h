// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The reasons with which this folder refuses something: part of the API contract (docs/errors.md), one place for all.
#pragma once

#include <string_view>
#include <vector>

#include "server/base/error_details.h"
#include "server/base/status.h"

namespace probed::modules {

inline constexpr std::string_view kModuleNotFound = "MODULE_NOT_FOUND";
inline constexpr std::string_view kModuleNameInvalid = "MODULE_NAME_INVALID";
inline constexpr std::string_view kModuleUntrustedPath = "MODULE_UNTRUSTED_PATH";
inline constexpr std::string_view kModuleUnreadable = "MODULE_UNREADABLE";
inline constexpr std::string_view kModuleCorrupt = "MODULE_CORRUPT";
inline constexpr std::string_view kModuleDigestMismatch = "MODULE_DIGEST_MISMATCH";
inline constexpr std::string_view kModuleAbiMismatch = "MODULE_ABI_MISMATCH";
inline constexpr std::string_view kModuleLoadFailed = "MODULE_LOAD_FAILED";
inline constexpr std::string_view kModuleCreateFailed = "MODULE_CREATE_FAILED";
inline constexpr std::string_view kModuleInternal = "MODULE_INTERNAL";
inline constexpr std::string_view kModuleCodeless = "MODULE_CODELESS";
inline constexpr std::string_view kManifestInvalid = "MANIFEST_INVALID";
inline constexpr std::string_view kConfigInvalid = "CONFIG_INVALID";
inline constexpr std::string_view kModuleQuarantined = "MODULE_QUARANTINED";
inline constexpr std::string_view kQuarantineUnwritable = "QUARANTINE_UNWRITABLE";

/// An error about one module (or file of a module), with `subject` in its metadata under "module".
[[nodiscard]] Status ModuleError(absl::StatusCode code, std::string_view reason, std::string_view subject,
                                 std::string_view message, std::vector<FieldViolation> fields = {});

/// The same for what is wrong with a file or with the machine: FAILED_PRECONDITION, trying again does not help.
[[nodiscard]] Status Refused(std::string_view reason, std::string_view subject, std::string_view message,
                             std::vector<FieldViolation> fields = {});

/// Text of errno `error`.
std::string ErrnoText(int error);

}  // namespace probed::modules
