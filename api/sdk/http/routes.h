// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// Path patterns: the only source of http.route (a raw path never becomes a route). "/users/{id}" matches one segment
// per brace, a "*" one segment too, and as the last segment everything below. The first pattern that matches wins.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace probed::sdk::http {

class RouteTable {
 public:
  RouteTable() = default;
  /// Every pattern must have passed Problem().
  explicit RouteTable(const std::vector<std::string>& patterns) {
    for (const std::string& pattern : patterns) patterns_.push_back(Compile(pattern));
  }

  /// What is wrong with a pattern; empty: nothing.
  static std::string_view Problem(std::string_view pattern) {
    if (!pattern.starts_with('/')) return "must start with \"/\"";
    if (pattern.find_first_of("?#") != std::string_view::npos) return "must be a path, without \"?\" or \"#\"";
    for (std::string_view rest = pattern.substr(1); !rest.empty();) {
      const std::string_view segment = Take(&rest);
      const std::size_t brace = segment.find_first_of("{}");
      if (brace == std::string_view::npos) continue;
      const bool whole = segment.size() > 2 && segment.front() == '{' && segment.back() == '}' &&
                         segment.substr(1, segment.size() - 2).find_first_of("{}") == std::string_view::npos;
      if (!whole) return "braces must enclose a name and a whole segment, as in \"/users/{id}\"";
    }
    return {};
  }

  bool empty() const { return patterns_.empty(); }

  /// The pattern as the user wrote it; empty: none matches. LIFETIME: the table.
  std::string_view Match(std::string_view path) const {
    for (const Pattern& pattern : patterns_) {
      if (Matches(pattern, path)) return pattern.text;
    }
    return {};
  }

 private:
  struct Pattern {
    std::string text;
    std::vector<std::string> segments;  // an empty one stands for "any one segment"
    bool rest = false;                  // ends in "*": more may follow
    bool trailing_slash = false;
  };

  /// Cuts the first segment off, with its slash.
  static std::string_view Take(std::string_view* rest) {
    const std::size_t slash = rest->find('/');
    const std::string_view segment = rest->substr(0, slash);
    rest->remove_prefix(slash == std::string_view::npos ? rest->size() : slash + 1);
    return segment;
  }

  static Pattern Compile(const std::string& text) {
    Pattern out;
    out.text = text;
    out.trailing_slash = text.size() > 1 && text.ends_with('/');
    for (std::string_view rest = std::string_view(text).substr(1); !rest.empty();) {
      const std::string_view segment = Take(&rest);
      if (segment == "*" && rest.empty() && !out.trailing_slash) {
        out.rest = true;
      } else {
        out.segments.emplace_back(segment == "*" || segment.starts_with('{') ? std::string_view{} : segment);
      }
    }
    return out;
  }

  static bool Matches(const Pattern& pattern, std::string_view path) {
    if (!path.starts_with('/')) return false;
    const bool slash = path.size() > 1 && path.ends_with('/');
    std::string_view rest = path.substr(1);
    for (const std::string& wanted : pattern.segments) {
      if (rest.empty()) return false;
      const std::string_view segment = Take(&rest);
      if (wanted.empty() ? segment.empty() : segment != wanted) return false;
    }
    return pattern.rest || (rest.empty() && slash == pattern.trailing_slash);
  }

  std::vector<Pattern> patterns_;
};

}  // namespace probed::sdk::http
