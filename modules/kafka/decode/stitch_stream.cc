// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Where messages begin: on a connection that is older than the daemon, and behind lost bytes, the next record that
// begins like a request, or like the response to a request that waits, is taken for one.
#include <algorithm>

#include "modules/kafka/decode/parse.h"
#include "modules/kafka/decode/stitch.h"

namespace probed::mod::kafka {
namespace {

/// As a response to one of the requests that wait.
int LookAtResponse(const Connection& connection, std::string_view view) {
  if (view.size() < KFK_SIZE_BYTES) return KFK_MORE;
  const std::uint32_t size = kfk_u32(reinterpret_cast<const unsigned char*>(view.data()));
  if (size < 4 || size > KFK_MOST_RESPONSE) return KFK_NOT;
  if (view.size() < KFK_SIZE_BYTES + 4) return KFK_MORE;
  return FindRequest(connection, CorrelationOf(view.substr(KFK_SIZE_BYTES))) == nullptr ? KFK_NOT : KFK_YES;
}

}  // namespace

int Stitcher::LookAt(const Reading& r, std::string_view view) {
  const Connection& connection = r.state;
  if (connection.spoke && r.direction != connection.requests) {
    const int verdict = LookAtResponse(connection, view);
    if (verdict != KFK_NOT || connection.confirmed) return verdict;
  }
  unsigned char head[KFK_HEAD_BYTES] = {};
  const std::size_t length = std::min<std::size_t>(view.size(), sizeof(head));
  std::copy_n(view.data(), length, head);
  return kfk_recognise(head, static_cast<unsigned>(length));
}

/// In front, or nowhere: messages begin where calls do; inside of one, among many zeros, much looks like a message that
/// is none.
std::size_t Stitcher::Search(Reading& r, std::string_view view) {
  const int verdict = view.empty() ? KFK_MORE : LookAt(r, view);
  if (verdict == KFK_NOT) {
    r.idle = PROBE_UNDECODABLE_GAP;
    return view.size();
  }
  r.d.searching = verdict != KFK_YES;
  r.kept |= r.d.searching;
  return 0;
}

probe_reason Stitcher::OnFramed(Reading& r, std::string_view bytes, const Arrival& arrival, bool cut,
                                std::span<const sdk::Hole> holes) {
  const Seen seen{.bytes = bytes, .cut = cut, .holes = holes};
  // Whoever does not read behind holes sees what lies in front of the first.
  const std::string_view front = holes.empty() ? bytes : bytes.substr(0, holes.front().at);
  const probe_reason came_to = OnMessage(r.stream, r.state, {front, arrival, cut || !holes.empty(), seen});
  if (came_to != PROBE_UNDECODABLE_TRUNCATED) return came_to;
  r.failure = came_to;  // of the record, whatever else is in it; of the message there is a span
  return kUsed;
}

void Stitcher::OnLost(Reading& r) {
  if (r.state.spoke && r.direction != r.state.requests) r.state.Doubt();
}

/// Gives a stream up that never showed a request.
void Stitcher::OnSettled(Reading& r) {
  if (r.state.spoke || r.kept || r.d.cut_end != 0) return;
  if (++r.state.undecodable == kUndecodableBeforeGivingUp) r.stream.NotMine();
}

}  // namespace probed::mod::kafka
