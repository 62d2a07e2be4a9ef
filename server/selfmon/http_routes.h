// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What the HTTP endpoint answers to whom: /metrics, /healthz and /readyz from callbacks. No sockets here, so that every
// answer can be tested as a value.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace probed::selfmon {

/// What a probe says: ok is answered with 200, else with 503; the text is the body.
struct ProbeAnswer {
  bool ok = false;
  std::string text;
};

/// A route whose callback is empty does not exist (404). Called on the endpoint's own thread.
struct HttpHandlers {
  std::function<std::string()> metrics;
  std::function<ProbeAnswer()> healthz;
  std::function<ProbeAnswer()> readyz;
};

struct HttpAnswer {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string allow;  // the Allow header of a 405
  std::string body;
};

/// `target` is the request's target; a query behind '?' is ignored. HEAD is answered like GET, with the body: whoever
/// sends the answer leaves it away.
HttpAnswer AnswerRequest(const HttpHandlers& handlers, std::string_view method, std::string_view target);

}  // namespace probed::selfmon
