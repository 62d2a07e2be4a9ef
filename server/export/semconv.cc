// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/semconv.h"

namespace probed::exporter {

std::string_view UserAgent() { return "probed/" PROBED_VERSION " OTel-OTLP-Exporter-Cpp/" PROBED_VERSION; }

}  // namespace probed::exporter
