// SPDX-FileCopyrightText: The probed authors
// SPDX-License-Identifier: Apache-2.0
//
// What one series has accumulated, of whatever kind.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace probed::pipeline {

struct MetricValues {
  std::uint64_t count = 0;
  double sum = 0;
  double last = 0;
  double min = std::numeric_limits<double>::infinity();
  double max = -std::numeric_limits<double>::infinity();
  std::vector<std::uint64_t> buckets;  // bounds + 1 for histograms, else none
  std::size_t last_bucket = 0;         // the next value is nearly always in the same one

  /// Bounds are inclusive: a value equal to one belongs to the bucket below it.
  void Add(double value, std::span<const double> bounds) {
    ++count;
    sum += value;
    last = value;
    min = std::min(min, value);
    max = std::max(max, value);
    if (buckets.empty()) return;
    if (!IsIn(last_bucket, value, bounds)) last_bucket = BucketOf(value, bounds);
    ++buckets[last_bucket];
  }

  void Merge(const MetricValues& newer) {
    count += newer.count;
    sum += newer.sum;
    last = newer.last;
    min = std::min(min, newer.min);
    max = std::max(max, newer.max);
    if (buckets.size() < newer.buckets.size()) buckets.resize(newer.buckets.size());
    for (std::size_t i = 0; i < newer.buckets.size(); ++i) buckets[i] += newer.buckets[i];
  }

  /// To nothing, keeping the memory.
  void Clear() {
    std::vector<std::uint64_t> kept = std::move(buckets);
    std::fill(kept.begin(), kept.end(), 0);
    *this = {};
    buckets = std::move(kept);
  }

 private:
  [[gnu::noinline]] static std::size_t BucketOf(double value, std::span<const double> bounds) {
    return static_cast<std::size_t>(std::lower_bound(bounds.begin(), bounds.end(), value) - bounds.begin());
  }
  static bool IsIn(std::size_t bucket, double value, std::span<const double> bounds) {
    return (bucket == 0 || bounds[bucket - 1] < value) && (bucket == bounds.size() || value <= bounds[bucket]);
  }
};

}  // namespace probed::pipeline
