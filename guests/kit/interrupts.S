// SPDX-License-Identifier: Apache-2.0
// The IDT, complete at link time, and its 256 entry stubs. A gate splits its address into three
// fields that no relocation can fill, so the stubs stand at a fixed place: behind the first page of
// the image.

.set kStubs, GUEST_BASE + 0x1000
.set kStubSize, 16
.set kCode64, 0x08
.set kGate, 0x8E             // present, interrupt gate
.set kUserGate, 0xEE         // the same, open to INT3 from ring 3

.section .isr, "ax"
.globl isr_stubs
isr_stubs:
  .set vector, 0
  .rept 256
  .align kStubSize
  // Vectors that push an error code by themselves [SDM 3A 6.3.1].
  .set has_error, vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21
  .set has_error, has_error || vector == 29 || vector == 30
  .if !has_error
  pushq $0
  .endif
  pushq $vector
  jmp isr_common
  .set vector, vector + 1
  .endr
  .align kStubSize

isr_common:
  pushq %rax
  pushq %rcx
  pushq %rdx
  pushq %rbx
  pushq %rbp
  pushq %rsi
  pushq %rdi
  pushq %r8
  pushq %r9
  pushq %r10
  pushq %r11
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, %rdi
  cld
  call kit_interrupt
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %r11
  popq %r10
  popq %r9
  popq %r8
  popq %rdi
  popq %rsi
  popq %rbp
  popq %rbx
  popq %rdx
  popq %rcx
  popq %rax
  addq $16, %rsp
  iretq

.section .data.tables, "aw"
  .align 16
.globl idt
idt:
  .set vector, 0
  .rept 256
  .word (kStubs + vector * kStubSize) & 0xFFFF, kCode64
  .if vector == 3
  .word kUserGate << 8
  .else
  .word kGate << 8
  .endif
  .word kStubs >> 16
  .quad 0
  .set vector, vector + 1
  .endr
idt_end:
.globl idt_pointer
idt_pointer:
  .word idt_end - idt - 1
  .quad idt

.section .note.GNU-stack, "", @progbits
