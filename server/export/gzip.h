// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// gzip with one deflate state that is kept.
#pragma once

#include <zlib.h>

#include <string>
#include <string_view>

namespace probed::exporter {

class Gzip {
 public:
  Gzip();
  ~Gzip();
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  /// The compressed text; valid until the next call.
  std::string_view Compress(std::string_view text);

 private:
  z_stream stream_{};
  std::string out_;
};

}  // namespace probed::exporter
