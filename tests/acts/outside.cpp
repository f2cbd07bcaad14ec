// SPDX-License-Identifier: Apache-2.0
// Does one act in a process that nothing confines: shows that there was something to forbid.
#include "tests/acts/act.hpp"

int main(int, char** words) {
  const mote::acts::Act* const act = words[1] != nullptr ? mote::acts::find_act(words[1]) : nullptr;
  if (act == nullptr) return 2;
  mote::acts::perform(*act, mote::acts::read_target());
  return 0;
}
