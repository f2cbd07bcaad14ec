// SPDX-License-Identifier: Apache-2.0
// From the monitor's entry point to C++: PVH (32-bit) or the 64-bit Linux boot protocol, then long
// mode on tables that the linker has filled, so that nothing is computed before the first line.

.set kBootClock, 0xB00
.set kMarkEntered, 1

.set kCr0, 0x80010033        // PG, WP, NE, ET, MP, PE
.set kCr4, 0x20              // PAE
.set kEfer, 0xC0000080
.set kEferLme, 0x100

.set kCode64, 0x08
.set kData, 0x10
.set kCode32, 0x18

#ifdef GUEST_PVH
// The note that tells a loader the 32-bit entry point [Xen PVH, elfnote.h type 18].
.section .note.pvh, "a", @note
  .align 4
  .long 4, 4, 18
  .asciz "Xen"
  .long pvh_start
#endif

// Sets paging and EFER, then continues in 64-bit code. The caller runs with flat 32-bit segments.
.macro ENTER_LONG_MODE target
  movl $pml4, %eax
  movl %eax, %cr3
  movl $kCr4, %eax
  movl %eax, %cr4
  movl $kEfer, %ecx
  movl $kEferLme, %eax
  xorl %edx, %edx
  wrmsr
  movl $kCr0, %eax
  movl %eax, %cr0
  lgdt gdt_pointer
  ljmp $kCode64, $\target
.endm

.macro LOAD_DATA_SEGMENTS
  movl $kData, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %ss
.endm

// A bzImage is entered 512 bytes behind its start [boot.rst 64-bit].
.section .head, "ax"
  .org 0x200
.code64
  jmp linux64_start
  .org 0x1000

.text
.code32
// PVH: ebx holds hvm_start_info, interrupts off, paging off.
.globl pvh_start
pvh_start:
  movw $kBootClock, %dx
  movb $kMarkEntered, %al
  outb %al, %dx
  ENTER_LONG_MODE pvh_start64

// An application processor comes here from the trampoline in real mode, see smp.S.
.globl ap_start32
ap_start32:
  LOAD_DATA_SEGMENTS
  ENTER_LONG_MODE ap_start64

.code64
pvh_start64:
  movl %ebx, %edi
  xorl %esi, %esi            // BootProtocol::kPvh
  jmp start64

// The 64-bit Linux boot protocol: rsi holds boot_params [boot.rst 64-bit].
.globl linux64_start
linux64_start:
  cli
  movw $kBootClock, %dx
  movb $kMarkEntered, %al
  outb %al, %dx
  movq $pml4, %rax
  movq %rax, %cr3
  lgdt gdt_pointer
  movq $boot_stack_top, %rsp
  pushq $kCode64
  pushq $1f
  lretq
1:
  movq %rsi, %rdi
  movl $1, %esi              // BootProtocol::kLinux64

start64:
  LOAD_DATA_SEGMENTS
  lidt idt_pointer
  movl $boot_stack_top, %esp
  xorl %ebp, %ebp
  call kit_entry             // never returns

ap_start64:
  LOAD_DATA_SEGMENTS
  lidt idt_pointer
  movq ap_stack_top, %rsp
  xorl %ebp, %ebp
  call kit_ap_entry          // never returns

.section .data.tables, "aw"
  .align 8
.globl gdt
gdt:
  .quad 0
  .quad 0x00AF9B000000FFFF   // 08 code, 64-bit
  .quad 0x00CF93000000FFFF   // 10 data
  .quad 0x00CF9B000000FFFF   // 18 code, 32-bit: way of an application processor into long mode
  .quad 0x00CFF3000000FFFF   // 20 data, ring 3
  .quad 0x00AFFB000000FFFF   // 28 code, 64-bit, ring 3
.globl gdt_tss
gdt_tss:
  .quad 0, 0                 // 30 task state segment, filled in by user.cpp
gdt_end:
.globl gdt_pointer
gdt_pointer:
  .word gdt_end - gdt - 1
  .quad gdt

// The first 4 GiB map to themselves in 2 MiB pages, accessed and dirty already set. Every page is
// open to ring 3: that ring is here for speed and for its semantics, not for protection.
// From 3 GiB on, where devices live, caching is off.
.set kTable, 0x07            // present, writable, user
.set kLeaf, 0xE7             // kTable, accessed, dirty, 2 MiB
.set kUncached, 0x18         // PWT, PCD

  .align 4096
.globl pml4
pml4:
  .quad pdpt + kTable
  .fill 511, 8, 0
.globl pdpt
pdpt:
  .quad pd + kTable, pd + 0x1000 + kTable, pd + 0x2000 + kTable, pd + 0x3000 + kTable
  .fill 508, 8, 0
pd:
  .set page, 0
  .rept 3 * 512
  .quad page * 0x200000 + kLeaf
  .set page, page + 1
  .endr
  .rept 512
  .quad page * 0x200000 + kLeaf + kUncached
  .set page, page + 1
  .endr

.bss
  .align 16
  .skip 16384
boot_stack_top:

.section .note.GNU-stack, "", @progbits
