// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "server/app/options.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "server/app/version.h"
#include "server/config/yaml.h"

namespace probed::app {
namespace {

constexpr const char* kDefaultConfig = "/etc/probed/probed.yaml";
constexpr const char* kDefaultStateDir = "/var/lib/probed";

/// What the command line says; empty: it says nothing.
struct Flags {
  std::string config;
  std::string socket;
  std::string state_dir = kDefaultStateDir;
  std::string http_listen;
  std::string log_level;
  std::string backend;
  std::vector<std::string> module_dirs;
  bool version = false;
};

void Declare(CLI::App& app, Flags& flags) {
  app.add_option("-c,--config", flags.config,
                 std::string("Configuration file (default ") + kDefaultConfig + ", if it is there)");
  app.add_option("-s,--socket", flags.socket, "Unix socket of the control API");
  app.add_option("-m,--module-dir", flags.module_dirs, "Directory of modules; may be given more than once");
  app.add_option("--state-dir", flags.state_dir, "Where what was loaded over the API is kept; empty: nowhere")
      ->capture_default_str();
  app.add_option("--http-listen", flags.http_listen, "Address of /metrics and /healthz; 'off': none");
  app.add_option("--log-level", flags.log_level, "trace, debug, info, warn, error")
      ->check(CLI::IsMember({"trace", "debug", "info", "warn", "error"}));
  app.add_option("--backend", flags.backend, "Capture backend; default: the first that works")
      ->check(CLI::IsMember({"sock", "fexit"}));
  app.add_flag("-V,--version", flags.version, "Print the version");
}

/// Beside the binary in a build tree (build/bin/probed, build/modules), else where the package puts modules.
std::vector<std::string> DefaultModuleDirs() {
  std::error_code error;
  const std::filesystem::path prefix =
      std::filesystem::read_symlink("/proc/self/exe", error).parent_path().parent_path();
  for (const char* place : {"modules", kInstalledModuleDir})
    if (std::filesystem::is_directory(prefix / place, error)) return {(prefix / place).string()};
  return {};
}

void Merge(const Flags& flags, config::Daemon& daemon) {
  if (!flags.socket.empty()) daemon.socket = flags.socket;
  if (!flags.module_dirs.empty()) daemon.module_dirs = flags.module_dirs;
  if (!flags.http_listen.empty()) daemon.http_listen = flags.http_listen == "off" ? "" : flags.http_listen;
  if (!flags.log_level.empty()) daemon.log_level = flags.log_level;
  if (!flags.backend.empty()) daemon.backend = flags.backend;
  if (daemon.module_dirs.empty()) daemon.module_dirs = DefaultModuleDirs();
}

}  // namespace

Result<ParsedOptions> ParseOptions(int argc, char** argv) {
  CLI::App app("probed: turns unmodified processes into OpenTelemetry");
  Flags flags;
  Declare(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return ParsedOptions{.options = std::nullopt, .exit_code = app.exit(error) == 0 ? 0 : 2};
  }
  if (flags.version) {
    std::printf("probed %s\n", kVersion);
    return ParsedOptions{};
  }
  Options options;
  options.config_path = flags.config;
  if (options.config_path.empty() && access(kDefaultConfig, R_OK) == 0) options.config_path = kDefaultConfig;
  if (!options.config_path.empty()) {
    ASSIGN_OR_RETURN(config::File file, config::LoadYamlFile(options.config_path));
    options.daemon = std::move(file.daemon);
    options.state = std::move(file.state);
  }
  Merge(flags, options.daemon);
  options.state_dir = flags.state_dir;
  return ParsedOptions{.options = std::move(options), .exit_code = 0};
}

}  // namespace probed::app
