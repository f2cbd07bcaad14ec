// SPDX-License-Identifier: Apache-2.0
// What makes a bzImage of a guest: boot sector and one setup sector that hold the setup header
// [boot.rst, version 2.12]. There is no real-mode code in them: the 64-bit entry is the only one.

.set kLoadedHigh, 0x01
.set kKernel64, 0x01

.section .setup, "a"
  .org 0x1F1
  .byte 1                    // setup_sects
  .word 0                    // root_flags
  .long file_paragraphs      // syssize
  .word 0, 0, 0              // ram_size, vid_mode, root_dev
  .word 0xAA55               // boot_flag
  .byte 0xEB, setup_header_end - . - 1
  .ascii "HdrS"
  .word 0x020C               // version
  .long 0                    // realmode_swtch
  .word 0, 0                 // start_sys_seg, kernel_version
  .byte 0, kLoadedHigh       // type_of_loader, loadflags
  .word 0                    // setup_move_size
  .long GUEST_BASE           // code32_start
  .long 0, 0                 // ramdisk_image, ramdisk_size
  .long 0                    // bootsect_kludge
  .word 0                    // heap_end_ptr
  .byte 0, 0                 // ext_loader_ver, ext_loader_type
  .long 0                    // cmd_line_ptr
  .long 0x7FFFFFFF           // initrd_addr_max
  .long 0x1000               // kernel_alignment
  .byte 0, 12                // relocatable_kernel, min_alignment
  .word kKernel64            // xloadflags
  .long 2047                 // cmdline_size
  .long 0                    // hardware_subarch
  .quad 0                    // hardware_subarch_data
  .long 0, 0                 // payload_offset, payload_length
  .quad 0                    // setup_data
  .quad GUEST_BASE           // pref_address
  .long image_size           // init_size
  .long 0                    // handover_offset
setup_header_end:
  .org 1024

.section .note.GNU-stack, "", @progbits
