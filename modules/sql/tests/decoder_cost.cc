// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Instructions per statement, decoding and attributes, without the host: run under callgrind with
// --toggle-collect='PairOfRecords*' and divide by the number of statements. The argument is "simple", "prepared",
// "my_query" or "my_execute".
#include <cstdio>
#include <string>
#include <string_view>

#include "api/module/probe_module.h"
#include "api/sdk/testing/null_host.h"
#include "modules/sql/tests/my_messages.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace {

using probed::sdk::testing::Wire;
using namespace probed::mod::sql::testing;  // NOLINT: the messages of this folder

constexpr int kStatements = 10000;

struct Exchange {
  std::string request;
  std::string response;
};

namespace my = probed::mod::sql::testing::my;

Exchange Statement(std::string_view mode) {
  if (mode == "my_query") return {my::Query("select title from song where id = 7;"), my::Rows(1)};
  if (mode == "my_execute") return {my::Execute(1), my::Rows(1)};
  const std::string row = Row("title 7") + Complete("SELECT 1") + Ready();
  if (mode == "simple") return {Query("select title from song where id = 7;"), Columns() + row};
  return {Bind("", "P0") + Describe('P', "") + Execute() + Sync(), BindDone() + Columns() + row};
}

}  // namespace

extern "C" __attribute__((noinline)) void PairOfRecords(probe_shard_t* shard, probe_stream_t* stream, void** state,
                                                        probe_segment_t* request, probe_segment_t* response) {
  probe_module_entry.on_segment(shard, stream, state, request);
  probe_module_entry.on_segment(shard, stream, state, response);
}

int main(int count, char** arguments) {
  const std::string_view mode = count > 1 ? arguments[1] : "simple";
  probed::sdk::testing::NullModule module(probe_module_entry);
  Wire wire;
  void* state = nullptr;
  const auto exchange = [&](const std::string& request, const std::string& response) {
    probe_segment_t asked = wire.Segment(PROBE_SENT, request);
    probe_segment_t answered = wire.Segment(PROBE_RECEIVED, response);
    PairOfRecords(module.shard(), module.stream(), &state, &asked, &answered);
  };
  if (mode.starts_with("my_")) {
    exchange(my::Login(MY_TLS, "shop", 2), my::Done(3));
    exchange(my::Prepare("select title from song where id = ?"), my::Prepared(1));
  } else {
    exchange(Startup(), Welcome());
    exchange(Parse("P0", "select title from song where id = $1;") + Sync(), ParseDone() + Ready());
  }
  const Exchange statement = Statement(mode);
  for (int i = 0; i < kStatements; ++i) exchange(statement.request, statement.response);
  probe_module_entry.on_close(module.shard(), module.stream(), &state, PROBE_CLOSE_PEER, 0);
  std::printf("%d statements\n", kStatements);
  return 0;
}
