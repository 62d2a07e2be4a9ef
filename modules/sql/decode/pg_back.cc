// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What a server answers: operations end here. It answers in the order in which it was asked; a message that cannot be
// the answer to the first operation says that bytes were missed, and then no answer is trusted.
#include "api/sdk/close_failure.h"
#include "modules/sql/decode/pg_stitch.h"

namespace probed::mod::sql::pg {
namespace {

constexpr std::string_view kWarningClass = "01";

/// What the server says that a statement did to the session or the transaction.
void NoteTag(Operation& operation, std::string_view tag) {
  if (tag == "COMMIT") operation.commits = true;
  if (tag == "ROLLBACK") operation.rolls_back = true;
  if (tag == "SET" || tag == "RESET" || tag == "DISCARD ALL") operation.sets = true;
}

/// The operation is over: what it did to the search_path.
void TakeEffect(SearchPath& path, const Operation& operation) {
  if (operation.commits && operation.rolls_back) path.Take({PathStep::kUnknown, {}});  // in which order is not known
  if (operation.commits) path.Commit();
  if (operation.rolls_back) path.Rollback();
  const Text* text = operation.text;
  const PathStep step = text == nullptr ? PathStep::kNone : static_cast<PathStep>(text->effect);
  const bool hidden = text == nullptr || (text->truncated && step == PathStep::kNone);
  if (step == PathStep::kUnknown || (hidden && operation.sets)) return path.Take({PathStep::kUnknown, {}});
  if (operation.sets && !operation.failed) path.Take({step, text->effect_name()});
}

void TakeReport(SearchPath& path, std::string_view body) {
  std::string_view name;
  std::string_view value;
  if (!TakeString(&body, &name) || name != "search_path") return;
  path.Report(TakeString(&body, &value) ? FirstSchema(value) : std::string_view{});
}

bool ComesAnytime(char type) {
  return type == 'A' || type == 'K' || type == 'N' || type == 'R' || type == 'S' || type == 'v';
}

}  // namespace

void Stitcher::OnBack(Reading& r, const Message& message) {
  Connection& c = r.c;
  if (message.type == 'Z') return OnReady(r, message);
  if (message.type == 'N' && c.first != nullptr && !c.first->failed) {
    const std::string_view code = SqlState(message.body);
    if (code.starts_with(kWarningClass)) c.first->code.Set(code);
  }
  if (message.type == 'S') TakeReport(c.path, message.body);
  if (ComesAnytime(message.type)) return;
  c.ready = false;
  if (!c.paired) return;
  if (message.type == 'E') return OnError(r, message);
  TakeAnswer(r, message);
}

bool Stitcher::Awaits(const Connection& c, Step a, Step b) {
  return c.first != nullptr && (c.first->step == a || c.first->step == b);
}

void Stitcher::TakeAnswer(Reading& r, const Message& message) {
  Connection& c = r.c;
  switch (message.type) {
    case '1': return Confirm(r, Step::kParse);
    case '2': return Confirm(r, Step::kBind);
    case '3': return Confirm(r, Step::kClose);
    case 't':
      if (!Awaits(c, Step::kDescribe, Step::kDescribe)) return Unpair(r.stream, c);
      if (c.first->text != nullptr && configs_.Find(r.segment.generation)->query_parameters)
        ReadTypes(r.stream, message.body, &c.first->text->types);
      return;
    case 'T':
      if (Awaits(c, Step::kQuery, Step::kQuery)) {
        c.first->has_rows = true;
        return;
      }
      return Confirm(r, Step::kDescribe);
    case 'n': return Confirm(r, Step::kDescribe);
    case 'V':
      if (!Awaits(c, Step::kFunction, Step::kFunction)) Unpair(r.stream, c);
      return;
    default: break;
  }
  if (!Awaits(c, Step::kQuery, Step::kExecute)) return Unpair(r.stream, c);
  if (message.type == 'D') {
    ++c.first->rows_here;
    c.first->has_rows = true;
  }
  const bool ends = message.type == 'C' || message.type == 's' || message.type == 'I';
  if (message.type == 'C') NoteTag(*c.first, message.body.substr(0, message.body.find('\0')));
  if (ends) CountRows(*c.first, message);
  if (ends && c.first->step == Step::kExecute) Finish(r);
}

/// At the end of a statement: those that were seen, or what the server says of it.
void Stitcher::CountRows(Operation& operation, const Message& message) {
  std::string_view body = message.body;
  std::string_view tag;
  std::int64_t rows = static_cast<std::int64_t>(operation.rows_here);
  if (operation.passed) {
    rows = message.type == 'C' && TakeString(&body, &tag) ? RowsOf(tag) : -1;
    if (tag.starts_with("SELECT") || tag.starts_with("FETCH")) operation.has_rows = true;
    if (rows < 0) operation.has_rows = false;
  }
  if (rows > 0) operation.rows += static_cast<std::uint64_t>(rows);
  operation.rows_here = 0;
  operation.passed = false;
}

void Stitcher::Confirm(Reading& r, Step step) {
  if (!Awaits(r.c, step, step)) return Unpair(r.stream, r.c);
  Drop(r.stream, r.c);
}

void Stitcher::OnError(Reading& r, const Message& message) {
  Operation* first = r.c.first;
  r.c.path.Fail();
  if (first == nullptr || first->step == Step::kSync) return;  // of the connection; of a commit
  const std::string_view code = SqlState(message.body);
  if (first->step != Step::kQuery && first->step != Step::kFunction) return FailGroup(r, code);
  first->failed = true;
  first->code.Set(code);
}

/// The first operation failed: the server passes over all others up to Sync. The failure of a Parse or Bind is that of
/// the Execute it was for.
void Stitcher::FailGroup(Reading& r, std::string_view code) {
  Connection& c = r.c;
  Operation* failed = c.first;
  for (Operation* at = c.first; at != nullptr && at->step != Step::kSync; at = at->next) {
    if (at->step != Step::kExecute) continue;
    if (at->text == c.first->text && at->unknown == c.first->unknown) failed = at;
    break;
  }
  if (failed->exchange == 0 && failed->step != Step::kClose && Wanted(r, failed->arrival))
    failed->exchange = BeginExchange(r.stream, KindOf(c), failed->arrival);
  failed->failed = true;
  failed->code.Set(code);
  while (c.first != nullptr && c.first->step != Step::kSync) {
    Operation& operation = *c.first;
    Undo(r.stream, c, operation);
    Emit(r.stream, c, operation, operation.failed ? std::string_view{} : "pipeline_aborted", r.segment.ktime_ns);
    Drop(r.stream, c);
  }
  c.skipping = c.first == nullptr;
}

/// What a Parse or Close that was not done has changed.
void Stitcher::Undo(sdk::Stream stream, Connection& c, Operation& operation) {
  if (!operation.named) return;
  Text* text = c.statements.Remove(stream, operation.name());
  Release(stream, &text);
  if (operation.replaced == nullptr) return;
  c.statements.Set(stream, operation.name(), operation.replaced, false);
  operation.replaced = nullptr;
}

void Stitcher::OnReady(Reading& r, const Message& message) {
  Connection& c = r.c;
  c.ready = true;
  EndStep(r);
  c.path.OnReady(message.body.empty() ? '\0' : message.body[0]);
}

/// What ReadyForQuery ends.
void Stitcher::EndStep(Reading& r) {
  Connection& c = r.c;
  if (!c.paired) {
    --c.balance;
    if (c.balance < c.least_balance) c.least_balance = c.balance;
    return;
  }
  if (c.first == nullptr) return;  // the end of the startup
  switch (c.first->step) {
    case Step::kQuery: return Finish(r);
    case Step::kFunction:
    case Step::kSync: return Drop(r.stream, c);
    default: return Unpair(r.stream, c);
  }
}

void Stitcher::Finish(Reading& r) {
  Emit(r.stream, r.c, *r.c.first, {}, r.segment.ktime_ns);
  TakeEffect(r.c.path, *r.c.first);
  Drop(r.stream, r.c);
}

/// `error`: where the server did not say one.
void Stitcher::Emit(sdk::Stream stream, Connection& c, const Operation& operation, std::string_view error,
                    std::uint64_t end_ns) {
  if (operation.exchange == 0) return;
  if (operation.failed) error = operation.code.text().empty() ? "_OTHER" : operation.code.text();
  const ConnectionView connection{.system = "postgresql",
                                  .name_space = NamespaceOf(c),
                                  .server = &c.server,
                                  .default_port = 5432,
                                  .kept = &c.kept,
                                  .description = c.description + 1};
  emitter_.Emit(stream, KindOf(c), *configs_.Find(operation.arrival.generation), connection,
                {.exchange = operation.exchange,
                 .start_ns = operation.arrival.ktime_ns,
                 .end_ns = end_ns,
                 .text = operation.text,
                 .parameters = operation.parameters,
                 .code = operation.code.text(),
                 .error = error,
                 .rows = operation.has_rows ? static_cast<std::int64_t>(operation.rows) : -1,
                 .unknown = operation.unknown});
}

void Stitcher::Drop(sdk::Stream stream, Connection& c) {
  pins_.Unpin(c.first->arrival.generation);
  Pop(stream, c);
}

/// It is not known any more which answer belongs to which operation.
void Stitcher::Unpair(sdk::Stream stream, Connection& c) {
  while (c.first != nullptr) {
    if (c.first->exchange != 0) stream.Abort(c.first->exchange, PROBE_ABORTED_GAP);
    Drop(stream, c);
  }
  c.path.Forget();
  c.paired = c.skipping = c.grouped = c.ready = false;
  c.inside_group = true;
  c.balance = c.least_balance = 0;
}

void Stitcher::EndAtClose(sdk::Stream stream, Connection& c, std::uint32_t reason, std::uint64_t ktime_ns) {
  if (const std::uint64_t exchange = c.first->exchange; exchange != 0) {
    switch (reason) {
      case PROBE_CLOSE_UNLOAD: stream.Abort(exchange, PROBE_ABORTED_UNLOAD); break;
      case PROBE_CLOSE_EVICTED: stream.Abort(exchange, PROBE_EVICTED_MEMORY); break;
      case PROBE_CLOSE_HANDED_OVER: stream.Abort(exchange, PROBE_ABORTED_CLOSE); break;
      default: Emit(stream, c, *c.first, sdk::CloseFailure(reason), ktime_ns); break;
    }
  }
  Drop(stream, c);
}

}  // namespace probed::mod::sql::pg
