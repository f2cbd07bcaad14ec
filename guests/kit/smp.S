// SPDX-License-Identifier: Apache-2.0
// The first instructions of an application processor, in real mode: smp.cpp copies them to where a
// SIPI can reach them.

.set kCode32, 0x18

.section .rodata
.code16
.globl trampoline
trampoline:
  cli
  lgdtl %cs:trampoline_gdt - trampoline
  movl %cr0, %eax
  orb $1, %al
  movl %eax, %cr0
  ljmpl $kCode32, $ap_start32
  .align 4
trampoline_gdt:
  .word 6 * 8 - 1
  .long gdt
.globl trampoline_end
trampoline_end:

.section .note.GNU-stack, "", @progbits
