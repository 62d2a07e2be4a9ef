// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/grpc/config.h"

#include <string>

#include "api/sdk/http/settings.h"

namespace probed::mod::grpc {
namespace {

std::vector<std::uint32_t> Intern(sdk::Host host, std::string_view prefix, const std::vector<std::string>& names) {
  std::vector<std::uint32_t> keys;
  keys.reserve(names.size());
  for (const std::string& name : names) keys.push_back(host.InternKey(std::string(prefix) + name));
  return keys;
}

}  // namespace

Config::Config(const sdk::http::Settings& settings, const std::vector<std::string>& trailer_names, bool messages,
               sdk::Host host)
    : http(settings, host),
      trailers(trailer_names),
      request_keys(Intern(host, "rpc.request.header.", settings.capture_request_headers)),
      response_keys(Intern(host, "rpc.response.header.", settings.capture_response_headers)),
      trailer_keys(Intern(host, "rpc.response.trailer.", trailer_names)),
      count_messages(messages) {}

std::unique_ptr<Config> PrepareConfig(std::string_view json, sdk::Host host, sdk::FieldErrors& errors) {
  sdk::ConfigReader reader(json, errors);
  const sdk::http::Settings settings = sdk::http::ReadSettings(reader);
  std::vector<std::string> trailers;
  sdk::http::detail::ReadHeaderNames(reader, "capture_response_trailers", &trailers);
  bool count_messages = false;
  reader.Boolean("count_messages", &count_messages);
  reader.Finish();
  return errors.empty() ? std::make_unique<Config>(settings, trailers, count_messages, host) : nullptr;
}

}  // namespace probed::mod::grpc
