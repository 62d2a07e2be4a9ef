// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/modules/reasons.h"

#include <string>
#include <system_error>
#include <utility>

namespace probed::modules {

Status ModuleError(absl::StatusCode code, std::string_view reason, std::string_view subject, std::string_view message,
                   std::vector<FieldViolation> fields) {
  ErrorDetails details;
  details.reason = std::string(reason);
  details.metadata["module"] = std::string(subject);
  details.fields = std::move(fields);
  return MakeError(code, message, std::move(details));
}

Status Refused(std::string_view reason, std::string_view subject, std::string_view message,
               std::vector<FieldViolation> fields) {
  return ModuleError(absl::StatusCode::kFailedPrecondition, reason, subject, message, std::move(fields));
}

std::string ErrnoText(int error) { return std::generic_category().message(error); }

}  // namespace probed::modules
