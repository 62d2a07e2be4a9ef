// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// One line per span, metric or log record, for people:
//
//   2023-11-14T22:13:20.000Z shop server GET /users ok 1.50ms http.response.status_code=200 …
//
// Text that came off a wire is escaped: it must not be able to move a terminal's cursor.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "server/export/batch.h"
#include "server/export/transport.h"

namespace probed::exporter {

/// Control characters (C0, DEL, C1) and Unicode's direction overrides as \n, \x1b or \u{202e}; a backslash doubled.
std::string EscapeForTerminal(std::string_view text);

/// The lines of a batch, each ended by a newline.
std::string ConsoleText(const Batch& batch);

/// `write` returns false when the text could not be written. [sink]
using ConsoleWriter = std::function<bool(std::string_view text)>;
std::unique_ptr<Transport> MakeConsoleTransport(ConsoleWriter write);

/// Writes to standard output.
ConsoleWriter StandardOutput();

}  // namespace probed::exporter
