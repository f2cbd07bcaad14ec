// SPDX-License-Identifier: Apache-2.0
// The two interrupt handlers of doze.hpp.

.set kInterruptStatus, 0x60  // and 4 behind it: acknowledge [Virtio 1.2 4.2.2]
.set kEndOfInterrupt, 0xFEE000B0

.text
// #GP: ring 3 came to a HLT. Its code has no other reason for one.
.globl doze_on_halt
doze_on_halt:
  cmpb $0, doze_is_awake
  jne 1f
  sti                        // takes effect behind the next instruction: no wake-up is lost
  hlt
  cli
1:
  movb $0, doze_is_awake
  addq $8, %rsp              // the error code
  incq (%rsp)                // HLT is one byte
  iretq

.globl doze_on_device
doze_on_device:
  pushq %rax
  pushq %rcx
  movq doze_registers, %rax
  movl kInterruptStatus(%rax), %ecx
  movl %ecx, kInterruptStatus + 4(%rax)
  incq doze_interrupts
  movb $1, doze_is_awake
  movl $kEndOfInterrupt, %eax
  movl $0, (%rax)
  popq %rcx
  popq %rax
  iretq

.section .note.GNU-stack, "", @progbits
