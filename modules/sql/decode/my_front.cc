// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What a client sends: operations begin here.
#include <utility>

#include "modules/sql/bpf/my_walk.h"
#include "modules/sql/decode/my_parameters.h"
#include "modules/sql/decode/my_stitch.h"

namespace probed::mod::sql::my {
namespace {

constexpr unsigned kLastPrepared = 0xffffffff;  // MariaDB: the statement of the COM_STMT_PREPARE in front

}  // namespace

/// Commands have sequence 0. Others log in, or are data of LOCAL INFILE, whose sequence comes round to 0.
void Stitcher::OnFront(Reading& r, const Packet& packet, const Arrival& arrival) {
  Connection& c = r.c;
  if (!c.logged_in) {
    if (packet.sequence != 0) OnLogin(r, packet);
    return;
  }
  const bool data = c.first != nullptr && c.first->place == Place::kData;
  if (packet.sequence != 0 || data || packet.body.empty()) return;
  const auto command = static_cast<unsigned char>(packet.body[0]);
  OnCommand(r, command, packet.body.substr(1), packet.size - 1, arrival);
}

/// The first packet is the client's answer to the greeting; others are steps of the proof.
void Stitcher::OnLogin(Reading& r, const Packet& packet) {
  Connection& c = r.c;
  if (packet.sequence > 2 || packet.body.size() < MY_LEAST_LOGIN || c.capabilities != 0) return;
  const Login login = ReadLogin(packet.body);
  c.capabilities = login.capabilities;
  if (c.server_capabilities == 0 && login.extended != 0) c.mariadb = true;
  if ((login.capabilities & MY_TLS) != 0 && packet.size == MY_LEAST_LOGIN) {
    const Direction& received = c.directions[PROBE_RECEIVED];
    c.given_away = true;
    if (r.segment.hint == MY_LET_GO) return;  // the kernel did it
    if (r.stream.HandOver(received.expected, "tls") != PROBE_OK) r.stream.NotMine();
    return;
  }
  c.login_cut = packet.body.size() == MY_LEAST_LOGIN && (login.capabilities & MY_WITH_DATABASE) != 0;
  if (!login.database.empty()) UseDatabase(c, login.database);
}

void Stitcher::OnCommand(Reading& r, unsigned command, std::string_view body, std::size_t size,
                         const Arrival& arrival) {
  switch (command) {
    case MY_QUERY: return OnQuery(r, body, size, arrival);
    case MY_STMT_PREPARE: return OnPrepare(r, body, size, arrival);
    case MY_STMT_EXECUTE:
    case MY_STMT_BULK_EXECUTE: return OnExecute(r, command, body, size, arrival);
    case MY_STMT_FETCH: return OnFetch(r, body, arrival);
    case MY_STMT_CLOSE: return OnStatementClose(r, body);
    case MY_STMT_SEND_LONG_DATA: return OnLongData(r, body);
    case MY_QUIT: return;  // have no answer
    case MY_INIT_DB: return OnDatabase(r, body, size, arrival);
    case MY_CHANGE_USER: return OnChangeUser(r, arrival);
    case MY_RESET_CONNECTION: r.c.statements.Clear(r.stream); break;
    case MY_FIELD_LIST: Add(r, Step::kFields, arrival); return;
    case MY_BINLOG_DUMP:
    case MY_BINLOG_DUMP_GTID:
    case MY_TABLE_DUMP: return GiveAway(r);  // replication: no statements any more
    default: break;
  }
  Add(r, Step::kSmall, arrival);
}

/// The operation at the end of those that wait. nullptr: its answer will not be known. A connection that was joined
/// late, or lost bytes, is taken up where everything that was sent before was answered.
Operation* Stitcher::Add(Reading& r, Step step, const Arrival& arrival, std::string_view name) {
  Connection& c = r.c;
  if (!c.paired && c.waits) return nullptr;
  c.paired = true;
  Operation* operation = Push(r.stream, c, step, name);
  if (operation == nullptr && !name.empty()) operation = Push(r.stream, c, step, {});  // less is known of it
  if (operation == nullptr) {
    Unpair(r.stream, c);
    c.waits = true;
    return nullptr;
  }
  operation->arrival = arrival;
  operation->is_long = c.more;
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
  return MakeText(r.stream, {.sql = sql.substr(0, config.capture_bytes),
                             .dialect = Dialect::kMysql,
                             .truncated = cut || sql.size() > config.capture_bytes,
                             .may_be_plain = may_be_plain,
                             .keep_query = config.query_text});
}

void Stitcher::Begin(Reading& r, Operation& operation) {
  if (Wanted(r, operation.arrival)) operation.exchange = BeginExchange(r.stream, KindOf(r.c), operation.arrival);
}

void Stitcher::OnQuery(Reading& r, std::string_view body, std::size_t size, const Arrival& arrival) {
  const bool cut = body.size() < size;
  const bool known = TakeQuery(&body);
  const std::string_view database = known && !cut ? DatabaseOfUse(body) : std::string_view{};
  Operation* operation = Add(r, Step::kStatement, arrival, database);
  if (operation == nullptr) return CountLost(r, arrival);
  operation->uses = !database.empty();
  operation->switches = known && database.empty() && MentionsUse(body);
  if (known) operation->text = TextOf(r, body, cut, false, arrival);
  Begin(r, *operation);
}

void Stitcher::OnPrepare(Reading& r, std::string_view body, std::size_t size, const Arrival& arrival) {
  Release(r.stream, &r.c.prepared);
  Operation* operation = Add(r, Step::kPrepare, arrival);
  if (operation == nullptr) return;
  operation->text = TextOf(r, body, body.size() < size, true, arrival);
  r.c.prepared = Share(operation->text);
}

/// The statement whose number is next. nullptr: it was prepared before it could be seen.
Text* Stitcher::TextBehind(const Connection& c, Fields& fields) {
  const unsigned number = fields.Int(4);
  if (!fields.good()) return nullptr;
  if (number == kLastPrepared) return c.prepared;
  const Named* named = c.statements.Find(StatementKey(number).text());
  return named != nullptr ? named->text : nullptr;
}

/// `values` are kept with it. nullptr: its answer will not be known.
Operation* Stitcher::AddExecution(Reading& r, Step step, Text* text, const Arrival& arrival, std::string_view values) {
  Operation* operation = Add(r, step, arrival, values);
  if (operation == nullptr) {
    CountLost(r, arrival);
    return nullptr;
  }
  operation->text = Share(text);
  operation->unknown = text == nullptr;
  Begin(r, *operation);
  return operation;
}

void Stitcher::OnFetch(Reading& r, std::string_view body, const Arrival& arrival) {
  Fields fields(body);
  AddExecution(r, Step::kFetch, TextBehind(r.c, fields), arrival, {});
}

/// Where the statement is still being prepared nobody knows how many values it takes: they are looked at when the
/// server says so.
void Stitcher::OnExecute(Reading& r, unsigned command, std::string_view body, std::size_t size,
                         const Arrival& arrival) {
  Fields fields(body);
  Text* text = TextBehind(r.c, fields);
  const bool elsewhere = text != nullptr && std::exchange(text->long_data, false);
  const Values values = elsewhere ? Values::kNone : WantedValues(command, arrival);
  const bool early = text != nullptr && text->epoch == 0;
  const bool kept = early && values != Values::kNone;
  Operation* operation = AddExecution(r, Step::kStatement, text, arrival, kept ? fields.rest() : std::string_view{});
  if (text == nullptr) return;
  if (operation == nullptr) return Free(r.stream, &text->types);  // it may have said others
  operation->values = values;
  operation->cut = body.size() < size;
  if (!early) TakeValues(r.stream, r.c, *operation, fields.rest());
}

Values Stitcher::WantedValues(unsigned command, const Arrival& arrival) {
  if (command == MY_STMT_BULK_EXECUTE) return Values::kSets;
  return configs_.Find(arrival.generation)->query_parameters ? Values::kParameters : Values::kNone;
}

/// Types that an execution may have said and that were not read leave none that are known.
void Stitcher::TakeValues(sdk::Stream stream, const Connection& c, Operation& operation, std::string_view bytes) {
  Text& text = *operation.text;
  const bool known = text.parameters != 0 && text.epoch == c.epoch + 1;
  if (known && operation.values == Values::kSets) {
    const Sets sets = CountSets(stream, bytes, !operation.cut, text.parameters, &text.types);
    if (sets.seen == 0 && !operation.cut) return Free(stream, &text.types);
    Text* batch = sets.seen > 1 ? MakeBatch(stream, text, sets.exact ? sets.seen : 0) : nullptr;
    if (batch == nullptr) return;
    Release(stream, &operation.text);
    operation.text = batch;
    return;
  }
  if (known && operation.values == Values::kParameters && TakeParameters(stream, c, operation, bytes)) return;
  Free(stream, &text.types);
}

/// Flags (1), iterations (4), and what ReadParameters() knows. What MySQL 8 adds for attributes of the query is not
/// read.
bool Stitcher::TakeParameters(sdk::Stream stream, const Connection& c, Operation& operation, std::string_view bytes) {
  constexpr std::size_t kAhead = 1 + 4;
  const unsigned both = c.capabilities & (c.server_capabilities == 0 ? ~0U : c.server_capabilities);
  if (bytes.size() < kAhead || c.capabilities == 0 || (both & MY_QUERY_ATTRIBUTES) != 0) return false;
  Text& text = *operation.text;
  if (!ReadParameters(stream, bytes.substr(kAhead), !operation.cut, text.parameters, &text.types, writer_))
    return false;
  operation.parameters = writer_.Make(stream);
  return true;
}

void Stitcher::OnLongData(Reading& r, std::string_view body) {
  Fields fields(body);
  Text* text = TextBehind(r.c, fields);
  if (text != nullptr) text->long_data = true;
}

void Stitcher::OnStatementClose(Reading& r, std::string_view body) {
  Fields fields(body);
  Text* text = r.c.statements.Remove(r.stream, StatementKey(fields.Int(4)).text());
  Release(r.stream, &text);
}

void Stitcher::OnDatabase(Reading& r, std::string_view body, std::size_t size, const Arrival& arrival) {
  Operation* operation = Add(r, Step::kSmall, arrival, body.size() == size ? body : std::string_view{});
  if (operation == nullptr) return;
  operation->uses = true;
}

/// As good as a new connection.
void Stitcher::OnChangeUser(Reading& r, const Arrival& arrival) {
  r.c.statements.Clear(r.stream);
  Operation* operation = Add(r, Step::kLogin, arrival);
  if (operation != nullptr) operation->uses = true;
}

}  // namespace probed::mod::sql::my
