// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
#include "modules/dns/decode/parse.h"

#include <ldns/ldns.h>

#include <algorithm>
#include <memory>

namespace probed::mod::dns {
namespace {

constexpr std::size_t kHeaderSize = LDNS_HEADER_SIZE;
constexpr std::size_t kAnswersOffset = LDNS_ANCOUNT_OFF;
constexpr std::size_t kQuestionTail = 4;  // type and class
constexpr std::size_t kRecordTail = 10;   // type, class, ttl and length of the data
constexpr std::uint8_t kPointer = 0xc0;   // the two top bits of a label's length

struct NameFreer {
  void operator()(ldns_rdf* name) const { ldns_rdf_deep_free(name); }
};
using Name = std::unique_ptr<ldns_rdf, NameFreer>;

/// The bytes of a message and how far they are read.
struct Cursor {
  const std::uint8_t* bytes;
  std::size_t size;
  std::size_t at;

  bool Has(std::size_t count) const { return count <= size - at; }
  std::uint16_t U16(std::size_t offset) const { return ldns_read_uint16(bytes + at + offset); }
};

bool ReadQuestion(Cursor& cursor, Question& out) {
  ldns_rdf* read = nullptr;
  if (ldns_wire2dname(&read, cursor.bytes, cursor.size, &cursor.at) != LDNS_STATUS_OK) return false;
  const Name name(read);
  const std::size_t size = ldns_rdf_size(read);
  if (size == 0 || size > out.name.size() || cursor.at > cursor.size || !cursor.Has(kQuestionTail)) return false;
  std::copy_n(ldns_rdf_data(read), size, out.name.data());
  out.name_size = static_cast<std::uint8_t>(size);
  out.type = cursor.U16(0);
  out.class_ = cursor.U16(2);
  cursor.at += kQuestionTail;
  return true;
}

/// A record's owner is of no interest: only where it ends.
bool SkipName(Cursor& cursor) {
  while (cursor.Has(1)) {
    const std::uint8_t length = cursor.bytes[cursor.at];
    if (length >= kPointer) {
      cursor.at += 2;
      return cursor.at <= cursor.size;
    }
    if (length > LDNS_MAX_LABELLEN) return false;
    cursor.at += 1U + length;
    if (cursor.at > cursor.size) return false;
    if (length == 0) return true;
  }
  return false;
}

void TakeAddress(Message& out, std::uint16_t type, const std::uint8_t* data, std::size_t size) {
  const bool is_v4 = type == LDNS_RR_TYPE_A && size == LDNS_IP4ADDRLEN;
  const bool is_v6 = type == LDNS_RR_TYPE_AAAA && size == LDNS_IP6ADDRLEN;
  if ((!is_v4 && !is_v6) || out.address_count == out.addresses.size()) return;
  out.addresses[out.address_count++] = {is_v6, data};
}

bool ReadAnswer(Cursor& cursor, Message& out) {
  if (!SkipName(cursor) || !cursor.Has(kRecordTail)) return false;
  const std::uint16_t type = cursor.U16(0);
  const std::size_t size = cursor.U16(kRecordTail - 2);
  cursor.at += kRecordTail;
  if (!cursor.Has(size)) return false;
  TakeAddress(out, type, cursor.bytes + cursor.at, size);
  cursor.at += size;
  return true;
}

void ReadHeader(const std::uint8_t* bytes, Message& out) {
  out.id = LDNS_ID_WIRE(bytes);
  out.is_response = LDNS_QR_WIRE(bytes) != 0;
  out.truncated = LDNS_TC_WIRE(bytes) != 0;
  out.rcode = LDNS_RCODE_WIRE(bytes);
}

}  // namespace

sdk::ParseState ParseMessage(std::string_view bytes, Message* out) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  if (bytes.size() < kHeaderSize || LDNS_OPCODE_WIRE(data) != LDNS_PACKET_QUERY) return sdk::ParseState::kInvalid;
  const std::uint16_t questions = LDNS_QDCOUNT(data);
  const std::uint16_t answers = ldns_read_uint16(data + kAnswersOffset);
  if (questions > 1) return sdk::ParseState::kInvalid;
  out->address_count = 0;
  out->incomplete = false;
  ReadHeader(data, *out);
  out->has_question = questions == 1;
  Cursor cursor{data, bytes.size(), kHeaderSize};
  if (out->has_question && !ReadQuestion(cursor, out->question)) return sdk::ParseState::kInvalid;
  if (!out->is_response) return out->has_question ? sdk::ParseState::kOk : sdk::ParseState::kInvalid;
  for (std::uint16_t i = 0; i < answers && !out->incomplete; ++i) out->incomplete = !ReadAnswer(cursor, *out);
  return sdk::ParseState::kOk;
}

bool MessageReader::ReadHead(Head* out) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes_.data());
  if (bytes_.size() < kHeaderSize || LDNS_OPCODE_WIRE(data) != LDNS_PACKET_QUERY) return false;
  at_ = kHeaderSize;
  *out = {.is_response = LDNS_QR_WIRE(data) != 0,
          .truncated = LDNS_TC_WIRE(data) != 0,
          .rcode = static_cast<std::uint8_t>(LDNS_RCODE_WIRE(data)),
          .questions = LDNS_QDCOUNT(data),
          .answers = ldns_read_uint16(data + kAnswersOffset),
          .authority = ldns_read_uint16(data + LDNS_NSCOUNT_OFF),
          .additional = ldns_read_uint16(data + LDNS_ARCOUNT_OFF)};
  return true;
}

bool MessageReader::ReadQuestion(Question* out) {
  Cursor cursor{reinterpret_cast<const std::uint8_t*>(bytes_.data()), bytes_.size(), at_};
  if (!dns::ReadQuestion(cursor, *out)) return false;
  at_ = cursor.at;
  return true;
}

bool MessageReader::ReadRecord(ResourceRecord* out) {
  constexpr std::size_t kTail = kRecordTail - kQuestionTail;
  Cursor cursor{reinterpret_cast<const std::uint8_t*>(bytes_.data()), bytes_.size(), at_};
  if (!dns::ReadQuestion(cursor, out->owner) || !cursor.Has(kTail)) return false;
  out->ttl = ldns_read_uint32(cursor.bytes + cursor.at);
  const std::size_t size = cursor.U16(4);
  cursor.at += kTail;
  if (!cursor.Has(size)) return false;
  out->data_at = cursor.at;
  out->data = bytes_.substr(cursor.at, size);
  at_ = cursor.at + size;
  return true;
}

bool MessageReader::Denies(const ResourceRecord& record, std::uint16_t type) const {
  if (record.owner.type != LDNS_RR_TYPE_NSEC || type > 0xff) return false;
  const std::size_t end = record.data_at + record.data.size();
  Cursor cursor{reinterpret_cast<const std::uint8_t*>(bytes_.data()), end, record.data_at};
  if (!SkipName(cursor) || !cursor.Has(2) || cursor.bytes[cursor.at] != 0) return false;
  const std::size_t length = cursor.bytes[cursor.at + 1];
  cursor.at += 2;
  if (length == 0 || !cursor.Has(length)) return false;
  const std::size_t byte = type / 8U;
  return byte >= length || (cursor.bytes[cursor.at + byte] & 0x80U >> type % 8U) == 0;
}

}  // namespace probed::mod::dns
