// SPDX-License-Identifier: Apache-2.0
#include "core/metrics.hpp"

#include <algorithm>
#include <utility>

#include "core/json/writer.hpp"

namespace mote {

void PrometheusText::counter(std::string_view group, std::string_view instance,
                             std::string_view name, u64 value) {
  add("mote_" + std::string(group) + "_" + std::string(name) + "_total", "counter", instance,
      value);
}

void PrometheusText::gauge(std::string_view group, std::string_view instance, std::string_view name,
                           u64 value) {
  add("mote_" + std::string(group) + "_" + std::string(name), "gauge", instance, value);
}

void PrometheusText::add(std::string name, std::string_view type, std::string_view instance,
                         u64 value) {
  auto family = std::find_if(families_.begin(), families_.end(),
                             [&](const Family& each) { return each.name == name; });
  if (family == families_.end()) {
    family = families_.insert(family, {std::move(name), type, {}});
  }
  family->samples += family->name;
  if (!instance.empty()) {
    family->samples += "{id=";
    json::append_string(family->samples, instance);  // the same escapes
    family->samples += "}";
  }
  family->samples += " " + std::to_string(value) + "\n";
}

std::string PrometheusText::take() {
  std::string text;
  for (const Family& family : std::exchange(families_, {})) {
    text += "# TYPE " + family.name + " " + std::string(family.type) + "\n" + family.samples;
  }
  return text;
}

void MetricsLine::counter(std::string_view group, std::string_view instance, std::string_view name,
                          u64 value) {
  std::string key = std::string(group) + "/" + std::string(instance) + "/" + std::string(name);
  u64& shown = shown_[std::move(key)];
  add(group, instance, name, value - std::min(value, shown), true);
  shown = value;
}

void MetricsLine::gauge(std::string_view group, std::string_view instance, std::string_view name,
                        u64 value) {
  add(group, instance, name, value, false);
}

void MetricsLine::add(std::string_view group, std::string_view instance, std::string_view name,
                      u64 value, bool is_counter) {
  if (!instance.empty()) {
    object(std::string(group) + "_" + std::string(instance)).emplace_back(name, value);
  }
  if (!instance.empty() && !is_counter) return;
  Object& sum = object(group);
  const auto member =
      std::find_if(sum.begin(), sum.end(), [&](const auto& each) { return each.first == name; });
  if (member == sum.end()) {
    sum.emplace_back(name, value);
  } else {
    member->second += value;
  }
}

MetricsLine::Object& MetricsLine::object(std::string_view name) {
  for (auto& [known, members] : objects_) {
    if (known == name) return members;
  }
  return objects_.emplace_back(name, Object{}).second;
}

std::string MetricsLine::take(u64 timestamp_ms, std::string_view members) {
  json::Writer out;
  out.begin_object().key("utc_timestamp_ms").number(timestamp_ms);
  if (!members.empty()) out.raw(members);
  for (const auto& [name, values] : std::exchange(objects_, {})) {
    out.key(name).begin_object();
    for (const auto& [key, value] : values) out.key(key).number(value);
    out.end_object();
  }
  return out.end_object().take();
}

}  // namespace mote
