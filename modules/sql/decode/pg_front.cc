// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What a client sends: operations begin here.
#include "api/sdk/text.h"
#include "modules/sql/decode/pg_stitch.h"

namespace probed::mod::sql::pg {

void Stitcher::OnFront(Reading& r, const Message& message, const Arrival& arrival) {
  switch (message.type) {
    case 'Q': return OnQuery(r, message, arrival);
    case 'P': return OnParse(r, message, arrival);
    case 'B': return OnBind(r, message, arrival);
    case 'D': return OnDescribe(r, message, arrival);
    case 'E': return OnExecute(r, message, arrival);
    case 'C': return OnCloseMessage(r, message, arrival);
    case 'S': return OnSync(r, arrival);
    case 'F':
      if (!r.c.skipping && Pair(r, Step::kFunction)) Add(r, Step::kFunction, arrival);
      return;
    default: return;
  }
}

/// Whether its answer will be known. A connection that was joined late, or lost bytes, is taken up again where the
/// server waits and as little was open as ever since.
bool Stitcher::Pair(Reading& r, Step step) {
  Connection& c = r.c;
  if (c.paired) return true;
  const bool ends = step == Step::kQuery || step == Step::kSync || step == Step::kFunction;
  const Direction& back = c.directions[r.direction == PROBE_SENT ? PROBE_RECEIVED : PROBE_SENT];
  const bool waits = c.ready || !back.started;
  const bool begins = step == Step::kQuery || (!c.inside_group && step != Step::kSync);
  if (waits && begins && c.balance == c.least_balance) {
    c.paired = true;
    c.skipping = c.grouped = false;
    return true;
  }
  c.inside_group = !ends;
  if (ends) ++c.balance;
  return false;
}

/// The operation at the end of those that wait. nullptr: no memory, so that nothing is known of any answer.
Operation* Stitcher::Add(Reading& r, Step step, const Arrival& arrival, std::string_view name) {
  Operation* operation = Push(r.stream, r.c, step, name);
  if (operation == nullptr) {
    Unpair(r.stream, r.c);
    return nullptr;
  }
  operation->arrival = arrival;
  pins_.Pin(arrival.generation);
  return operation;
}

bool Stitcher::Wanted(const Reading& r, const Arrival& arrival) {
  return KindOf(r.c) == PROBE_SPAN_CLIENT || configs_.Find(arrival.generation)->server_spans;
}

/// An operation whose answer nobody would know.
void Stitcher::CountLost(Reading& r, const Arrival& arrival) {
  if (Wanted(r, arrival)) r.stream.Abort(BeginExchange(r.stream, KindOf(r.c), arrival), PROBE_ABORTED_GAP);
}

Text* Stitcher::TextOf(Reading& r, std::string_view sql, bool cut, bool may_be_plain, const Arrival& arrival) {
  if (!Wanted(r, arrival)) return nullptr;
  const Config& config = *configs_.Find(arrival.generation);
  const bool truncated = cut || sql.size() > config.capture_bytes;
  const PathChange change = PathChangeOf(sql);
  return MakeText(r.stream,
                  {.sql = sql.substr(0, config.capture_bytes),
                   .dialect = Dialect::kPostgres,
                   .truncated = truncated,
                   .may_be_plain = may_be_plain,
                   .keep_query = config.query_text,
                   .effect = static_cast<std::uint8_t>(change.step),
                   .effect_name = change.schema.size() <= Schema::kMost ? change.schema : std::string_view{}});
}

/// What is sent behind a failure and before the next Sync is not executed.
void Stitcher::EmitSkipped(Reading& r, const Arrival& arrival, Text* text) {
  if (Wanted(r, arrival)) {
    Operation operation;
    operation.arrival = arrival;
    operation.text = text;
    operation.exchange = BeginExchange(r.stream, KindOf(r.c), arrival);
    Emit(r.stream, r.c, operation, "pipeline_aborted", r.segment.ktime_ns);
  }
  Release(r.stream, &text);
}

void Stitcher::OnQuery(Reading& r, const Message& message, const Arrival& arrival) {
  bool cut = false;
  std::string_view body = message.body;
  const std::string_view sql = TakeText(&body, &cut);
  if (r.c.skipping) return EmitSkipped(r, arrival, TextOf(r, sql, cut, false, arrival));
  ForgetBySql(r, sql);
  r.c.grouped = false;
  if (!Pair(r, Step::kQuery)) return CountLost(r, arrival);
  Operation* operation = Add(r, Step::kQuery, arrival);
  if (operation == nullptr || !Wanted(r, arrival)) return;
  operation->text = TextOf(r, sql, cut, false, arrival);
  operation->exchange = BeginExchange(r.stream, KindOf(r.c), arrival);
}

/// Statements of the protocol can be redefined and removed by SQL.
void Stitcher::ForgetBySql(Reading& r, std::string_view sql) {
  Tokens tokens(sql, Dialect::kPostgres);
  const std::string_view verb = tokens.NextWord().text;
  if (sdk::EqualsIgnoreCase(verb, "DISCARD")) return r.c.statements.Clear(r.stream);
  if (!sdk::EqualsIgnoreCase(verb, "DEALLOCATE") && !sdk::EqualsIgnoreCase(verb, "PREPARE")) return;
  Token name = tokens.NextWord();
  if (sdk::EqualsIgnoreCase(name.text, "PREPARE")) name = tokens.NextWord();
  if (name.kind == TokenKind::kWord && sdk::EqualsIgnoreCase(name.text, "ALL")) return r.c.statements.Clear(r.stream);
  if (name.kind == TokenKind::kQuoted && name.text.size() >= 2) name.text = name.text.substr(1, name.text.size() - 2);
  Text* text = r.c.statements.Remove(r.stream, name.text);
  Release(r.stream, &text);
  text = r.c.statements.Remove(r.stream, sdk::Lowered(name.text));
  Release(r.stream, &text);
}

void Stitcher::OnParse(Reading& r, const Message& message, const Arrival& arrival) {
  std::string_view body = message.body;
  std::string_view name;
  bool cut = false;
  const bool named = TakeString(&body, &name);
  const std::string_view sql = TakeText(&body, &cut);
  Text* text = named ? TextOf(r, sql, cut, true, arrival) : nullptr;
  if (text != nullptr && !cut && configs_.Find(arrival.generation)->query_parameters)
    ReadTypes(r.stream, body, &text->types);
  if (r.c.skipping) {
    if (text != nullptr) r.c.passed.Set(r.stream, name, text, false);
    return;
  }
  Text* replaced = named ? r.c.statements.Remove(r.stream, name) : nullptr;
  if (named && text != nullptr) r.c.statements.Set(r.stream, name, Share(text), false);
  Operation* operation = Pair(r, Step::kParse) ? Add(r, Step::kParse, arrival, name) : nullptr;
  if (operation == nullptr) {
    Release(r.stream, &text);
    return Release(r.stream, &replaced);
  }
  operation->text = text;
  operation->replaced = replaced;
  operation->named = named;
  if (!r.c.grouped) r.c.group = arrival;
  r.c.grouped = true;
}

void Stitcher::OnBind(Reading& r, const Message& message, const Arrival& arrival) {
  std::string_view body = message.body;
  std::string_view portal;
  std::string_view name;
  const bool named = TakeString(&body, &portal) && TakeString(&body, &name);
  const Named* statement = named && r.c.skipping ? r.c.passed.Find(name) : nullptr;
  if (named && statement == nullptr) statement = r.c.statements.Find(name);
  Text* text = statement == nullptr ? nullptr : statement->text;
  const bool set = named && r.c.portals.Set(r.stream, portal, Share(text), statement == nullptr);
  if (set && Wanted(r, arrival) && configs_.Find(arrival.generation)->query_parameters)
    TakeParameters(r, portal, body, text, arrival);
  if (r.c.skipping) return;
  Operation* operation = Pair(r, Step::kBind) ? Add(r, Step::kBind, arrival) : nullptr;
  if (operation == nullptr) return;
  operation->text = Share(text);
  operation->unknown = statement == nullptr;
  if (!r.c.grouped) r.c.group = arrival;
  r.c.grouped = true;
}

/// `body`: behind the names of a Bind.
void Stitcher::TakeParameters(Reading& r, std::string_view portal, std::string_view body, const Text* text,
                              const Arrival& arrival) {
  const Config& config = *configs_.Find(arrival.generation);
  ReadParameters(body.substr(0, ParameterBytes(config)), text == nullptr ? nullptr : text->types, writer_);
  r.c.portals.Find(portal)->parameters = writer_.Make(r.stream);
}

void Stitcher::OnDescribe(Reading& r, const Message& message, const Arrival& arrival) {
  if (r.c.skipping || !Pair(r, Step::kDescribe)) return;
  Operation* operation = Add(r, Step::kDescribe, arrival);
  if (operation == nullptr || message.body.empty()) return;
  std::string_view body = message.body.substr(1);
  std::string_view name;
  if (!TakeString(&body, &name)) return;
  const Named* named = (message.body[0] == 'S' ? r.c.statements : r.c.portals).Find(name);
  operation->text = named == nullptr ? nullptr : Share(named->text);
  operation->unknown = named == nullptr;
}

void Stitcher::OnExecute(Reading& r, const Message& message, const Arrival& arrival) {
  std::string_view body = message.body;
  std::string_view portal;
  const Named* named = TakeString(&body, &portal) ? r.c.portals.Find(portal) : nullptr;
  Text* text = named == nullptr ? nullptr : named->text;
  if (r.c.skipping) return EmitSkipped(r, arrival, Share(text));
  if (!Pair(r, Step::kExecute)) return CountLost(r, arrival);
  Operation* operation = Add(r, Step::kExecute, r.c.grouped ? r.c.group : arrival);
  r.c.grouped = false;
  if (operation == nullptr || !Wanted(r, operation->arrival)) return;
  operation->text = Share(text);
  operation->parameters = named == nullptr ? nullptr : Share(named->parameters);
  operation->unknown = named == nullptr || named->unknown;
  operation->exchange = BeginExchange(r.stream, KindOf(r.c), operation->arrival);
}

void Stitcher::OnCloseMessage(Reading& r, const Message& message, const Arrival& arrival) {
  std::string_view body = message.body;
  std::string_view name;
  if (r.c.skipping || body.empty()) return;
  const bool statement = body[0] == 'S';
  body.remove_prefix(1);
  const bool named = TakeString(&body, &name);
  Text* text = named ? (statement ? r.c.statements : r.c.portals).Remove(r.stream, name) : nullptr;
  Operation* operation = Pair(r, Step::kClose) ? Add(r, Step::kClose, arrival, name) : nullptr;
  if (operation == nullptr || !statement) return Release(r.stream, &text);
  operation->replaced = text;
  operation->named = named;
}

void Stitcher::OnSync(Reading& r, const Arrival& arrival) {
  r.c.skipping = r.c.grouped = false;
  r.c.passed.Clear(r.stream);
  if (Pair(r, Step::kSync)) Add(r, Step::kSync, arrival);
}

}  // namespace probed::mod::sql::pg
