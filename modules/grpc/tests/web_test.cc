// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// gRPC-Web over HTTP/2: trailers as the last message of the body.
#include <gmock/gmock.h>

#include "api/sdk/testing/drive.h"
#include "modules/grpc/bpf/h2_frames.h"
#include "modules/grpc/decode/status.h"
#include "modules/grpc/decode/web_status.h"
#include "modules/grpc/tests/frames.h"
#include "modules/grpc/tests/vectors.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace probed::mod::grpc {
namespace {

using namespace testing;  // NOLINT: the frames of this folder
using ::testing::ElementsAre;

/// "grpc-status: 0" and an empty "grpc-message", as a server of Connect's Go library compresses it.
std::string Compressed() {
  return {"\x1f\x8b\x08\0\0\0\0\0\0\xffJ/*H\xd6-.I,)-\xb6R0\xe0\xe5\x02\x04\0\0\xff\xff\xfdl$\xab\x10\0\0\0", 40};
}

TEST(GrpcWebStatus, IsAtTheBeginningOfALine) {
  EXPECT_EQ(WebStatus("grpc-status: 5\r\ngrpc-message: no\r\n"), 5);
  EXPECT_EQ(WebStatus("grpc-message: grpc-status: 0\r\ngrpc-status:7\r\n"), 7);
  EXPECT_EQ(WebStatus("grpc-message: grpc-status: 0\r\n"), kNoStatus);
  EXPECT_EQ(WebStatus("grpc-status: 1"), kNoStatus);  // it may go on
  EXPECT_EQ(WebStatus(""), kNoStatus);
}

TEST(GrpcWebStatus, MayBeCompressed) {
  EXPECT_EQ(WebStatus(Compressed()), kOk);
  std::string broken = Compressed();
  broken[12] = static_cast<char>(broken[12] ^ 0x55);
  EXPECT_EQ(WebStatus(broken), kNoStatus);
  for (std::size_t size = 0; size < 24; ++size) EXPECT_EQ(WebStatus(Compressed().substr(0, size)), kNoStatus) << size;
}

/// A server under test; what it sent before its trailers.
class GrpcWebCall : public ::testing::Test {
 protected:
  void SetUp() override {
    stream_.Open();
    stream_.Receive(Join({p_.Hello(), p_.client.Frames(1, WebRequest("a.B/Web")), Data(1, Message("x"), true)}));
    stream_.Send(Settings());
    stream_.Send(p_.server.Frames(1, WebResponse()));
  }
  std::vector<std::string> Spans() {
    stream_.Close(PROBE_CLOSE_PEER);
    EXPECT_EQ(driver_.host.LedgerProblem(), "");
    return Shown(driver_.host.spans);
  }
  /// A DATA frame of which the kernel shows the head alone.
  void SendLong(std::size_t size) {
    const auto left_out = static_cast<std::uint32_t>(size);
    stream_.Feed({PROBE_SENT, Data(1, std::string(size, '\x80')).substr(0, H2_HEAD_BYTES), left_out, 0,
                  H2_HINT_ALIGNED | H2_HINT_PACKED | H2_HINT_TAILS});
  }

  Peers p_;
  sdk::testing::Driver driver_{probe_module_entry};
  sdk::testing::StreamDriver stream_ = driver_.NewStream();
};

TEST_F(GrpcWebCall, EndedByAnEmptyFrame) {
  stream_.Send(Data(1, Message("answer")));
  stream_.Send(Data(1, WebTrailers('\x81', Compressed())));
  stream_.Send(Data(1, "", true));
  EXPECT_THAT(Spans(), ElementsAre("server a.B/Web OK -"));
}

TEST_F(GrpcWebCall, BehindALongMessage) {
  SendLong(5000);
  stream_.Send(Data(1, WebTrailers('\x80', "grpc-status: 7\r\n")));
  stream_.Send(Data(1, "", true));
  EXPECT_THAT(Spans(), ElementsAre("server a.B/Web PERMISSION_DENIED -"));
}

TEST_F(GrpcWebCall, BehindALongMessageAPieceOfAnotherIsNoTrailers) {
  SendLong(5000);
  stream_.Send(Data(1, "\x80" + BigEndian(17, 4) + "grpc-status: 7\r\n"));  // it would be one byte longer
  stream_.Send(Data(1, "", true));
  EXPECT_THAT(Spans(), ElementsAre("server a.B/Web - -"));
}

}  // namespace
}  // namespace probed::mod::grpc
