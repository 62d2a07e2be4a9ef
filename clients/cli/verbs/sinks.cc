// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
// probectl sinks: where telemetry goes.
#include <memory>
#include <ostream>

#include "clients/cli/lib/escape.h"
#include "clients/cli/lib/resource_file.h"
#include "clients/cli/lib/settings.h"
#include "clients/cli/verbs/shared.h"
#include "clients/cli/verbs/verbs.h"

namespace probed::cli {
namespace {

struct Sinks {
  std::string name;
  std::string file;
  bool watch = false;
};

ExitCode List(Session& session) {
  v1::ListSinksResponse response;
  const ExitCode code = session.Call("list sinks", &v1::Control::Stub::ListSinks, v1::ListSinksRequest(), &response);
  if (code != ExitCode::kDone) return code;
  session.Show(SinksView(session, {response.sinks().begin(), response.sinks().end()}));
  return code;
}

ExitCode GetSink(Session& session, const std::string& name) {
  v1::GetSinkRequest request;
  request.set_name(name);
  v1::GetSinkResponse response;
  const ExitCode code = session.Call("get sink " + name, &v1::Control::Stub::GetSink, request, &response);
  if (code != ExitCode::kDone) return code;
  View view = SinksView(session, {response.sink()});
  view.json = SinkToJson(response.sink());
  session.Show(view);
  return code;
}

ExitCode PutOne(Session& session, const v1::Sink& sink, const std::string& etag, Json& results) {
  v1::PutSinkRequest request;
  *request.mutable_options() = session.ChangeOptions();
  if (session.options.etag.empty()) request.mutable_options()->set_etag(etag);
  *request.mutable_sink() = sink;
  v1::PutSinkResponse response;
  const ExitCode code = session.Call("put sink " + sink.name(), &v1::Control::Stub::PutSink, request, &response);
  if (code != ExitCode::kDone) return code;
  session.Note(response.outcome());
  results.push_back({{"sink", SinkToJson(response.sink())},
                     {"outcome", ToJson(response.outcome())},
                     {"created", response.created()}});
  return code;
}

void PrintResults(std::ostream& out, const Json& results) {
  for (const Json& result : results) {
    const Json& outcome = result["outcome"];
    out << Escape(result["sink"]["name"].get<std::string>()) << ": ";
    if (outcome["validated_only"] == true) {
      out << "valid; nothing was changed\n";
    } else if (outcome["unchanged"] == true) {
      out << "nothing to do, it was so already\n";
    } else {
      out << (result["created"] == true ? "created" : "changed") << '\n';
    }
  }
}

ExitCode Put(Session& session, const std::string& file) {
  const absl::StatusOr<std::string> text = ReadFile(file);
  if (!text.ok()) return session.Fail("put sinks", text.status());
  const absl::StatusOr<FromFile<v1::Sink>> sinks = ParseSinks(*text);
  if (!sinks.ok())
    return session.Fail("put sinks of " + file,
                        absl::InvalidArgumentError("\n" + std::string(sinks.status().message())));
  if (sinks->items.size() > 1 && !(session.options.request_id + session.options.etag).empty()) {
    return session.Fail("put sinks", absl::InvalidArgumentError("--request-id and --etag are for one sink at a time"));
  }
  Json results = Json::array();
  std::vector<std::string> names;
  for (const v1::Sink& sink : sinks->items) {
    const ExitCode code = PutOne(session, sink, sinks->etag, results);
    if (code != ExitCode::kDone) return code;
    names.push_back(sink.name());
  }
  session.Show({results, names, [&](bool /*wide*/) { PrintResults(session.out(), results); }});
  return ExitCode::kDone;
}

ExitCode Delete(Session& session, const std::string& name) {
  v1::DeleteSinkRequest request;
  *request.mutable_options() = session.ChangeOptions();
  request.set_name(name);
  v1::DeleteSinkResponse response;
  const ExitCode code = session.Call("delete sink " + name, &v1::Control::Stub::DeleteSink, request, &response);
  if (code != ExitCode::kDone) return code;
  session.Note(response.outcome());
  session.Show({ToJson(response), {name}, [&](bool /*wide*/) {
                  const bool valid = response.outcome().validated_only();
                  session.out() << Escape(name) << (valid ? ": may be deleted; nothing was changed\n" : ": deleted\n");
                }});
  return code;
}

/// Of a file, the first sink only: one test, one answer.
ExitCode FillSubject(Session& session, const Sinks& args, v1::TestSinkRequest& request) {
  if (args.file.empty()) {
    request.set_name(args.name);
    return ExitCode::kDone;
  }
  const absl::StatusOr<std::string> text = ReadFile(args.file);
  if (!text.ok()) return session.Fail("test sink", text.status());
  const absl::StatusOr<FromFile<v1::Sink>> sinks = ParseSinks(*text);
  if (!sinks.ok()) return session.Fail("test sink", sinks.status());
  for (const v1::Sink& sink : sinks->items) {
    if (args.name.empty() || sink.name() == args.name) *request.mutable_sink() = sink;
    if (request.has_sink()) return ExitCode::kDone;
  }
  return session.Fail("test sink", absl::InvalidArgumentError(args.file + " has no such sink"));
}

ExitCode Test(Session& session, const Sinks& args) {
  v1::TestSinkRequest request;
  if (const ExitCode code = FillSubject(session, args, request); code != ExitCode::kDone) return code;
  const std::string name = request.has_sink() ? request.sink().name() : args.name;
  v1::TestSinkResponse response;
  const ExitCode code = session.Call("test sink " + name, &v1::Control::Stub::TestSink, request, &response);
  if (code != ExitCode::kDone) return code;
  session.Show({ToJson(response), {name}, [&](bool /*wide*/) {
                  session.out() << Escape(name) << ": " << (response.accepted() ? "accepted" : "refused")
                                << (response.message().empty() ? "" : ": " + Escape(response.message())) << '\n';
                }});
  return response.accepted() ? ExitCode::kDone : ExitCode::kFailed;
}

}  // namespace

void AddSinks(Verbs& verbs) {
  const auto args = std::make_shared<Sinks>();
  Session& session = verbs.session();
  CLI::App* command = verbs.app().add_subcommand("sinks", "List, show, put, delete or test sinks");
  const auto list = [&session, args] {
    const auto once = [&session] { return List(session); };
    return args->watch ? Repeat(session, v1::RESOURCE_KIND_SINK, once) : once();
  };
  CLI::App* listing = command->add_subcommand("list", "All of them");
  for (CLI::App* target : {command, listing}) {
    target->add_flag("--watch", args->watch, "Again whenever one changes");
    verbs.OnRun(target, list);
  }
  CLI::App* get = command->add_subcommand("get", "One of them; -o yaml gives what put takes");
  CLI::App* remove = command->add_subcommand("delete", "Flush and remove one");
  for (CLI::App* target : {get, remove}) target->add_option("name", args->name, "Its name")->required();
  CLI::App* test = command->add_subcommand("test", "Send an empty request and see what comes back");
  CLI::Option* name = test->add_option("name", args->name, "Its name");
  test->add_option("-f,--file", args->file, "A sink of this file instead of one there is");
  for (CLI::App* target : {get, remove, test}) verbs.TakesNames(target, NameKind::kSink);
  CLI::App* put = command->add_subcommand("put", "Create or replace the sinks of a file");
  put->add_option("-f,--file", args->file, "YAML or JSON as in probed.yaml; - is standard input")->required();
  verbs.OnRun(get, [&session, args] { return GetSink(session, args->name); });
  verbs.OnRun(remove, [&session, args] { return Delete(session, args->name); });
  verbs.OnRun(put, [&session, args] { return Put(session, args->file); });
  verbs.OnRun(test, [&session, args, name] {
    if (name->count() == 0 && args->file.empty()) {
      return session.Fail("test sink", absl::InvalidArgumentError("give a name, or a file with -f"));
    }
    return Test(session, *args);
  });
}

}  // namespace probed::cli
