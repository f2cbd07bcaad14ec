// SPDX-License-Identifier: Apache-2.0
// serial_irq: COM1 by interrupts through pin 4 of the I/O APIC. Sends a text from the
// transmitter-empty interrupt; with `input=N` receives N bytes, reports and echoes the first of
// them.
#include "guests/kit/boot_info.hpp"
#include "guests/kit/command_line.hpp"
#include "guests/kit/interrupts.hpp"
#include "guests/kit/ioapic.hpp"
#include "guests/kit/lapic.hpp"
#include "guests/kit/report.hpp"
#include "guests/kit/serial.hpp"
#include "guests/kit/time.hpp"

namespace kit {
namespace {

constexpr u8 kVector = 0x44;
constexpr u64 kPatienceUs = 5'000'000;
constexpr std::string_view kText =
    "sent by interrupts: the quick brown fox jumps over the lazy dog, twice sixteen and more\n";

struct State {
  u32 interrupts;
  u32 refills;
  std::size_t sent;
  u64 received;
  u64 sum;
  char echo[64];
};
volatile State state;

void send_some() {
  state.refills = state.refills + 1;
  for (std::size_t i = 0; i < serial::kFifoSize && state.sent < kText.size(); i++) {
    out8(serial::kData, static_cast<u8>(kText[state.sent]));
    state.sent = state.sent + 1;
  }
  if (state.sent == kText.size()) {
    out8(serial::kInterruptEnable, 0);
  }
}

void receive_all() {
  u8 byte = 0;
  while (serial::read(byte)) {
    if (state.received < sizeof(state.echo)) state.echo[state.received] = static_cast<char>(byte);
    state.received = state.received + 1;
    state.sum = state.sum + byte;
  }
}

void on_serial(Frame&) {
  state.interrupts = state.interrupts + 1;
  while (true) {
    const u8 id = in8(serial::kInterruptId) & serial::kIdMask;
    if ((id & serial::kNoInterrupt) != 0) break;
    if (id == serial::kIdTransmitterEmpty) send_some();
    if (id == serial::kIdReceived || id == serial::kIdReceiveTimeout) receive_all();
  }
  lapic::end_of_interrupt();
}

// Polls rather than sleeps, so that a lost interrupt is a failure and not a hang.
template <class Condition>
bool run_until(Condition done) {
  enable_interrupts();
  const bool is_done = wait_until(done, kPatienceUs);
  disable_interrupts();
  return is_done;
}

}  // namespace

void guest_main(const BootInfo& info) {
  lapic::enable();
  set_interrupt_handler(kVector, on_serial);
  out8(serial::kFifoControl, serial::kFifoEnable);
  out8(serial::kModemControl, serial::kModemDtrRtsOut2);
  ioapic::route(serial::kIrq, kVector, lapic::id());

  out8(serial::kInterruptEnable, serial::kEnableTransmitterEmpty);
  const bool is_sent = run_until([] { return state.sent == kText.size(); });
  expect("serial_irq.transmit", is_sent, state.sent, " bytes sent");
  expect("serial_irq.refills",
         state.interrupts > 0 && state.refills >= kText.size() / serial::kFifoSize, state.refills,
         " refills in ", state.interrupts, " interrupts");

  if (const u64 wanted = find_number(info.command_line, "input", 0); wanted != 0) {
    state.interrupts = 0;
    out8(serial::kInterruptEnable, serial::kEnableReceived);
    print("ready\n");
    run_until([wanted] { return state.received >= wanted; });
    out8(serial::kInterruptEnable, 0);
    expect("serial_irq.receive", state.received == wanted && state.interrupts > 0, state.received,
           " of ", wanted, " bytes by ", state.interrupts, " interrupts");
    print("received ", state.received, " sum ", state.sum, " echo \"");
    for (u64 i = 0; i < state.received && i < sizeof(state.echo); i++) print(char{state.echo[i]});
    print("\"\n");
  }
  done();
}

}  // namespace kit
