// SPDX-License-Identifier: Apache-2.0
// Metrics: counters that their owners show when asked, and two ways to write them down.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.hpp"

namespace mote {

/// Takes what `collect` functions all over the house have to show.
class MetricsSink {
 public:
  virtual ~MetricsSink() = default;
  /// Something that only grows. `group` says of what ("block"), `instance` of which one (an id;
  /// empty when there is one only), `name` what is counted ("read_bytes").
  virtual void counter(std::string_view group, std::string_view instance, std::string_view name,
                       u64 value) = 0;
  /// Something that goes up and down, or is measured.
  virtual void gauge(std::string_view group, std::string_view instance, std::string_view name,
                     u64 value) = 0;
};

/// Prometheus's text format, version 0.0.4: "mote_block_read_bytes_total{id=\"rootfs\"} 512".
class PrometheusText final : public MetricsSink {
 public:
  void counter(std::string_view group, std::string_view instance, std::string_view name,
               u64 value) override;
  void gauge(std::string_view group, std::string_view instance, std::string_view name,
             u64 value) override;
  /// All that was added, each metric's samples together.
  std::string take();

 private:
  struct Family {
    std::string name;
    std::string_view type;
    std::string samples;
  };
  void add(std::string name, std::string_view type, std::string_view instance, u64 value);
  std::vector<Family> families_;
};

/// Firecracker's way: an object per line. Counters show what came since the last line; a group with
/// instances has an object for each and one for their sum.
class MetricsLine final : public MetricsSink {
 public:
  /// What earlier lines have shown of each counter.
  using Shown = std::map<std::string, u64, std::less<>>;
  explicit MetricsLine(Shown& shown) : shown_(shown) {}

  void counter(std::string_view group, std::string_view instance, std::string_view name,
               u64 value) override;
  void gauge(std::string_view group, std::string_view instance, std::string_view name,
             u64 value) override;
  /// The line without its end. `members` are more members of the object as JSON, or empty.
  std::string take(u64 timestamp_ms, std::string_view members);

 private:
  using Object = std::vector<std::pair<std::string, u64>>;
  void add(std::string_view group, std::string_view instance, std::string_view name, u64 value,
           bool is_counter);
  Object& object(std::string_view name);

  Shown& shown_;
  std::vector<std::pair<std::string, Object>> objects_;
};

}  // namespace mote
