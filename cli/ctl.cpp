// SPDX-License-Identifier: Apache-2.0
#include "cli/ctl.hpp"

#include <cerrno>
#include <cstdio>

#include "core/json/value.hpp"
#include "core/text.hpp"

namespace mote {
namespace {

Result<void> print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) {
    return {};
  }
  return Error::from_errno(errno, "cannot write to standard output");
}

/// Prints the data of each event as soon as its line is there.
class EventPrinter final : public http::BodySink {
 public:
  bool take(std::string_view part) override {
    static constexpr std::string_view kData = "data: ";
    text_ += part;
    std::string lines;
    std::size_t begin = 0;
    for (std::size_t end; (end = text_.find('\n', begin)) != std::string::npos; begin = end + 1) {
      const std::string_view line = std::string_view(text_).substr(begin, end - begin);
      if (line.starts_with(kData)) lines.append(line.substr(kData.size())).append("\n");
    }
    text_.erase(0, begin);
    printed_ = print(lines);
    return printed_.has_value();
  }
  const Result<void>& printed() const { return printed_; }

 private:
  Result<void> printed_;
  std::string text_;  // of a line that is not complete
};

/// The string `name` of an object, or an empty one.
std::string member(const json::Value& object, std::string_view name) {
  const json::Value* const value = object.find(name);
  return value != nullptr && value->kind == json::Kind::kString ? value->text : std::string();
}

Result<std::string> status_text(const std::string& body) {
  const auto instance = json::parse(body);
  const std::string state = instance ? member(*instance, "state") : std::string();
  if (state.empty()) return Error::host("what answered is no VM's API");
  return format("id:      %s\nstate:   %s\nversion: %s %s\n", member(*instance, "id").c_str(),
                state.c_str(), member(*instance, "app_name").c_str(),
                member(*instance, "vmm_version").c_str());
}

/// Why the API refused, in its own words.
std::string refusal(const http::Answer& answer) {
  const auto body = json::parse(answer.body);
  for (const char* const name : {"fault_message", "error"}) {
    std::string text = body ? member(*body, name) : std::string();
    if (!text.empty()) return text;
  }
  return format("the API answered with status %d", answer.status);
}

}  // namespace

Result<ExitCode> ctl_command(const CtlRequest& request) {
  EventPrinter events;
  http::BodySink* const stream = request.show == CtlShow::kEvents ? &events : nullptr;
  const http::Answer answer = TRY(http::ask(request.socket, request.call, stream));
  TRY(events.printed());
  if (answer.status < 200 || answer.status > 299) {
    std::fprintf(stderr, "mote: %s\n", refusal(answer).c_str());
    return ExitCode::kApiRefused;
  }
  if (request.show == CtlShow::kStatus) TRY(print(TRY(status_text(answer.body))));
  if (request.show == CtlShow::kBody) {
    TRY(print(answer.body.ends_with('\n') ? answer.body : answer.body + "\n"));
  }
  return ExitCode::kPowerOff;
}

}  // namespace mote
