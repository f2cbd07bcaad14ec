// SPDX-License-Identifier: Apache-2.0
// The little world in which acts are tried: somebody to reach, and somebody to be.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "tests/acts/act.hpp"

namespace mote::acts {

enum class Caller { kRoot, kOrdinaryUser };

/// What came of a program that was run to its end.
struct Trial {
  int exit_code = -1;  ///< 128 + number when a signal ended it
  std::string output;  ///< standard output and error
};

/// A running program; killed at the end if it still is.
class Program {
 public:
  Program(pid_t process, int output) : process_(process), output_(output) {}
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program();

  pid_t process() const { return process_; }
  /// Reads until this was said; false when it does not come.
  bool wait_for(const std::string& text);
  Trial finish();

 private:
  bool read_some();

  pid_t process_;
  int output_;
  Trial trial_;
};

/// Namespaces of our own (mount, network, UTS, IPC) as far as we may, in them a folder with the
/// programs, a process, listening sockets, files. The ordinary user of it may open /dev/kvm.
class Setting {
 public:
  static constexpr uid_t kUser = 4321;

  /// Made once; what fails then ends the tests.
  static const Setting& get();
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;
  ~Setting();

  /// Why this process cannot be the caller; empty if it can.
  static std::string cannot_be(Caller caller);
  const Target& target() const { return target_; }
  /// Where a program or a guest is for everybody.
  std::string path(const std::string& name) const { return target_.folder + "/" + name; }
  /// Makes the folders "work", which programs run in, and "shown" as they were.
  void reset() const;
  /// Starts `words` with `environment` added to ours, descriptors left open, and this to reach.
  Program start(const std::vector<std::string>& words, Caller caller,
                const std::vector<std::string>& environment, const Target& target) const;

 private:
  Setting();
  void make_folder();
  void make_target();

  Target target_{};
  std::vector<int> left_open_;
};

}  // namespace mote::acts
