// SPDX-License-Identifier: Apache-2.0
#include "cli/ctl_request.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "core/json/writer.hpp"
#include "core/pci_address.hpp"
#include "core/text.hpp"
#include "vmm/config/nearest.hpp"
#include "vmm/config/option_words.hpp"
#include "vmm/config/size.hpp"
#include "vmm/config/vm_config.hpp"

namespace mote {
namespace {

using http::Method;

constexpr u32 kStopMs = 10'000;       // as long as the API gives a guest by itself
constexpr u64 kStopSlackMs = 10'000;  // until the answer, on top
constexpr u64 kResetMs = 60'000;      // until a device has been reset

Result<u64> parse_count(std::string_view text) {
  u64 number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc{} && rest == end) return number;
  return Error::config("'" + std::string(text) + "' is no whole number");
}

/// Reads "AMOUNT[,refill_ms=N][,burst=AMOUNT]", or "none". The keys are those of the TOML file.
Result<RateLimit> parse_rate(std::string_view text, Result<u64> (*parse_amount)(std::string_view)) {
  static constexpr std::array<std::string_view, 2> kKeys = {"refill_ms", "burst"};
  if (text == "none") return RateLimit{};
  RateLimit rate;
  rate.size = TRY(parse_amount(cut(text, ',')));
  if (rate.size == 0) return Error::config("a limit is above 0 -- 'none' lifts it");
  while (!text.empty()) {
    std::string_view value = cut(text, ',');
    const std::string_view key = cut(value, '=');
    if (key == "refill_ms") {
      TRY(set_option_number(key, value, rate.refill_ms));
      if (rate.refill_ms == 0) return refused_value(key, value, "above 0");
    } else if (key == "burst") {
      rate.burst = TRY(parse_amount(value));
    } else {
      return Error::config("unknown key '" + std::string(key) + "'" + did_you_mean(key, kKeys) +
                           " -- refill_ms and burst are known");
    }
  }
  return rate;
}

/// An option that limits something, and what the API calls that.
struct RateOption {
  std::string_view option;
  std::string_view bucket;
  Result<u64> (*parse_amount)(std::string_view);
};

/// Adds the member `limiter` when one of its options was given.
Result<void> add_limiter(const CommandLine& line, std::string_view limiter,
                         std::span<const RateOption> options, json::Writer& body) {
  bool is_open = false;
  for (const RateOption& option : options) {
    const std::string* const text = line.argument(option.option);
    if (text == nullptr) continue;
    const auto rate = parse_rate(*text, option.parse_amount);
    if (!rate) return Error(rate.error()).within("--" + std::string(option.option));
    if (!std::exchange(is_open, true)) body.key(limiter).begin_object();
    body.key(option.bucket).begin_object();
    body.key("size").number(rate->size).key("refill_time").number(rate->refill_ms);
    if (rate->burst != 0) body.key("one_time_burst").number(rate->burst);
    body.end_object();
  }
  if (is_open) body.end_object();
  return {};
}

using Line = const CommandLine&;

CtlRequest get(std::string_view path, CtlShow show) {
  return {.call = {Method::kGet, std::string(path)}, .show = show};
}

/// A request with a body of one member.
CtlRequest tell(Method method, std::string_view path, std::string_view key,
                std::string_view value) {
  json::Writer body;
  body.begin_object().key(key).string(value).end_object();
  return {.call = {method, std::string(path), body.take()}};
}

CtlRequest action(std::string_view type) {
  return tell(Method::kPut, "/actions", "action_type", type);
}

Result<CtlRequest> stop(Line line) {
  u32 timeout_ms = kStopMs;
  if (const std::string* const text = line.argument("timeout")) {
    TRY(set_option_number("--timeout", *text, timeout_ms));
  }
  json::Writer body;
  body.begin_object().key("action_type").string("Stop");
  body.key("timeout_ms").number(timeout_ms).end_object();
  return CtlRequest{
      .call = {Method::kPut, "/actions", body.take(), u64{timeout_ms} + kStopSlackMs}};
}

Result<CtlRequest> status(Line line) {
  return CtlRequest{.call = {Method::kGet, "/"},
                    .show = line.has("json") ? CtlShow::kBody : CtlShow::kStatus};
}

Result<CtlRequest> drive(Line line) {
  static constexpr RateOption kRates[] = {{"bandwidth", "bandwidth", &parse_size},
                                          {"operations", "ops", &parse_count}};
  const std::string& id = line.operands.back();
  json::Writer body;
  body.begin_object().key("drive_id").string(id);
  if (const std::string* const path = line.argument("path")) {
    body.key("path_on_host").string(*path);
  }
  TRY(add_limiter(line, "rate_limiter", kRates, body));
  return CtlRequest{.call = {Method::kPatch, "/drives/" + id, body.end_object().take()}};
}

Result<CtlRequest> net(Line line) {
  static constexpr RateOption kRx[] = {{"rx-bandwidth", "bandwidth", &parse_size},
                                       {"rx-frames", "ops", &parse_count}};
  static constexpr RateOption kTx[] = {{"tx-bandwidth", "bandwidth", &parse_size},
                                       {"tx-frames", "ops", &parse_count}};
  const std::string& id = line.operands.back();
  json::Writer body;
  body.begin_object().key("iface_id").string(id);
  TRY(add_limiter(line, "rx_rate_limiter", kRx, body));
  TRY(add_limiter(line, "tx_rate_limiter", kTx, body));
  return CtlRequest{
      .call = {Method::kPatch, "/network-interfaces/" + id, body.end_object().take()}};
}

Result<CtlRequest> add_vfio(Line line) {
  const std::string& id = line.operands.back();
  const PciAddress address = TRY(parse_pci_address(*line.argument("address")));
  json::Writer body;
  body.begin_object().key("id").string(id);
  body.key("address").string(print_pci_address(address)).end_object();
  return CtlRequest{.call = {Method::kPut, "/vfio-devices/" + id, body.take()}};
}

Result<CtlRequest> remove_vfio(Line line) {
  const std::string query = line.has("force") ? "?force=true" : "";
  return CtlRequest{
      .call = {Method::kDelete, "/vfio-devices/" + line.operands.back() + query, {}, kResetMs}};
}

constexpr CtlVerb kVerbs[] = {
    {"start",
     "",
     "boot the guest",
     {},
     [](Line) -> Result<CtlRequest> { return action("InstanceStart"); }},
    {"pause",
     "",
     "hold the guest",
     {},
     [](Line) -> Result<CtlRequest> { return tell(Method::kPatch, "/vm", "state", "Paused"); }},
    {"resume",
     "",
     "let it go on",
     {},
     [](Line) -> Result<CtlRequest> { return tell(Method::kPatch, "/vm", "state", "Resumed"); }},
    {"stop", "", "ask the guest to end, and end it after --timeout", {"timeout"}, &stop},
    {"ctrl-alt-del",
     "",
     "press these keys",
     {},
     [](Line) -> Result<CtlRequest> { return action("SendCtrlAltDel"); }},
    {"status", "", "show id, state and version; with --json as the API does", {"json"}, &status},
    {"config",
     "",
     "show the configuration as JSON",
     {},
     [](Line) -> Result<CtlRequest> { return get("/vm/config", CtlShow::kBody); }},
    {"metrics",
     "",
     "show all metrics in Prometheus's text format",
     {},
     [](Line) -> Result<CtlRequest> { return get("/metrics", CtlShow::kBody); }},
    {"flush-metrics",
     "",
     "have metrics written to the VM's file of metrics",
     {},
     [](Line) -> Result<CtlRequest> { return action("FlushMetrics"); }},
    {"events",
     "",
     "show what happens to the VM, a JSON object a line",
     {},
     [](Line) -> Result<CtlRequest> { return get("/events", CtlShow::kEvents); }},
    {"timeline",
     "",
     "show the boot timeline as a Chrome trace",
     {},
     [](Line) -> Result<CtlRequest> { return get("/timeline", CtlShow::kBody); }},
    {"drive",
     "ID",
     "change the file behind a disk, or its limits",
     {"path", "bandwidth", "operations"},
     &drive,
     true},
    {"net",
     "ID",
     "change the limits of a network interface",
     {"rx-bandwidth", "rx-frames", "tx-bandwidth", "tx-frames"},
     &net,
     true},
    {"vfio list",
     "",
     "show the devices of the host that the guest has",
     {},
     [](Line) -> Result<CtlRequest> { return get("/vfio-devices", CtlShow::kBody); }},
    {"vfio add", "ID", "give the guest one, before it starts", {"address"}, &add_vfio, true},
    {"vfio remove", "ID", "ask the guest for one, or --force", {"force"}, &remove_vfio},
};

/// How many words `verb` has.
std::size_t word_count(const CtlVerb& verb) {
  return verb.name.find(' ') == std::string_view::npos ? 1 : 2;
}

Result<const CtlVerb*> find_verb(const std::vector<std::string>& words) {
  const std::string two = words.size() < 2 ? words[0] : words[0] + " " + words[1];
  std::vector<std::string_view> known;
  bool is_half = false;
  for (const CtlVerb& verb : kVerbs) {
    if (verb.name == (word_count(verb) == 1 ? words[0] : two)) return &verb;
    is_half = is_half || verb.name.starts_with(words[0] + " ");
    known.push_back(verb.name);
  }
  const std::string& word = is_half ? two : words[0];
  return Error::config("'" + std::string(word) + "' is nothing to ask of a VM" +
                       did_you_mean(word, known) + " -- 'mote ctl --help' lists what is");
}

/// Whether the words behind the verb are those that it takes.
Result<void> check_words(const CtlVerb& verb, const CommandLine& line) {
  const std::string name = "'mote ctl " + std::string(verb.name) + "'";
  const std::size_t count = word_count(verb) + (verb.operand.empty() ? 0 : 1);
  if (line.operands.size() < count) return Error::config(name + " needs the id of a device");
  if (line.operands.size() > count) {
    return Error::config(name + " takes no argument '" + line.operands[count] + "'");
  }
  bool has_own = false;
  for (const CommandLine::Setting& setting : line.settings) {
    const std::string_view option = setting.option->name;
    if (option == "api-sock") continue;
    if (std::find(verb.options.begin(), verb.options.end(), option) == verb.options.end()) {
      return Error::config(name + " takes no option '--" + std::string(option) + "'");
    }
    has_own = true;
  }
  if (verb.operand.empty()) return {};
  const std::string& id = line.operands.back();
  const bool valid = !id.empty() && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
  if (!valid) return Error::config("'" + id + "' is no id of a device");
  if (has_own || !verb.needs_option) return {};
  return Error::config(name + " needs something to change -- 'mote ctl --help' lists what can be");
}

}  // namespace

std::span<const CtlVerb> ctl_verbs() {
  return kVerbs;
}

Result<CtlRequest> ctl_request(const CommandLine& line) {
  if (line.operands.empty()) {
    return Error::config("nothing to ask of a VM -- 'mote ctl --help' lists what can be");
  }
  const CtlVerb& verb = *TRY(find_verb(line.operands));
  TRY(check_words(verb, line));
  const std::string* const socket = line.argument("api-sock");
  if (socket == nullptr || socket->empty()) {
    return Error::config("no VM to ask -- pass --api-sock PATH, the socket of its API");
  }
  CtlRequest request = TRY(verb.make(line));
  request.socket = *socket;
  return request;
}

}  // namespace mote
