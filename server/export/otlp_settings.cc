// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/export/otlp_settings.h"

#include <absl/strings/ascii.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <vector>

namespace probed::exporter {
namespace {

constexpr config::Signal kSignals[] = {config::Signal::kTraces, config::Signal::kMetrics, config::Signal::kLogs};

Status Invalid(const config::Sink& sink, std::string_view what) {
  return MakeStatus(absl::StatusCode::kInvalidArgument, fmt::format("sink {}: {}", sink.name, what));
}

std::string Lower(std::string_view text) { return absl::AsciiStrToLower(ToAbsl(text)); }
std::string Upper(std::string_view text) { return absl::AsciiStrToUpper(ToAbsl(text)); }

/// The two names of one OTEL_EXPORTER_OTLP_ variable, the signal's own first.
class Variables {
 public:
  Variables(const Environment& environment, config::Signal signal)
      : environment_(environment), prefix_("OTEL_EXPORTER_OTLP_" + Upper(config::SignalName(signal)) + "_") {}

  std::optional<std::string> OfSignal(std::string_view name) const { return environment_(prefix_ + std::string(name)); }
  std::optional<std::string> General(std::string_view name) const {
    return environment_("OTEL_EXPORTER_OTLP_" + std::string(name));
  }
  std::optional<std::string> Get(std::string_view name) const {
    std::optional<std::string> value = OfSignal(name);
    return value ? value : General(name);
  }

 private:
  const Environment& environment_;
  std::string prefix_;
};

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = absl::ascii_tolower(static_cast<unsigned char>(c));
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string PercentDecode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escaped =
        text[i] == '%' && i + 2 < text.size() && HexValue(text[i + 1]) >= 0 && HexValue(text[i + 2]) >= 0;
    out += escaped ? static_cast<char>(HexValue(text[i + 1]) * 16 + HexValue(text[i + 2])) : text[i];
    if (escaped) i += 2;
  }
  return out;
}

std::string_view Trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::map<std::string, std::string> ParseHeaderList(std::string_view list) {
  std::map<std::string, std::string> headers;
  while (!list.empty()) {
    const std::string_view entry = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), entry.size() + 1));
    const auto equals = entry.find('=');
    if (equals == std::string_view::npos || Trim(entry.substr(0, equals)).empty()) continue;
    headers[PercentDecode(Trim(entry.substr(0, equals)))] = PercentDecode(Trim(entry.substr(equals + 1)));
  }
  return headers;
}

bool IsHeaderName(std::string_view name) {
  constexpr std::string_view kOthers = "-_.!#$&'*+^`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || kOthers.find(c) != std::string_view::npos;
  });
}

bool IsHeaderValue(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) { return c == '\t' || (c >= 0x20 && c < 0x7f); });
}

Status ResolveHeaders(const config::Sink& sink, const Variables& variables, OtlpSettings& settings) {
  std::map<std::string, std::string> headers = sink.headers;
  if (headers.empty()) headers = ParseHeaderList(variables.Get("HEADERS").value_or(""));
  for (const auto& [name, value] : headers) {
    if (!IsHeaderName(name)) return Invalid(sink, fmt::format("header name \"{}\" has characters HTTP forbids", name));
    if (!IsHeaderValue(value))
      return Invalid(sink, fmt::format("value of header {} has characters HTTP forbids", name));
    settings.headers[Lower(name)] = value;
  }
  return OkStatus();
}

// --- endpoints ---------------------------------------------------------------------------------------------------

/// Where an endpoint text came from decides what a missing scheme means and whether the path is a base.
struct EndpointText {
  std::string text;
  bool insecure = true;  // holds when the text names no scheme
  bool is_base = true;   // v1/<signal> is appended; HTTP only
};

EndpointText ChooseEndpoint(const config::Sink& sink, const Variables& variables) {
  const bool named_files = !sink.ca_file.empty() || !sink.cert_file.empty() || !sink.key_file.empty();
  if (!sink.endpoint.empty()) return {sink.endpoint, sink.insecure && !named_files, true};
  const bool insecure = Lower(variables.Get("INSECURE").value_or("")) == "true";
  if (const auto own = variables.OfSignal("ENDPOINT")) return {*own, insecure, false};
  if (const auto general = variables.General("ENDPOINT")) return {*general, insecure, true};
  return {sink.type == config::SinkType::kOtlpGrpc ? "http://localhost:4317" : "http://localhost:4318", true, true};
}

std::string DefaultPort(bool http, bool tls, bool has_scheme) {
  if (!http) return tls && has_scheme ? "443" : "4317";
  if (!has_scheme) return "4318";
  return tls ? "443" : "80";
}

bool IsPort(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port > 0 && port <= 65535;
}

/// Splits "[::1]:4318" or "host:4318"; false when it is neither.
bool SplitAuthority(std::string_view authority, OtlpEndpoint& endpoint) {
  const bool bracketed = authority.starts_with('[');
  const auto host_end = bracketed ? authority.find(']') : authority.find(':');
  if (bracketed && host_end == std::string_view::npos) return false;
  endpoint.host = bracketed ? authority.substr(1, host_end - 1) : authority.substr(0, host_end);
  std::string_view rest = authority.substr(std::min(authority.size(), bracketed ? host_end + 1 : host_end));
  if (endpoint.host.empty() || authority.find('@') != std::string_view::npos) return false;
  if (rest.empty()) return true;
  if (!rest.starts_with(':') || !IsPort(rest.substr(1))) return false;
  endpoint.port = rest.substr(1);
  return true;
}

std::string Target(std::string_view path, bool is_base, config::Signal signal) {
  std::string target(path);
  if (!is_base) return target.empty() ? "/" : target;
  if (!target.ends_with('/')) target += '/';
  return target + "v1/" + std::string(config::SignalName(signal));
}

Result<OtlpEndpoint> ParseEndpoint(const config::Sink& sink, const EndpointText& from, config::Signal signal) {
  const bool http = sink.type == config::SinkType::kOtlpHttp;
  OtlpEndpoint endpoint;
  if (from.text.starts_with("unix:")) {
    if (http) return Invalid(sink, "unix sockets need type otlp_grpc");
    endpoint.host = from.text;
    return endpoint;
  }
  std::string_view rest = from.text;
  const auto scheme_end = rest.find("://");
  const std::string scheme = scheme_end == std::string_view::npos ? "" : Lower(rest.substr(0, scheme_end));
  if (scheme_end != std::string_view::npos) rest.remove_prefix(scheme_end + 3);
  if (!scheme.empty() && scheme != "http" && scheme != "https") {
    return Invalid(sink, fmt::format("endpoint {}: scheme must be http or https", from.text));
  }
  endpoint.tls = scheme.empty() ? !from.insecure : scheme == "https";
  const auto path_at = std::min(rest.find('/'), rest.size());
  if (!SplitAuthority(rest.substr(0, path_at), endpoint)) {
    return Invalid(sink, fmt::format("endpoint {}: want host:port or http[s]://host[:port][/path]", from.text));
  }
  if (endpoint.port.empty()) endpoint.port = DefaultPort(http, endpoint.tls, !scheme.empty());
  if (http) endpoint.target = Target(rest.substr(path_at), from.is_base, signal);
  return endpoint;
}

// --- the rest ----------------------------------------------------------------------------------------------------

std::chrono::milliseconds ResolveTimeout(const config::Sink& sink, const Variables& variables) {
  if (sink.timeout != config::Sink{}.timeout) return sink.timeout;
  const std::string text = variables.Get("TIMEOUT").value_or("");
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool good = error == std::errc() && end == text.data() + text.size() && number > 0;
  return good ? std::chrono::milliseconds(number) : sink.timeout;  // a bad value is ignored, says the specification
}

config::Compression ResolveCompression(const config::Sink& sink, const Variables& variables) {
  if (sink.compression != config::Compression::kNone) return sink.compression;
  return variables.Get("COMPRESSION") == "gzip" ? config::Compression::kGzip : config::Compression::kNone;
}

std::string FirstOf(const std::string& configured, const std::optional<std::string>& variable) {
  return configured.empty() ? variable.value_or("") : configured;
}

Result<OtlpSettings> Resolve(const config::Sink& sink, const Environment& environment, config::Signal signal) {
  const Variables variables(environment, signal);
  OtlpSettings settings;
  ASSIGN_OR_RETURN(settings.endpoint, ParseEndpoint(sink, ChooseEndpoint(sink, variables), signal));
  RETURN_IF_ERROR(ResolveHeaders(sink, variables, settings));
  settings.compression = ResolveCompression(sink, variables);
  settings.timeout = ResolveTimeout(sink, variables);
  settings.ca_file = FirstOf(sink.ca_file, variables.Get("CERTIFICATE"));
  settings.cert_file = FirstOf(sink.cert_file, variables.Get("CLIENT_CERTIFICATE"));
  settings.key_file = FirstOf(sink.key_file, variables.Get("CLIENT_KEY"));
  if (settings.cert_file.empty() != settings.key_file.empty()) {
    return Invalid(sink, "a client certificate needs both cert_file and key_file");
  }
  return settings;
}

}  // namespace

Environment SystemEnvironment() {
  return [](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string(name).c_str());
    if (value == nullptr || *value == '\0') return std::nullopt;
    return value;
  };
}

std::string OtlpEndpoint::Authority() const {
  if (port.empty()) return host;
  return host.find(':') == std::string::npos ? host + ":" + port : "[" + host + "]:" + port;
}

Result<OtlpSignalSettings> ResolveOtlpSettings(const config::Sink& sink, const Environment& environment) {
  OtlpSignalSettings all;
  for (const config::Signal signal : kSignals) {
    ASSIGN_OR_RETURN(all[SignalIndex(signal)], Resolve(sink, environment, signal));
  }
  return all;
}

}  // namespace probed::exporter
