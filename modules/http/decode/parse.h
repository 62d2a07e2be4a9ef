// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Bytes to heads (RFC 9112 §2-§5). Stateless: a head is parsed as one block. Tolerates bare LF and folded lines; any
// method token and any form of target.
//
//   kOk           a whole head; `size` bytes are consumed
//   kNeedMore     so far it is one, and it goes on
//   kInvalid      it is none
//   kEndOfStream  the request line of HTTP/2 ("PRI * HTTP/2.0"): another protocol
#pragma once

#include <cstddef>
#include <string_view>

#include "api/sdk/http/header_filter.h"
#include "api/sdk/parse_state.h"
#include "modules/http/decode/types.h"

namespace probed::mod::http {

/// cut: the block is all there will ever be of this head; what is complete of it is taken, kOk even without an end.
/// torn: the block may begin in the middle of anything ("ET / HTTP/1.1" is no request then): only registered methods.
struct ParseOptions {
  const sdk::http::HeaderFilter* filter = nullptr;
  bool cut = false;
  bool torn = false;
};

sdk::ParseState ParseRequest(std::string_view block, const ParseOptions& options, RequestHead* head,
                             CapturedHeaders* captured);
sdk::ParseState ParseResponse(std::string_view block, const ParseOptions& options, ResponseHead* head,
                              CapturedHeaders* captured);

enum class Likeness { kNo, kMaybe, kYes };

/// Whether the block begins with "HTTP/1.<digit> <3 digits>" / with "token target HTTP/1.<digit>" and a line end;
/// kMaybe: as far as it goes.
Likeness LooksLikeResponse(std::string_view block);
Likeness LooksLikeRequest(std::string_view block);

}  // namespace probed::mod::http
