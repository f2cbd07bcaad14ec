// SPDX-License-Identifier: Apache-2.0
#include "jail/jailer/arguments.hpp"

#include <algorithm>
#include <charconv>

#include "core/text.hpp"
#include "jail/words.hpp"

namespace mote::jailer {
namespace {

constexpr std::size_t kLongestId = 64;

constexpr Flag kFlags[] = {
    {"id", true, false, true, "Jail ID."},
    {"exec-file", true, false, true, "File path to exec into."},
    {"uid", true, false, true, "The user that the program runs as."},
    {"gid", true, false, true, "The group that the program runs as."},
    {"chroot-base-dir", true, false, false, "Where jails are made. [default: /srv/jailer]"},
    {"netns", true, false, false, "Path of the network namespace to join."},
    {"daemonize", false, false, false, "Leave the session, with /dev/null as standard streams."},
    {"new-pid-ns", false, false, false, "Make the program the init of a PID namespace."},
    {"cgroup", true, true, false, "A control group's file and its value: cpu.shares=10."},
    {"resource-limit", true, true, false, "fsize=BYTES or no-file=NUMBER [default: no-file=2048]."},
    {"cgroup-version", true, false, false, "Version of the control groups, 1 or 2. [default: 1]"},
    {"parent-cgroup", true, false, false,
     "Control group that holds the jail's. [default: the program's name]"},
    {"detached-root", false, false, false,
     "Mote's own: start quicker, but later mounts of the host are not seen."},
    {"version", false, false, false, "Print the version."},
    {"help", false, false, false, "Show this text."},
};

Error bad_arguments(const std::string& what) {
  return Error::config("Failed to parse arguments: " + what);
}

/// All of `text` as a number; on failure the reason.
template <class T>
const char* parse_number(std::string_view text, T& number) {
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (text.empty()) return "cannot parse integer from empty string";
  if (error == std::errc::result_out_of_range) return "number too large to fit in target type";
  return error == std::errc{} && rest == end ? nullptr : "invalid digit found in string";
}

Result<void> set_id(std::string_view text, Arguments& arguments) {
  if (text.empty() || text.size() > kLongestId) {
    return Error::config(
        format("Invalid instance ID: Invalid len (%zu);  the length must be between 1 and %zu",
               text.size(), kLongestId));
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool is_good =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    if (!is_good) {
      return Error::config(format("Invalid instance ID: Invalid char (%c) at position %zu", c, i));
    }
  }
  arguments.id = text;
  return {};
}

Result<void> add_cgroup(std::string_view text, Arguments& arguments) {
  const std::size_t equals = text.find('=');
  const std::string_view file = text.substr(0, equals);
  if (equals == std::string_view::npos || equals + 1 == text.size()) {
    return Error::config("Invalid format for cgroups: " + std::string(text));
  }
  const std::size_t point = file.find('.');
  if (point == 0 || point == std::string_view::npos || point + 1 == file.size() ||
      file.find('/') != std::string_view::npos) {
    return Error::config("Cgroup invalid file: " + std::string(file));
  }
  arguments.cgroups.push_back({std::string(file), std::string(text.substr(equals + 1))});
  return {};
}

Result<void> set_parent_cgroup(std::string_view text, Arguments& arguments) {
  const std::vector<std::string_view> parts = jail::split(text, '/');
  const bool climbs = std::any_of(parts.begin(), parts.end(), [](std::string_view part) {
    return part == "." || part == "..";
  });
  if (text.starts_with('/') || climbs) {
    return Error::config(
        "Parent cgroup path is invalid. Path should not be absolute or contain '..' or '.'");
  }
  arguments.parent_cgroup = text;
  return {};
}

Result<void> set_resource_limit(std::string_view text, Arguments& arguments) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) {
    return Error::config("Invalid format for resources limits: " + std::string(text));
  }
  const std::string name(text.substr(0, equals));
  const std::string_view value = text.substr(equals + 1);
  u64 number = 0;
  if (const char* problem = parse_number(value, number)) {
    return Error::config("Invalid limit value for resource: " + std::string(value) + ": " +
                         problem);
  }
  if (name == "fsize") {
    arguments.file_size = number;
  } else if (name == "no-file") {
    arguments.descriptors = number;
  } else {
    return Error::config("Invalid resource argument: " + name);
  }
  return {};
}

Result<void> set_version(std::string_view text, Arguments& arguments) {
  if (text != "1" && text != "2") {
    return Error::config(std::string(text) + " is an invalid cgroup version specifier");
  }
  arguments.cgroup_version = text == "1" ? 1 : 2;
  return {};
}

template <class T>
Result<void> set_user(const char* what, std::string_view text, T& number) {
  if (parse_number(text, number) == nullptr) return {};
  return Error::config("Invalid " + std::string(what) + ": " + std::string(text));
}

Result<void> apply(std::string_view name, std::string_view value, Arguments& arguments) {
  if (name == "id") return set_id(value, arguments);
  if (name == "uid") return set_user("uid", value, arguments.uid);
  if (name == "gid") return set_user("gid", value, arguments.gid);
  if (name == "cgroup") return add_cgroup(value, arguments);
  if (name == "parent-cgroup") return set_parent_cgroup(value, arguments);
  if (name == "resource-limit") return set_resource_limit(value, arguments);
  if (name == "cgroup-version") return set_version(value, arguments);
  if (name == "exec-file") arguments.exec_file = value;
  if (name == "chroot-base-dir") arguments.chroot_base = value;
  if (name == "netns") arguments.netns = value;
  if (name == "daemonize") arguments.daemonize = true;
  if (name == "new-pid-ns") arguments.new_pid_ns = true;
  if (name == "detached-root") arguments.detached_root = true;
  return {};
}

const Flag* find_flag(std::string_view word) {
  if (!word.starts_with("--")) return nullptr;
  const auto* const found = std::find_if(std::begin(kFlags), std::end(kFlags),
                                         [&](const Flag& f) { return f.name == word.substr(2); });
  return found == std::end(kFlags) ? nullptr : found;
}

/// A flag as it was given.
struct Given {
  const Flag* flag;
  std::string_view value;
};

bool is_given(const std::vector<Given>& given, const Flag& flag) {
  return std::any_of(given.begin(), given.end(),
                     [&](const Given& other) { return other.flag == &flag; });
}

Result<std::vector<Given>> sort_words(std::span<const char* const> words) {
  std::vector<Given> given;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const Flag* const flag = find_flag(word);
    if (flag == nullptr) {
      return bad_arguments("Found argument '" +
                           std::string(word.substr(word.starts_with("--") ? 2 : 0)) +
                           "' which wasn't expected, or isn't valid in this context.");
    }
    const std::string name(flag->name);
    if (!flag->may_repeat && is_given(given, *flag)) {
      return bad_arguments("The argument '" + name + "' was provided more than once.");
    }
    std::string_view value;
    if (flag->takes_value) {
      if (i + 1 == words.size() || std::string_view(words[i + 1]).starts_with("--")) {
        return bad_arguments("The argument '" + name +
                             "' requires a value, but none was supplied.");
      }
      value = words[++i];
    }
    given.push_back({flag, value});
  }
  return given;
}

}  // namespace

std::span<const Flag> flags() {
  return kFlags;
}

Result<Arguments> parse_arguments(std::span<const char* const> words) {
  Arguments arguments;
  const auto end = std::find(words.begin(), words.end(), std::string_view("--"));
  const auto count = static_cast<std::size_t>(end - words.begin());
  if (end != words.end()) arguments.extra.assign(end + 1, words.end());
  words = words.first(count);
  const auto has = [&](std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  arguments.help = has("--help");
  arguments.version = has("--version");
  if (arguments.help || arguments.version) return arguments;

  const std::vector<Given> given = TRY(sort_words(words));
  for (const Flag& flag : kFlags) {
    if (flag.required && !is_given(given, flag)) {
      return bad_arguments("Argument '" + std::string(flag.name) + "' required, but not found.");
    }
  }
  // In the order of the flags, so that the first problem that is told does not depend on the
  // caller's order.
  for (const Flag& flag : kFlags) {
    for (const Given& one : given) {
      if (one.flag == &flag) TRY(apply(flag.name, one.value, arguments));
    }
  }
  return arguments;
}

}  // namespace mote::jailer
