// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What a server answers: operations end here. It answers in the order in which it was asked; a packet that cannot be
// the answer to the first operation says that bytes were missed, and then no answer is trusted.
#include <algorithm>
#include <array>
#include <charconv>

#include "api/sdk/close_failure.h"
#include "modules/sql/decode/my_stitch.h"

namespace probed::mod::sql::my {
namespace {

constexpr std::uint8_t kFirstAnswer = 1;

/// Where the greeting was not seen it may be MariaDB all the same.
std::string_view SystemOf(const Connection& c) { return c.mariadb ? "mariadb" : "mysql"; }

}  // namespace

void Stitcher::OnBack(Reading& r, const Packet& packet) {
  Connection& c = r.c;
  if (c.first == nullptr) TakeCutFront(r);
  if (!c.logged_in) return OnBeforeLogin(r, packet);
  if (!c.paired) {
    c.waits = false;
    return;
  }
  Operation* operation = c.first;
  // what is left of an answer that is over: the EOF behind definitions
  const bool left_over = packet.IsPlainEnd() && packet.sequence != kFirstAnswer;
  if (operation == nullptr) {
    if (!left_over && packet.sequence != 0) Unpair(r.stream, c);
    return;
  }
  switch (operation->place) {
    case Place::kFirst:
      if (packet.sequence == kFirstAnswer || (operation->is_long && !left_over)) return OnFirst(r, *operation, packet);
      if (!left_over) Unpair(r.stream, c);
      return;
    case Place::kData:
    case Place::kNext: return OnResult(r, *operation, packet);
    case Place::kColumns:
      if (packet.IsError()) return OnError(r, *operation, packet);
      return CountColumns(*operation, 1);
    case Place::kColumnsEnd: return OnColumnsEnd(r, *operation, packet);
    case Place::kRows: return OnRow(r, *operation, packet);
    case Place::kDefinitions:
      if (packet.IsEnd()) return;
      if (--operation->left == 0) Drop(r.stream, c);
      return;
  }
}

void Stitcher::OnBeforeLogin(Reading& r, const Packet& packet) {
  Connection& c = r.c;
  if (packet.sequence == 0 && packet.first() == 10) {
    const Greeting greeting = ReadGreeting(packet.body);
    c.mariadb = greeting.mariadb;
    c.server_capabilities = greeting.capabilities;
    return;
  }
  if (packet.first() != MY_OK || c.capabilities == 0) return;
  OnLoggedIn(r);
  if (const Ok ok = ReadOk(packet.body.substr(1)); !ok.database.empty()) UseDatabase(c, ok.database);
}

/// The server answers: of what the client's direction waits for the end is missing, or was left out.
void Stitcher::TakeCutFront(Reading& r) {
  const std::uint8_t front = r.direction == PROBE_SENT ? PROBE_RECEIVED : PROBE_SENT;
  Reading cut{r.stream, r.c, r.c.directions[front], front, r.segment};
  if (!cut.d.buffer.empty()) TakeCut(cut);
}

/// Compression begins behind this packet.
void Stitcher::OnLoggedIn(Reading& r) {
  Connection& c = r.c;
  c.logged_in = true;
  const unsigned both = c.server_capabilities == 0 ? c.capabilities : c.capabilities & c.server_capabilities;
  if ((both & (MY_COMPRESS | MY_ZSTD)) == 0) return;
  emitter_.CountCompressed(r.stream, KindOf(c), SystemOf(c));
  GiveAway(r);
}

void Stitcher::OnFirst(Reading& r, Operation& operation, const Packet& packet) {
  switch (operation.step) {
    case Step::kStatement: return OnResult(r, operation, packet);
    case Step::kFetch: operation.place = Place::kRows; return OnRow(r, operation, packet);
    case Step::kPrepare: return OnPrepared(r, operation, packet);
    case Step::kFields:
      if (packet.IsError()) return OnError(r, operation, packet);
      if (packet.IsEnd()) return Finish(r);
      operation.place = Place::kRows;
      return;
    case Step::kSmall:
    case Step::kLogin:
      if (packet.IsError()) return OnError(r, operation, packet);
      if (operation.step == Step::kLogin && packet.first() != MY_OK) {
        operation.place = Place::kData;
        return;
      }
      return Finish(r);
  }
}

/// The first packet of a result.
void Stitcher::OnResult(Reading& r, Operation& operation, const Packet& packet) {
  if (packet.IsError()) return OnError(r, operation, packet);
  if (operation.step == Step::kLogin) return packet.first() == MY_OK ? Finish(r) : void();
  if (packet.first() == MY_OK) {
    const Ok ok = ReadOk(packet.body.substr(1));
    if (!ok.database.empty()) {
      UseDatabase(r.c, ok.database);
      operation.uses = operation.switches = false;
    }
    return EndResult(r, operation, ok.status);
  }
  if (packet.first() == MY_INFILE) {
    operation.place = Place::kData;
    return;
  }
  Fields fields(packet.body);
  operation.left = fields.Length();
  const bool left_out = fields.rest() == std::string_view("\0", 1);  // MariaDB, where the client knows them
  if (!fields.good() || operation.left == 0 || operation.left > 0xffff) return Unpair(r.stream, r.c);
  operation.has_rows = true;
  operation.place = left_out ? Place::kColumnsEnd : Place::kColumns;
}

/// 0, the statement's number (4), columns (2), parameters (2)
void Stitcher::OnPrepared(Reading& r, Operation& operation, const Packet& packet) {
  if (packet.IsError()) return OnError(r, operation, packet);
  Fields fields(packet.body);
  const unsigned kind = fields.Int(1);
  const StatementKey key(fields.Int(4));
  operation.left = fields.Int(2);
  const unsigned parameters = fields.Int(2);
  operation.left += parameters;
  if (kind != MY_OK || !fields.good()) return Unpair(r.stream, r.c);
  if (operation.text != nullptr) LearnParameters(r, operation, parameters);
  if (operation.text != nullptr) r.c.statements.Set(r.stream, key.text(), Share(operation.text), false);
  operation.place = Place::kDefinitions;
  if (operation.left == 0) Drop(r.stream, r.c);
}

/// What was executed before that was known is read now.
void Stitcher::LearnParameters(Reading& r, Operation& prepared, unsigned parameters) {
  const Text* text = prepared.text;
  prepared.text->parameters = static_cast<std::uint16_t>(parameters);
  prepared.text->epoch = r.c.epoch + 1;
  for (Operation* at = prepared.next; at != nullptr; at = at->next) {
    if (at->text == text && at->step == Step::kStatement) TakeValues(r.stream, r.c, *at, at->name());
  }
}

void Stitcher::CountColumns(Operation& operation, std::uint64_t count) {
  operation.left -= count;
  if (operation.left == 0) operation.place = Place::kColumnsEnd;
}

/// Behind the columns of old stands an EOF. A cursor has its rows fetched later.
void Stitcher::OnColumnsEnd(Reading& r, Operation& operation, const Packet& packet) {
  operation.place = Place::kRows;
  if (!packet.IsPlainEnd()) return OnRow(r, operation, packet);
  const unsigned status = StatusOf(packet);
  if ((status & kCursorExists) == 0) return;
  operation.has_rows = false;
  EndResult(r, operation, status);
}

void Stitcher::OnRow(Reading& r, Operation& operation, const Packet& packet) {
  if (packet.IsError()) return OnError(r, operation, packet);
  if (packet.IsEnd()) return EndResult(r, operation, StatusOf(packet));
  operation.has_rows = true;
  ++operation.rows;
}

/// Whole packets that the kernel kept: columns, definitions and rows.
void Stitcher::OnPassed(Reading& r, unsigned packets, bool counted) {
  Operation* operation = r.c.first;
  if (!r.c.paired || operation == nullptr) return;
  const bool in_rows = operation->place == Place::kRows || operation->place == Place::kColumnsEnd;
  if (!counted && !in_rows) return Unpair(r.stream, r.c);
  if (!counted) operation->uncounted = true;
  std::uint64_t left = packets;
  if (operation->place == Place::kDefinitions) {
    operation->left -= std::min(left, operation->left);
    if (operation->left == 0) Drop(r.stream, r.c);
    return;
  }
  if (operation->place == Place::kColumns) {
    const std::uint64_t columns = std::min(left, operation->left);
    CountColumns(*operation, columns);
    left -= columns;
  }
  if (left == 0) return;
  if (operation->place == Place::kColumnsEnd) operation->place = Place::kRows;
  if (operation->place != Place::kRows) return Unpair(r.stream, r.c);
  operation->rows += left;
}

void Stitcher::OnError(Reading& r, Operation& operation, const Packet& packet) {
  const Error error = ReadError(packet.body);
  if (error.number == kProgress) return;
  std::array<char, 6> digits{};
  const auto end = std::to_chars(digits.begin(), digits.end(), error.number).ptr;
  operation.failed = true;
  operation.code.Set({digits.data(), static_cast<std::size_t>(end - digits.begin())});
  operation.state.Set(error.state);
  if (operation.step == Step::kPrepare) Begin(r, operation);
  Finish(r);
}

void Stitcher::EndResult(Reading& r, Operation& operation, unsigned status) {
  if ((status & kMoreResults) == 0) return Finish(r);
  operation.place = Place::kNext;
}

void Stitcher::Finish(Reading& r) {
  Connection& c = r.c;
  const Operation& operation = *c.first;
  Emit(r.stream, c, operation, {}, r.segment.ktime_ns);
  if (operation.uses && !operation.failed) UseDatabase(c, operation.name());
  if (operation.switches) UseDatabase(c, {});
  Drop(r.stream, c);
}

void Stitcher::UseDatabase(Connection& c, std::string_view name) {
  if (c.database.text() == name) return;
  c.database.Set(name);
  c.kept.set = 0;
  ++c.description;
}

/// `error`: where the server did not say one.
void Stitcher::Emit(sdk::Stream stream, Connection& c, const Operation& operation, std::string_view error,
                    std::uint64_t end_ns) {
  if (operation.exchange == 0) return;
  if (operation.failed) error = operation.code.text();
  const ConnectionView connection{.system = SystemOf(c),
                                  .name_space = c.database.text(),
                                  .server = &c.server,
                                  .default_port = 3306,
                                  .kept = &c.kept,
                                  .description = c.description + 1};
  emitter_.Emit(stream, KindOf(c), *configs_.Find(operation.arrival.generation), connection,
                {.exchange = operation.exchange,
                 .start_ns = operation.arrival.ktime_ns,
                 .end_ns = end_ns,
                 .text = operation.text,
                 .parameters = operation.parameters,
                 .code = operation.code.text(),
                 .state = operation.state.text(),
                 .error = error,
                 .rows = operation.has_rows && !operation.uncounted ? static_cast<std::int64_t>(operation.rows) : -1,
                 .unknown = operation.unknown});
}

void Stitcher::Drop(sdk::Stream stream, Connection& c) {
  pins_.Unpin(c.first->arrival.generation);
  Pop(stream, c);
}

/// It is not known any more which answer belongs to which operation.
void Stitcher::Unpair(sdk::Stream stream, Connection& c) {
  if (c.first != nullptr) c.waits = true;
  while (c.first != nullptr) {
    if (c.first->exchange != 0) stream.Abort(c.first->exchange, PROBE_ABORTED_GAP);
    if (c.first->uses || c.first->switches) UseDatabase(c, {});
    Drop(stream, c);
  }
  c.paired = false;
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

}  // namespace probed::mod::sql::my
