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
    case MY_STMT_EXECUTE: OnExecute(r, Step::kStatement, body, arrival); return TakeParameters(r, body, size, arrival);
    case MY_STMT_BULK_EXECUTE: return OnExecute(r, Step::kStatement, body, arrival);
    case MY_STMT_FETCH: return OnExecute(r, Step::kFetch, body, arrival);
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

/// Of COM_STMT_EXECUTE and COM_STMT_FETCH: both begin with the statement's number.
void Stitcher::OnExecute(Reading& r, Step step, std::string_view body, const Arrival& arrival) {
  Operation* operation = Add(r, step, arrival);
  if (operation == nullptr) return CountLost(r, arrival);
  Fields fields(body);
  const unsigned number = fields.Int(4);
  const Named* named = fields.good() ? r.c.statements.Find(StatementKey(number).text()) : nullptr;
  Text* text = named != nullptr ? named->text : nullptr;
  if (number == kLastPrepared) text = r.c.prepared;
  operation->text = Share(text);
  operation->unknown = text == nullptr;
  Begin(r, *operation);
}

/// Statement (4), flags (1), iterations (4), and what ReadParameters() knows. What MySQL 8 adds for attributes of the
/// query is not read, and neither is an execution some of whose values were sent before it, or whose types may have
/// been missed.
void Stitcher::TakeParameters(Reading& r, std::string_view body, std::size_t size, const Arrival& arrival) {
  constexpr std::size_t kAhead = 4 + 1 + 4;
  Operation* operation = r.c.last;
  if (operation == nullptr || operation->text == nullptr || !configs_.Find(arrival.generation)->query_parameters)
    return;
  Text& text = *operation->text;
  const bool elsewhere = std::exchange(text.long_data, false);
  const unsigned both = r.c.capabilities & (r.c.server_capabilities == 0 ? ~0U : r.c.server_capabilities);
  if (elsewhere || text.parameters == 0 || text.epoch != r.c.epoch + 1 || body.size() < kAhead) return;
  if (r.c.capabilities == 0 || (both & MY_QUERY_ATTRIBUTES) != 0) return;
  const bool whole = body.size() == size;
  if (ReadParameters(r.stream, body.substr(kAhead), whole, text.parameters, &text.types, writer_))
    operation->parameters = writer_.Make(r.stream);
}

void Stitcher::OnLongData(Reading& r, std::string_view body) {
  Fields fields(body);
  const Named* named = r.c.statements.Find(StatementKey(fields.Int(4)).text());
  if (named != nullptr && named->text != nullptr) named->text->long_data = true;
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
