// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// One run of probectl: the global options, where output goes, and calls to the daemon with errors already printed.
// Verbs get nothing else.
#pragma once

#include <absl/status/status.h>

#include <chrono>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "clients/cli/lib/connection.h"
#include "clients/cli/lib/exit_code.h"
#include "clients/cli/lib/interrupt.h"
#include "clients/cli/lib/proto_json.h"
#include "clients/cli/lib/table.h"

namespace probed::cli {

enum class Format { kTable, kWide, kJson, kYaml, kName };

struct Options {
  std::string socket = "/run/probed/probed.sock";
  Format format = Format::kTable;
  std::optional<std::chrono::nanoseconds> timeout;  // unset: 30 s for one answer, none for streams
  std::string request_id;
  std::string etag;
  bool validate_only = false;
};

/// Where a run writes, and what it writes to.
struct Streams {
  std::ostream& out;
  std::ostream& err;
  Terminal terminal;      // behind `out`
  bool progress = false;  // `err` is watched by a human
};

/// How a resource looks in each format. `table` prints it for people.
struct View {
  Json json;
  std::vector<std::string> names;
  std::function<void(bool wide)> table;
};

/// Used by one thread, except interrupt().
class Session {
 public:
  Session(Streams streams, Interrupt& interrupt) : streams_(streams), interrupt_(interrupt) {}

  Options options;

  std::ostream& out() { return streams_.out; }
  std::ostream& err() { return streams_.err; }
  const Terminal& terminal() const { return streams_.terminal; }
  bool progress() const { return streams_.progress; }
  Interrupt& interrupt() { return interrupt_; }

  /// Prints in the format asked for.
  void Show(const View& view);

  /// One call. Prints the error when it fails: "cannot <what>: ...".
  template <typename Stub, typename Request, typename Response>
  ExitCode Call(std::string_view what, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                const Request& request, Response* response) {
    const grpc::Status status = TryCall(method, request, response);
    return status.ok() ? ExitCode::kDone : Fail(what, status);
  }

  /// The same without printing.
  template <typename Stub, typename Request, typename Response>
  grpc::Status TryCall(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                       const Request& request, Response* response) {
    if (grpc::Status status = Connect(); !status.ok()) return status;
    grpc::ClientContext context;
    SetDeadline(context);
    const Interrupt::Scope scope(interrupt_, context);
    return (connection_->Get<Stub>().*method)(&context, request, response);
  }

  /// Reads a stream until it ends or `take` says false. --timeout, if given, is how long it lasts. Quiet.
  template <typename Stub, typename Request, typename Response>
  grpc::Status TryStream(std::unique_ptr<grpc::ClientReader<Response>> (Stub::*method)(grpc::ClientContext*,
                                                                                       const Request&),
                         const Request& request, const std::function<bool(const Response&)>& take) {
    if (grpc::Status status = Connect(); !status.ok()) return status;
    grpc::ClientContext context;
    if (options.timeout) SetDeadline(context);
    const Interrupt::Scope scope(interrupt_, context);
    const auto reader = (connection_->Get<Stub>().*method)(&context, request);
    return Drain<Response>(context, *reader, take);
  }

  /// Prints why `what` failed and says which exit status that is.
  ExitCode Fail(std::string_view what, const grpc::Status& status);
  ExitCode Fail(std::string_view what, const absl::Status& status);

  /// The change options of the command line; makes a request id where none was given.
  v1::ChangeOptions ChangeOptions() const;

  /// Warnings and remarks of a change, on `err`.
  void Note(const v1::ChangeOutcome& outcome);

  /// The stubs, for calls beside the main one. Connect first.
  grpc::Status Connect();
  Connection& connection() { return *connection_; }

 private:
  template <typename Response>
  static grpc::Status Drain(grpc::ClientContext& context, grpc::ClientReader<Response>& reader,
                            const std::function<bool(const Response&)>& take) {
    bool enough = false;
    for (Response response; !enough && reader.Read(&response);) enough = !take(response);
    if (enough) context.TryCancel();
    const grpc::Status status = reader.Finish();
    return enough ? grpc::Status::OK : status;
  }

  void SetDeadline(grpc::ClientContext& context) const;

  Streams streams_;
  Interrupt& interrupt_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace probed::cli
