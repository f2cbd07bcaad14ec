// SPDX-License-Identifier: Apache-2.0
// keyboard: the keyboard behind the i8042, by interrupts through pin 1 of the I/O APIC. With
// `wait=keys` says `ready`, then which bytes came for one Ctrl-Alt-Del.
#include "guests/kit/boot_info.hpp"
#include "guests/kit/command_line.hpp"
#include "guests/kit/cpu.hpp"
#include "guests/kit/interrupts.hpp"
#include "guests/kit/ioapic.hpp"
#include "guests/kit/lapic.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/time.hpp"

namespace kit {
namespace {

constexpr u8 kVector = 0x46;
constexpr u32 kIrq = 1;
constexpr u16 kDataPort = 0x60;
constexpr u16 kCommandPort = 0x64;
constexpr u8 kOutputFull = 1;
constexpr u8 kWriteCommandByte = 0x60;
constexpr u8 kInterruptAndTranslation = 0x41;
constexpr u64 kAnswerUs = 5'000'000;
constexpr u64 kKeysUs = 60'000'000;

struct State {
  u32 interrupts;
  u32 count;
  u8 bytes[64];
};
volatile State state;

// One byte to an interrupt, as drivers do.
void on_keyboard(Frame&) {
  state.interrupts = state.interrupts + 1;
  if ((in8(kCommandPort) & kOutputFull) != 0) {
    const u8 byte = in8(kDataPort);
    if (state.count < sizeof(state.bytes)) state.bytes[state.count] = byte;
    state.count = state.count + 1;
  }
  lapic::end_of_interrupt();
}

bool wait_for(u32 count, u64 patience_us) {
  enable_interrupts();
  const bool came = wait_until([count] { return state.count >= count; }, patience_us);
  disable_interrupts();
  return came;
}

void expect_answer(std::string_view name, u8 command, std::initializer_list<u8> wanted) {
  state.interrupts = 0;
  state.count = 0;
  out8(kDataPort, command);
  bool same = wait_for(static_cast<u32>(wanted.size()), kAnswerUs);
  for (u32 i = 0; i < wanted.size(); i++) same = same && state.bytes[i] == wanted.begin()[i];
  expect(name, same && state.interrupts == wanted.size(), u32{state.count}, " bytes by ",
         u32{state.interrupts}, " interrupts, the first ", hex(state.bytes[0]));
}

}  // namespace

void guest_main(const BootInfo& info) {
  lapic::enable();
  set_interrupt_handler(kVector, on_keyboard);
  ioapic::route(kIrq, kVector, lapic::id());
  out8(kCommandPort, kWriteCommandByte);
  out8(kDataPort, kInterruptAndTranslation);

  expect_answer("keyboard.reset", 0xff, {0xfa, 0xaa});
  expect_answer("keyboard.identify", 0xf2, {0xfa, 0xab, 0x41});
  expect_answer("keyboard.enable", 0xf4, {0xfa});

  if (find_value(info.command_line, "wait") == "keys") {
    state.interrupts = 0;
    state.count = 0;
    print("ready\n");
    wait_for(8, kKeysUs);
    print("keys");
    for (u32 i = 0; i < state.count && i < sizeof(state.bytes); i++) {
      print(' ', hex(state.bytes[i]));
    }
    print('\n');
  }
  done();
}

}  // namespace kit
