// SPDX-License-Identifier: Apache-2.0
// What a compiler calls without being asked: memory and string functions. Any vCPU.
// String instructions throughout: one instruction for the whole block, however slow the processor.
#include "guests/kit/types.hpp"

extern "C" {

void* memcpy(void* to, const void* from, std::size_t size) {
  void* next = to;
  asm volatile("rep movsb" : "+D"(next), "+S"(from), "+c"(size) : : "memory");
  return to;
}

void* memset(void* to, int value, std::size_t size) {
  void* next = to;
  asm volatile("rep stosb" : "+D"(next), "+c"(size) : "a"(value) : "memory");
  return to;
}

int memcmp(const void* left, const void* right, std::size_t size) {
  const auto* a = static_cast<const unsigned char*>(left);
  const auto* b = static_cast<const unsigned char*>(right);
  for (std::size_t i = 0; i < size; i++) {
    if (a[i] != b[i]) return a[i] - b[i];
  }
  return 0;
}

std::size_t strlen(const char* text) {
  std::size_t left = ~std::size_t{0};
  asm volatile("repne scasb" : "+D"(text), "+c"(left) : "a"(0) : "memory", "cc");
  return ~left - 1;
}

}  // extern "C"
