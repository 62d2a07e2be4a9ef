// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Where messages begin: on a connection that is older than the daemon, and behind lost bytes, the next ones that look
// like a message are taken for one. What waits for an answer in a direction of which bytes were lost may have had it.
#include <algorithm>

#include "modules/dns/decode/stitch.h"

namespace probed::mod::dns {
namespace {

int LookAt(std::string_view view) {
  const std::size_t length = std::min<std::size_t>(view.size(), DNS_HEAD_BYTES);
  return dns_recognise_stream(reinterpret_cast<const unsigned char*>(view.data()), static_cast<unsigned>(length));
}

}  // namespace

bool Stitcher::BeginsWithMessage(sdk::Stream stream, std::uint64_t offset) {
  const probe_open_t* open = stream.Open();
  return offset == 0 && open != nullptr && open->from_start != 0;
}

std::size_t Stitcher::Search(Reading& r, std::string_view view) {
  for (std::size_t at = 0; at < view.size(); ++at) {
    const int verdict = LookAt(view.substr(at));
    if (verdict == DNS_NOT) continue;
    r.d.searching = verdict != DNS_YES;
    if (at != 0) r.idle = PROBE_UNDECODABLE_GAP;
    r.kept |= verdict == DNS_MORE && at == 0;
    return at;
  }
  r.idle = PROBE_UNDECODABLE_GAP;
  return view.size();
}

probe_reason Stitcher::OnFramed(Reading& r, std::string_view bytes, const sdk::Arrival& arrival, bool) {
  const probe_open_t* open = r.stream.Open();
  const Arrival from{arrival, open == nullptr ? probe_endpoint_t{} : open->peer, r.segment->thread_id};
  const probe_reason reason = OnMessage(r.stream, r.state, bytes, from);
  r.state.spoke |= reason != PROBE_UNDECODABLE_MALFORMED;
  return reason;
}

void Stitcher::OnLost(Reading& r) {
  Lookups::Doubt(r.state, r.direction == PROBE_RECEIVED ? PROBE_SPAN_CLIENT : PROBE_SPAN_SERVER);
}

/// Gives a stream up that never showed a message.
void Stitcher::OnSettled(Reading& r) {
  if (r.state.spoke) return;
  if (r.used || r.kept) {
    r.state.undecodable = 0;
    return;
  }
  if (++r.state.undecodable == kUndecodableBeforeGivingUp) r.stream.NotMine();
}

}  // namespace probed::mod::dns
