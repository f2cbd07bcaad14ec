// SPDX-License-Identifier: Apache-2.0
// The step down to ring 3 by IRETQ, and back by INT3. WHY: software KVM knows neither INT n nor
// SYSCALL of ring 3, but delivers every exception.

.set kUserData, 0x23
.set kUserCode, 0x2B

.text
// u64 kit_enter_ring3(function, argument, user_stack)
.globl kit_enter_ring3
kit_enter_ring3:
  pushq %rbx
  pushq %rbp
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  pushfq
  movq %rsp, task_state + 4  // RSP0: interrupts in ring 3 push below what was saved here
  movq (%rsp), %rax
  pushq $kUserData
  pushq %rdx
  pushq %rax
  pushq $kUserCode
  pushq $ring3_start
  movq %rdi, %rax
  movq %rsi, %rdi
  iretq

ring3_start:
  call *%rax
  int3

// void kit_leave_ring3(result, kernel_stack): returns from kit_enter_ring3.
.globl kit_leave_ring3
kit_leave_ring3:
  movq %rsi, %rsp
  movq %rdi, %rax
  popfq
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbp
  popq %rbx
  ret

.section .note.GNU-stack, "", @progbits
