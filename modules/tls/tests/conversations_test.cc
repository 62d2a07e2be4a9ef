// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Recorded handshakes of OpenSSL: each as its client and as its server sees it, whole, byte by byte, as the kernel
// ships it, and with a hole at every place.
#include "modules/tls/tests/conversations.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "api/sdk/generations.h"
#include "modules/tls/bpf/tls_records.h"

extern "C" const probe_module_entry_t probe_module_entry;

namespace probed::mod::tls {
namespace {

using namespace testing;  // NOLINT: the conversations of this folder
using sdk::testing::Driver;
using sdk::testing::FeedWithHole;
using sdk::testing::RecordedSpan;
using sdk::testing::SplitAtEveryByte;
using sdk::testing::Step;
using sdk::testing::StreamDriver;
using sdk::testing::TotalBytes;

constexpr std::uint64_t kMs = 1'000'000;
constexpr char kSubject[] = "CN=shop.example, O=Shop\\, Inc., C=DE";

/// An event about the stream: behind its cookie.
std::string About(std::string_view bytes) { return std::string("\x4d\0\0\0\0\0\0\0", 8).append(bytes); }

/// What is expected of a conversation at both ends; "" of an attribute: it is not there.
struct Expected {
  std::string name;
  std::string error;
  std::map<std::string, std::string> attributes;
};

Expected Tls13(const std::string& name, const std::map<std::string, std::string>& more = {}) {
  std::map<std::string, std::string> all = {
      {"tls.protocol.version", "1.3"}, {"tls.protocol.name", "tls"}, {"tls.cipher", "TLS_AES_256_GCM_SHA384"},
      {"tls.curve", "x25519"},         {"tls.resumed", "false"},     {"tls.established", "true"},
      {"tls.next_protocol", ""},       {"tls.server.subject", ""},   {"server.address", "shop.example"},
      {"probed.tls.hello_retry", ""}};
  for (const auto& [key, value] : more) all[key] = value;
  return {name, "", all};
}

Expected Tls12(const std::string& name, const std::map<std::string, std::string>& more = {}) {
  std::map<std::string, std::string> all = {{"tls.protocol.version", "1.2"},
                                            {"tls.protocol.name", "tls"},
                                            {"tls.cipher", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"},
                                            {"tls.curve", "x25519"},
                                            {"tls.resumed", "false"},
                                            {"tls.established", "true"},
                                            {"tls.next_protocol", ""},
                                            {"tls.server.subject", kSubject},
                                            {"tls.server.issuer", kSubject},
                                            {"tls.server.not_before", "2026-01-01T00:00:00.000Z"},
                                            {"tls.server.not_after", "2036-01-01T00:00:00.000Z"},
                                            {"tls.client.subject", ""},
                                            {"server.address", "shop.example"}};
  for (const auto& [key, value] : more) all[key] = value;
  return {name, "", all};
}

Expected Failed(Expected expected, const std::string& error) {
  expected.error = error;
  expected.attributes["tls.established"] = "false";
  return expected;
}

const std::map<std::string, std::string> kNothingSeen = {
    {"tls.curve", ""},           {"tls.resumed", ""},        {"tls.cipher", ""},        {"tls.protocol.version", ""},
    {"tls.protocol.name", ""},   {"tls.server.subject", ""}, {"tls.server.issuer", ""}, {"tls.server.not_before", ""},
    {"tls.server.not_after", ""}};
const std::map<std::string, std::string> kNoCertificate = {{"tls.resumed", "true"},       {"tls.curve", ""},
                                                           {"tls.server.subject", ""},    {"tls.server.issuer", ""},
                                                           {"tls.server.not_before", ""}, {"tls.server.not_after", ""}};

const std::vector<Expected>& All() {
  static const std::vector<Expected> all = {
      Tls13("tls13"),
      Tls13("tls13_resumed", {{"tls.resumed", "true"}}),
      Tls13("tls13_early_data", {{"tls.resumed", "true"}}),
      Tls13("tls13_hello_retry", {{"tls.curve", "secp384r1"}, {"probed.tls.hello_retry", "true"}}),
      Tls13("tls13_no_name", {{"server.address", "*"}}),
      Failed(Tls13("tls13_unknown_ca"), "unknown_ca"),
      Tls12("tls12", {{"tls.next_protocol", "http/1.1"}}),
      Tls12("tls12_static_rsa", {{"tls.cipher", "TLS_RSA_WITH_AES_128_CBC_SHA256"}, {"tls.curve", ""}}),
      Tls12("tls12_dhe", {{"tls.cipher", "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384"}, {"tls.curve", ""}}),
      Tls12("tls12_ticket", kNoCertificate),
      Tls12("tls12_session_id", kNoCertificate),
      Tls12("tls12_client_certificate", {{"tls.client.subject", kSubject}}),
      Failed(Tls12("tls12_unknown_ca"), "unknown_ca"),
      Tls12("tls10", {{"tls.protocol.version", "1.0"}, {"tls.cipher", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"}}),
      Failed(Tls12("no_shared_version", kNothingSeen), "protocol_version"),
      Failed(Tls12("no_shared_cipher", kNothingSeen), "handshake_failure"),
  };
  return all;
}

class TlsConversations : public ::testing::TestWithParam<std::tuple<std::size_t, char>> {
 protected:
  const Expected& expected() const { return All()[std::get<0>(GetParam())]; }
  bool client() const { return std::get<1>(GetParam()) == '>'; }
  std::vector<Step> Steps() const { return Conversation(expected().name, std::get<1>(GetParam())); }

  static void ExpectClosed(const Driver& driver) {
    ASSERT_EQ(driver.host.LedgerProblem(), "");
    ASSERT_EQ(driver.host.in_flight(), 0U);
    ASSERT_EQ(driver.host.bytes(), 0U) << "memory of the stream was not given back";
    ASSERT_EQ(driver.OldestGeneration(), sdk::Pins::kNone);
  }
  /// `holes`: what is told must be true, but some may be missing.
  void ExpectSpan(const RecordedSpan& span, bool holes = false) const {
    EXPECT_EQ(span.kind, std::uint32_t{PROBE_SPAN_INTERNAL});
    EXPECT_EQ(span.error_type, expected().error);
    EXPECT_EQ(span.status, std::uint32_t{expected().error.empty() ? PROBE_STATUS_UNSET : PROBE_STATUS_ERROR});
    for (const auto& [key, value] : expected().attributes)
      EXPECT_TRUE(value == "*" || span.Get(key) == value || (holes && !span.Has(key))) << key << ": " << span.Get(key);
    EXPECT_EQ(span.Has("client.address"), !client());
    const std::string address = span.Get("server.address");
    EXPECT_EQ(span.name, client() ? "TLS client handshake " + address : "TLS server handshake");
    if (expected().name == "tls13_no_name") {
      EXPECT_EQ(address, client() ? "192.0.2.10" : "");
    }
  }
  void ExpectOne(const std::vector<Step>& steps) const {
    Driver driver(probe_module_entry);
    StreamDriver stream = driver.NewStream();
    stream.Open();
    for (const Step& step : steps) stream.Feed(step);
    ASSERT_EQ(driver.host.spans.size(), 1U) << "before the end of the connection";
    stream.Close(PROBE_CLOSE_PEER);
    ExpectClosed(driver);
    ASSERT_EQ(driver.host.spans.size(), 1U);
    ExpectSpan(driver.host.spans.front());
  }
};

TEST_P(TlsConversations, YieldItsHandshake) { ExpectOne(Steps()); }
TEST_P(TlsConversations, YieldTheSameSplitAtEveryByte) { ExpectOne(SplitAtEveryByte(Steps())); }
TEST_P(TlsConversations, YieldTheSameAsTheKernelShipsThem) { ExpectOne(AsShipped(Steps())); }

/// A hole ends the handshake without a span, or is behind it, or in what is not told: the span is then the same.
TEST_P(TlsConversations, StayHonestWithAHoleAnywhere) {
  const std::vector<Step> steps = Steps();
  Driver driver(probe_module_entry);
  for (const std::size_t length : {std::size_t{1}, std::size_t{100}}) {
    for (std::size_t at = 0; at < TotalBytes(steps); ++at) {
      driver.Restart();
      StreamDriver stream = driver.NewStream();
      stream.Open();
      FeedWithHole(stream, steps, at, length);
      stream.Close(PROBE_CLOSE_RESET);
      ExpectClosed(driver);
      for (const RecordedSpan& span : driver.host.spans) {
        // A hole that nothing follows is not known of: then the end of the connection is all that is seen.
        if (span.error_type == "connection_reset") continue;
        ASSERT_NO_FATAL_FAILURE(ExpectSpan(span, true)) << "hole of " << length << " at " << at;
        if (HasFailure()) return;
      }
    }
  }
}

TEST_P(TlsConversations, EndWithTheConnection) {
  Driver driver(probe_module_entry);
  StreamDriver stream = driver.NewStream();
  stream.Open();
  stream.Feed(Steps().front());
  stream.Close(PROBE_CLOSE_PEER);
  ExpectClosed(driver);
  ASSERT_EQ(driver.host.spans.size(), 1U);
  EXPECT_EQ(driver.host.spans.front().error_type, "connection_closed");
  EXPECT_EQ(driver.host.spans.front().end_ns - driver.host.spans.front().start_ns, kMs);
}

std::string NameOf(const ::testing::TestParamInfo<std::tuple<std::size_t, char>>& info) {
  return All()[std::get<0>(info.param)].name + (std::get<1>(info.param) == '>' ? "_client" : "_server");
}

INSTANTIATE_TEST_SUITE_P(All, TlsConversations,
                         ::testing::Combine(::testing::Range(std::size_t{0}, All().size()),
                                            ::testing::Values('>', '<')),
                         NameOf);

TEST(TlsCertificates, TimeToExpiryIsRecordedWhereTheyAreSeen) {
  for (const char* config : {"{}", R"({"certificate_metric":false})"}) {
    Driver driver(probe_module_entry, config);
    StreamDriver stream = driver.NewStream();
    stream.Open();
    for (const Step& step : Conversation("tls12_client_certificate", '>')) stream.Feed(step);
    stream.Close(PROBE_CLOSE_PEER);
    if (std::string(config) != "{}") {
      EXPECT_TRUE(driver.host.points.empty());
      continue;
    }
    ASSERT_EQ(driver.host.points.size(), 1U) << "the server's alone";
    const auto& point = driver.host.points.front();
    EXPECT_EQ(point.instrument, "probed.tls.certificate.time_to_expiry");
    EXPECT_DOUBLE_EQ(point.value, 3652.0 * 86400);  // from 2026 to 2036
    EXPECT_EQ(point.tgid, 1234U);
    EXPECT_EQ(point.attributes.at("tls.server.subject"), kSubject);
    EXPECT_EQ(point.attributes.at("server.address"), "shop.example");
    EXPECT_EQ(point.attributes.at("server.port"), "40000");
  }
}

/// Behind the server's answer of TLS 1.3 an alert of the client is encrypted, but shorter than any Finished.
TEST(TlsFailures, EncryptedAlertIsToldByItsLength) {
  for (const int length : {19, 11, 69}) {
    Driver driver(probe_module_entry);
    StreamDriver stream = driver.NewStream();
    stream.Open();
    std::vector<Step> steps = Conversation("tls13", '>');
    for (std::size_t i = 0; steps[i].direction != PROBE_SENT || i == 0; ++i) stream.Feed(steps[i]);
    const std::string change("\x14\x03\x03\x00\x01\x01", 6);
    const std::string header{'\x17', '\x03', '\x03', '\x00', static_cast<char>(length)};
    stream.Send(change + header + std::string(static_cast<std::size_t>(length), 'e'));
    ASSERT_EQ(driver.host.spans.size(), 1U);
    EXPECT_EQ(driver.host.spans.front().error_type, length == 69 ? "" : "encrypted_alert");
    EXPECT_EQ(driver.host.spans.front().Get("tls.established"), length == 69 ? "true" : "false");
    stream.Close(PROBE_CLOSE_PEER);
    EXPECT_EQ(driver.host.bytes(), 0U);
  }
}

/// Two bytes of early data that come late are as long as an alert: no failure is made of them.
TEST(TlsFailures, EarlyDataIsNoAlert) {
  Driver driver(probe_module_entry);
  StreamDriver stream = driver.NewStream();
  stream.Open();
  const std::vector<Step> steps = Conversation("tls13_early_data", '<');
  std::size_t answer = 0;
  while (steps[answer].direction != PROBE_SENT) stream.Feed(steps[answer++]);
  stream.Feed(steps[answer]);
  stream.Receive(std::string("\x17\x03\x03\x00\x13", 5) + std::string(19, 'e'));
  ASSERT_EQ(driver.host.spans.size(), 1U);
  EXPECT_EQ(driver.host.spans.front().error_type, "");
  stream.Close(PROBE_CLOSE_PEER);
}

/// A certificate as a probe ships it: behind the socket's cookie.
std::string CertificateEvent() {
  for (const Step& step : Conversation("tls12", '>')) {
    const std::size_t at = step.bytes.find("\x30\x82");
    if (step.direction != PROBE_RECEIVED || at == std::string::npos) continue;
    const auto byte = [&](std::size_t i) { return std::size_t{static_cast<std::uint8_t>(step.bytes.at(i))}; };
    return About(step.bytes.substr(at, 4 + (byte(at + 2) << 8U | byte(at + 3))));
  }
  return "";
}

/// Feeds the client's side of "tls13" up to what it sends behind the server's answer.
std::vector<Step> FeedToAnswer(StreamDriver& stream, char sent, std::uint8_t hint = 0) {
  stream.Open();
  std::vector<Step> steps = Conversation("tls13", sent);
  for (Step& step : steps) step.hint = hint;
  const auto rest = std::find_if(steps.begin() + 2, steps.end(),
                                 [&](const Step& step) { return step.direction == steps.front().direction; });
  for (auto at = steps.begin(); at != rest; ++at) stream.Feed(*at);
  return {rest, steps.end()};
}

TEST(TlsEvents, CertificateThatTls13Encrypts) {
  Driver driver(probe_module_entry);
  StreamDriver stream = driver.NewStream();
  const std::vector<Step> rest = FeedToAnswer(stream, '>');
  driver.Event(TLS_EVENT_CERTIFICATE, CertificateEvent());
  driver.Event(TLS_EVENT_CERTIFICATE, CertificateEvent());  // another one of the chain is not the server's
  for (const Step& step : rest) stream.Feed(step);
  ASSERT_EQ(driver.host.spans.size(), 1U);
  EXPECT_EQ(driver.host.spans.front().Get("tls.server.subject"), kSubject);
  EXPECT_EQ(driver.host.spans.front().Get("tls.server.not_after"), "2036-01-01T00:00:00.000Z");
  ASSERT_EQ(driver.host.points.size(), 1U);
  EXPECT_EQ(driver.host.points.front().attributes.at("tls.server.subject"), kSubject);
  driver.Event(TLS_EVENT_CERTIFICATE, CertificateEvent());  // of nobody any more
  stream.Close(PROBE_CLOSE_PEER);
  EXPECT_EQ(driver.host.bytes(), 0U);
  EXPECT_EQ(driver.host.points.size(), 1U);
}

TEST(TlsEvents, NothingIsMadeOfWhatIsNoCertificateOrOfNoHandshake) {
  Driver driver(probe_module_entry);
  StreamDriver stream = driver.NewStream();
  driver.Event(TLS_EVENT_CERTIFICATE, CertificateEvent());
  stream.Open();
  const std::vector<Step> steps = Conversation("tls13", '>');
  stream.Feed(steps.front());
  driver.Event(TLS_EVENT_CERTIFICATE, CertificateEvent());  // the server has not answered
  for (std::size_t i = 1; i + 1 < steps.size(); ++i) stream.Feed(steps[i]);
  for (const std::string& bytes : {std::string(), About("").substr(1), About(""), About("\x30"), About("no DER")})
    for (std::uint32_t kind = 0; kind < 5; ++kind) driver.Event(kind, bytes);
  std::string other = CertificateEvent();
  other[0] = 78;
  driver.Event(TLS_EVENT_CERTIFICATE, other);
  stream.Feed(steps.back());
  ASSERT_EQ(driver.host.spans.size(), 1U);
  EXPECT_FALSE(driver.host.spans.front().Has("tls.server.subject"));
  EXPECT_TRUE(driver.host.points.empty());
  stream.Close(PROBE_CLOSE_PEER);
  EXPECT_EQ(driver.host.bytes(), 0U);
}

/// Before TLS 1.3 the certificate is on the wire; an event about one is not of the handshake.
TEST(TlsEvents, CertificateOnTheWireStays) {
  Driver driver(probe_module_entry);
  StreamDriver stream = driver.NewStream();
  stream.Open();
  const std::vector<Step> steps = Conversation("tls12_ticket", '>');
  for (std::size_t i = 0; i + 1 < steps.size(); ++i) {
    stream.Feed(steps[i]);
    driver.Event(TLS_EVENT_CERTIFICATE, CertificateEvent());
  }
  stream.Feed(steps.back());
  ASSERT_EQ(driver.host.spans.size(), 1U);
  EXPECT_FALSE(driver.host.spans.front().Has("tls.server.subject"));
  stream.Close(PROBE_CLOSE_PEER);
}

const std::string kEncryptedAlert = std::string("\x17\x03\x03\x00\x13", 5) + std::string(19, 'e');

TEST(TlsEvents, AlertIsNamedByTheOneThatSendsIt) {
  for (const auto& [alert, name] : {std::pair{"\x02\x2a", "bad_certificate"}, std::pair{"\x02\xfe", "unknown_alert"}}) {
    Driver driver(probe_module_entry);
    StreamDriver stream = driver.NewStream();
    FeedToAnswer(stream, '>');
    driver.Event(TLS_EVENT_ALERT_SENT, About(alert));
    stream.Send(kEncryptedAlert);
    ASSERT_EQ(driver.host.spans.size(), 1U);
    EXPECT_EQ(driver.host.spans.front().error_type, name);
    stream.Close(PROBE_CLOSE_PEER);
    EXPECT_EQ(driver.host.bytes(), 0U);
  }
}

TEST(TlsEvents, AlertIsNamedByTheOneThatGetsIt) {
  Driver driver(probe_module_entry);
  StreamDriver stream = driver.NewStream();
  FeedToAnswer(stream, '<', TLS_HINT_BOUND);
  driver.Event(TLS_EVENT_ALERT_RECEIVED, About("\x30"));  // of none that came
  stream.Feed({PROBE_RECEIVED, kEncryptedAlert, 0, 0, TLS_HINT_BOUND});
  EXPECT_TRUE(driver.host.spans.empty());
  const std::uint64_t came = stream.now_ns;
  stream.now_ns += kMs;
  driver.Event(TLS_EVENT_ALERT_RECEIVED, About("\x30"));
  ASSERT_EQ(driver.host.spans.size(), 1U);
  EXPECT_EQ(driver.host.spans.front().error_type, "unknown_ca");
  EXPECT_EQ(driver.host.spans.front().end_ns, came);
  stream.Close(PROBE_CLOSE_PEER);
  EXPECT_EQ(driver.host.bytes(), 0U);
  EXPECT_EQ(driver.host.spans.size(), 1U);
}

/// A library that says nothing: the end of the connection ends the wait, or anything that follows.
TEST(TlsEvents, AlertThatNobodyNames) {
  for (const int how : {0, 1, 2}) {
    Driver driver(probe_module_entry);
    StreamDriver stream = driver.NewStream();
    FeedToAnswer(stream, '<', TLS_HINT_BOUND);
    stream.Feed({PROBE_RECEIVED, kEncryptedAlert, 0, 0, TLS_HINT_BOUND});
    const std::uint64_t came = stream.now_ns;
    if (how == 1) stream.Feed({PROBE_SENT, kEncryptedAlert, 0, 0, TLS_HINT_BOUND});
    stream.Close(how == 2 ? PROBE_CLOSE_UNLOAD : PROBE_CLOSE_PEER);
    ASSERT_EQ(driver.host.spans.size(), 1U);
    EXPECT_EQ(driver.host.spans.front().error_type, "encrypted_alert");
    EXPECT_EQ(driver.host.spans.front().end_ns, came);
    EXPECT_EQ(driver.host.bytes(), 0U);
    EXPECT_EQ(driver.host.LedgerProblem(), "");
  }
}

TEST(TlsPlaintext, HandshakeTellsWhetherItIsRead) {
  for (const std::uint8_t hint : {std::uint8_t{0}, std::uint8_t{TLS_HINT_BOUND}}) {
    Driver driver(probe_module_entry);
    StreamDriver stream = driver.NewStream();
    stream.Open();
    for (Step step : Conversation("tls13", '>')) {
      step.hint = hint;
      stream.Feed(step);
    }
    ASSERT_EQ(driver.host.spans.size(), 1U);
    EXPECT_EQ(driver.host.spans.front().Get("probed.tls.plaintext_read"), hint == 0 ? "false" : "true");
    EXPECT_EQ(stream.raw()->unread, hint == 0);
    stream.Close(PROBE_CLOSE_PEER);
  }
}

/// Both ends say the same of a connection whose plaintext was seen from before the handshake was over.
TEST(TlsPlaintext, HasANameThatBothEndsKnow) {
  for (const char* name : {"tls13", "tls13_hello_retry", "tls12"}) {
    std::set<std::string> names;
    for (const char end : {'<', '>'}) {
      Driver driver(probe_module_entry);
      StreamDriver stream = driver.NewStream();
      for (Step step : Conversation(name, end)) {
        step.hint = TLS_HINT_BOUND;
        stream.Feed(step);
      }
      EXPECT_EQ(stream.raw()->plaintext_name.size(), std::size_t{PROBE_PLAINTEXT_NAME_BYTES});
      names.insert(stream.raw()->plaintext_name);
      stream.Close(PROBE_CLOSE_PEER);
    }
    EXPECT_EQ(names.size(), 1U) << name;
  }
}

/// Bound when the answer had come: bytes may have gone by.
TEST(TlsPlaintext, BoundLateHasNoName) {
  Driver driver(probe_module_entry);
  StreamDriver stream = driver.NewStream();
  bool answered = false;
  for (Step step : Conversation("tls12", '>')) {
    step.hint = answered ? TLS_HINT_BOUND : 0;
    answered |= step.direction == PROBE_RECEIVED;
    stream.Feed(step);
  }
  EXPECT_EQ(driver.host.spans.front().Get("probed.tls.plaintext_read"), "true");
  EXPECT_EQ(stream.raw()->plaintext_name, "");
  stream.Close(PROBE_CLOSE_PEER);
}

TEST(TlsPlaintext, AFailedHandshakeNamesNobody) {
  Driver driver(probe_module_entry);
  StreamDriver stream = driver.NewStream();
  stream.Open();
  for (const Step& step : Conversation("no_shared_version", '>')) stream.Feed(step);
  ASSERT_EQ(driver.host.spans.size(), 1U);
  EXPECT_FALSE(stream.raw()->unread);
  EXPECT_EQ(stream.raw()->plaintext_name, "");
  stream.Close(PROBE_CLOSE_PEER);
}

TEST(TlsConfig, HandshakeSpansCanBeLeftOut) {
  Driver driver(probe_module_entry, R"({"handshake_spans":false})");
  StreamDriver stream = driver.NewStream();
  stream.Open();
  for (const Step& step : Conversation("tls12", '>')) stream.Feed(step);
  stream.Close(PROBE_CLOSE_PEER);
  EXPECT_EQ(driver.host.opened(), 0U);
  EXPECT_EQ(driver.host.points.size(), 1U);
  EXPECT_EQ(driver.host.bytes(), 0U);
}

TEST(TlsStreams, OtherProtocolsAreGivenBack) {
  Driver driver(probe_module_entry);
  StreamDriver stream = driver.NewStream();
  stream.Open();
  stream.Receive(std::string("\x16\x03\x01\x00\x05\x07hello", 11));
  EXPECT_TRUE(stream.raw()->not_mine);
  EXPECT_EQ(driver.host.Counted(PROBE_UNDECODABLE_MALFORMED), 1U);
  EXPECT_EQ(driver.host.opened(), 0U);
}

/// As from the sql module: whoever looked at the connection before had the ClientHello.
TEST(TlsStreams, HandshakesWithoutTheirBeginningAreNoSpan) {
  for (const char* name : {"tls13", "tls13_hello_retry", "tls12"}) {
    for (const char end : {'<', '>'}) {
      Driver driver(probe_module_entry);
      StreamDriver stream = driver.NewStream();
      std::vector<Step> steps = Conversation(name, end);
      steps.erase(steps.begin());
      stream.Open();
      for (const Step& step : steps) stream.Feed(step);
      EXPECT_FALSE(stream.raw()->not_mine);
      EXPECT_EQ(driver.host.Counted(PROBE_UNDECODABLE_MALFORMED), 0U);
      stream.Close(PROBE_CLOSE_LOCAL);
      EXPECT_EQ(driver.host.opened(), 0U);
      EXPECT_EQ(driver.host.bytes(), 0U);
    }
  }
}

/// As a server sees it whose library lets the kernel encrypt and decrypt, where no hook tells of that.
TEST(TlsStreams, WhatTheKernelEncryptsDoesNotFail) {
  const std::string change("\x14\x03\x03\x00\x01\x01", 6);
  for (const char* name : {"tls12", "tls12_ticket"}) {
    Driver driver(probe_module_entry);
    StreamDriver stream = driver.NewStream();
    stream.Open();
    std::set<std::uint8_t> changed;
    for (Step step : Conversation(name, '<')) {
      if (changed.contains(step.direction)) continue;
      const std::size_t at = step.bytes.find(change);
      if (at != std::string::npos) {
        step.bytes.resize(at + change.size());
        changed.insert(step.direction);
      }
      stream.Feed(step);
    }
    ASSERT_EQ(changed.size(), 2U);
    EXPECT_EQ(driver.host.in_flight(), 1U);
    stream.Close(PROBE_CLOSE_PEER);
    EXPECT_EQ(driver.host.spans.size(), 0U) << name;
    EXPECT_EQ(driver.host.Aborts(PROBE_ABORTED_GAP), 1U) << name;
    EXPECT_EQ(driver.host.bytes(), 0U);
  }
}

/// Given over by another protocol when the ClientHello had been sent.
TEST(TlsStreams, TheMidstOfAHandshakeIsIgnored) {
  Driver driver(probe_module_entry);
  StreamDriver stream = driver.NewStream();
  stream.Open(false);
  const std::vector<Step> steps = Conversation("tls12", '>');
  stream.Lose(PROBE_SENT, 8 + steps.front().bytes.size());
  stream.Lose(PROBE_RECEIVED, 1);
  for (std::size_t i = 1; i < steps.size(); ++i) stream.Feed(steps[i]);
  EXPECT_FALSE(stream.raw()->not_mine);
  EXPECT_EQ(driver.host.Counted(PROBE_IGNORED_BODY), steps.size() - 1);
  stream.Close(PROBE_CLOSE_PEER);
  EXPECT_EQ(driver.host.opened(), 0U);
  EXPECT_EQ(driver.host.bytes(), 0U);
}

/// Bytes that were never in user memory: whether anything follows them or not.
TEST(TlsStreams, UnreadableBytesEndTheHandshake) {
  for (const bool whole : {true, false}) {
    Driver driver(probe_module_entry);
    StreamDriver stream = driver.NewStream();
    stream.Open();
    const std::vector<Step> steps = Conversation("tls12", '>');
    stream.Send(std::string_view(steps.front().bytes).substr(0, 60));
    stream.Skip(PROBE_SENT, static_cast<std::uint32_t>(steps.front().bytes.size() - 60), PROBE_SEGMENT_UNREADABLE);
    if (whole)
      for (std::size_t i = 1; i < steps.size(); ++i) stream.Feed(steps[i]);
    stream.Close(PROBE_CLOSE_PEER);
    EXPECT_TRUE(driver.host.spans.empty());
    EXPECT_EQ(driver.host.opened(), 0U);  // the ClientHello was never whole
    EXPECT_EQ(driver.host.LedgerProblem(), "");
  }
}

/// A reset that comes while the server sends its answer: the end is seen before the bytes.
TEST(TlsStreams, BytesBehindTheEndAreIgnored) {
  Driver driver(probe_module_entry);
  StreamDriver stream = driver.NewStream();
  const std::vector<Step> steps = Conversation("tls12", '<');
  stream.Feed(steps.at(1));
  EXPECT_FALSE(stream.raw()->not_mine);
  EXPECT_EQ(driver.host.Counted(PROBE_IGNORED_BODY), 1U);
  stream.Close(PROBE_CLOSE_LOCAL);
  EXPECT_EQ(driver.host.opened(), 0U);
  EXPECT_EQ(driver.host.bytes(), 0U);
}

TEST(TlsStreams, MemoryThatIsRefusedIsCounted) {
  Driver driver(probe_module_entry);
  StreamDriver stream = driver.NewStream();
  stream.Open();
  const std::vector<Step> steps = Conversation("tls12", '>');
  driver.host.memory_limit = 512;  // the stream's state, but no handshake
  for (const Step& step : steps) stream.Feed(step);
  stream.Close(PROBE_CLOSE_PEER);
  EXPECT_EQ(driver.host.Aborts(PROBE_EVICTED_MEMORY), 1U);
  EXPECT_EQ(driver.host.LedgerProblem(), "");
  EXPECT_TRUE(driver.host.spans.empty());
}

}  // namespace
}  // namespace probed::mod::tls
