// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// The gRPC side of the app.
#include "server/app/app.h"
#include "server/app/platform.h"
#include "server/app/version.h"

namespace probed::app {

Status App::StartControl() { return OkStatus(); }

}  // namespace probed::app
