// SPDX-License-Identifier: Apache-2.0
// The instructions C++ has no words for: ports, device memory, MSRs, CPUID, TSC, flags. Any vCPU.
#pragma once

#include "guests/kit/types.hpp"

namespace kit {

template <class T>
inline void out(u16 port, T value) {
  asm volatile("out %0, %w1" : : "a"(value), "Nd"(port) : "memory");
}
inline void out8(u16 port, u8 value) {
  out(port, value);
}
inline void out16(u16 port, u16 value) {
  out(port, value);
}
inline void out32(u16 port, u32 value) {
  out(port, value);
}

template <class T>
inline T in(u16 port) {
  T value;
  asm volatile("in %w1, %0" : "=a"(value) : "Nd"(port) : "memory");
  return value;
}
inline u8 in8(u16 port) {
  return in<u8>(port);
}
inline u16 in16(u16 port) {
  return in<u16>(port);
}
inline u32 in32(u16 port) {
  return in<u32>(port);
}

/// Device memory; T is u8, u16, u32 or u64. One instruction for each call.
template <class T>
inline T mmio_read(u64 address) {
  T value;
  asm volatile("mov %1, %0" : "=r"(value) : "m"(*reinterpret_cast<const volatile T*>(address)));
  return value;
}
template <class T>
inline void mmio_write(u64 address, T value) {
  asm volatile("mov %1, %0" : "=m"(*reinterpret_cast<volatile T*>(address)) : "r"(value));
}

struct CpuidResult {
  u32 eax, ebx, ecx, edx;
};
inline CpuidResult cpuid(u32 leaf, u32 subleaf = 0) {
  CpuidResult r;
  asm volatile("cpuid"
               : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
               : "a"(leaf), "c"(subleaf));
  return r;
}

inline u64 rdmsr(u32 msr) {
  u32 low;
  u32 high;
  asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
  return (u64{high} << 32) | low;
}
inline void wrmsr(u32 msr, u64 value) {
  asm volatile("wrmsr"
               :
               : "c"(msr), "a"(static_cast<u32>(value)), "d"(static_cast<u32>(value >> 32))
               : "memory");
}

inline u64 rdtsc() {
  u32 low;
  u32 high;
  asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
  return (u64{high} << 32) | low;
}

/// a * b / c without losing the high half of the product; the quotient has to fit 64 bits.
inline u64 multiply_divide(u64 a, u64 b, u64 c) {
  u64 quotient;
  u64 high;
  asm("mulq %3; divq %4" : "=a"(quotient), "=&d"(high) : "0"(a), "r"(b), "r"(c) : "cc");
  return quotient;
}

inline void pause() {
  asm volatile("pause" : : : "memory");
}
inline void enable_interrupts() {
  asm volatile("sti" : : : "memory");
}
inline void disable_interrupts() {
  asm volatile("cli" : : : "memory");
}
/// Sleeps until an interrupt was handled. Interrupts are off before and after; the pair sti;hlt
/// leaves no window in which a wake-up could be lost [SDM 2B STI].
inline void sleep_until_interrupt() {
  asm volatile("sti; hlt; cli" : : : "memory");
}
[[noreturn]] inline void halt_forever() {
  while (true) asm volatile("cli; hlt" : : : "memory");
}

}  // namespace kit
