// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/selfmon/http_routes.h"

#include <utility>

namespace probed::selfmon {
namespace {

HttpAnswer Plain(unsigned status, std::string body) {
  HttpAnswer answer;
  answer.status = status;
  answer.body = std::move(body);
  return answer;
}

HttpAnswer Metrics(const HttpHandlers& handlers) {
  HttpAnswer answer = Plain(200, handlers.metrics());
  answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
  return answer;
}

HttpAnswer Probe(const std::function<ProbeAnswer()>& probe) {
  ProbeAnswer said = probe();
  if (said.text.empty() || said.text.back() != '\n') said.text += '\n';
  return Plain(said.ok ? 200 : 503, std::move(said.text));
}

HttpAnswer MethodNotAllowed() {
  HttpAnswer answer = Plain(405, "only GET and HEAD\n");
  answer.allow = "GET, HEAD";
  return answer;
}

}  // namespace

HttpAnswer AnswerRequest(const HttpHandlers& handlers, std::string_view method, std::string_view target) {
  const std::string_view path = target.substr(0, target.find('?'));
  const bool metrics = path == "/metrics" && handlers.metrics;
  const bool healthz = path == "/healthz" && handlers.healthz;
  const bool readyz = path == "/readyz" && handlers.readyz;
  if (!metrics && !healthz && !readyz) return Plain(404, "not found\n");
  if (method != "GET" && method != "HEAD") return MethodNotAllowed();
  if (metrics) return Metrics(handlers);
  return Probe(healthz ? handlers.healthz : handlers.readyz);
}

}  // namespace probed::selfmon
