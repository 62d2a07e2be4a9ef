// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
// probectl info: facts about the daemon and its host.
#include <google/protobuf/util/time_util.h>

#include <ostream>
#include <utility>

#include "clients/cli/lib/escape.h"
#include "clients/cli/verbs/table_verb.h"
#include "clients/cli/verbs/verbs.h"

namespace probed::cli {
namespace {

using Lines = std::vector<std::pair<std::string, std::string>>;

std::string AbiText(const v1::AbiRange& abi) {
  const std::string major = std::to_string(abi.major()) + ".";
  return major + std::to_string(abi.minor_min()) + " to " + major + std::to_string(abi.minor_max());
}

Lines LinesOf(const v1::GetInfoResponse& info) {
  const v1::Platform& host = info.platform();
  return {{"version", info.version()},
          {"pid", std::to_string(info.pid())},
          {"started", google::protobuf::util::TimeUtil::ToString(info.started_at())},
          {"module ABI", AbiText(info.module_abi())},
          {"module directories", Join(info.module_dirs())},
          {"kernel", host.kernel_release() + (host.machine().empty() ? "" : " " + host.machine())},
          {"backend", host.backend().empty() ? "none works here" : host.backend()},
          {"backends available", Join(host.backends_available())},
          {"capabilities", Join(host.capabilities())},
          {"shards", std::to_string(host.shards())},
          {"ring bytes", std::to_string(info.limits().ring_bytes())},
          {"you may change things", info.caller().may_change() ? "yes" : "no"}};
}

void Print(Session& session, const v1::GetInfoResponse& info) {
  for (const auto& [name, value] : LinesOf(info)) {
    session.out() << Painted(session.terminal(), Paint::kHead, name) << ": " << (value.empty() ? "-" : Escape(value))
                  << '\n';
  }
  for (const std::string& text : info.platform().missing_features()) {
    session.out() << Painted(session.terminal(), Paint::kWarn, "missing") << ": " << Escape(text) << '\n';
  }
  for (const v1::Condition& condition : info.conditions()) {
    session.out() << Painted(session.terminal(), Paint::kWarn, Escape(condition.type())) << " ["
                  << Escape(condition.reason()) << "]: " << Escape(condition.message()) << '\n';
  }
}

ExitCode ShowInfo(Session& session) {
  v1::GetInfoResponse info;
  const ExitCode code = session.Call("get info", &v1::Control::Stub::GetInfo, v1::GetInfoRequest(), &info);
  if (code != ExitCode::kDone) return code;
  session.Show({ToJson(info), {info.version()}, [&](bool /*wide*/) { Print(session, info); }});
  return code;
}

}  // namespace

void AddInfo(Verbs& verbs) {
  CLI::App* command = verbs.app().add_subcommand("info", "Version, host, backends and limits of the daemon");
  verbs.OnRun(command, [&verbs] { return ShowInfo(verbs.session()); });
}

}  // namespace probed::cli
