/*
 * boot.S - from QEMU's PVH entry to C in long mode, and from there to the C library's _start.
 *
 *     PVH (32 bit, no paging, %ebx = hvm_start_info) ──► page tables, long mode ──► metal_boot()
 *     its result is the stack of a Linux program at its first instruction ──► _start ──► main()
 *
 * Tables here map the first 4 GiB one to one, all of it writable; metal_boot() makes better ones.
 */
    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 4, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long metal_entry

    .section .note.GNU-stack, "", @progbits

    .text
    .code32
    .globl metal_entry
metal_entry:
    cli
    cld
    mov $boot_stack_top, %esp

    /* Four directories of 512 pages of 2 MiB. */
    mov $boot_directories, %edi
    mov $0x83, %eax /* present, writable, large */
    mov $2048, %ecx
1:  mov %eax, (%edi)
    movl $0, 4(%edi)
    add $0x200000, %eax
    add $8, %edi
    loop 1b
    movl $boot_pdpt + 3, boot_pml4
    movl $boot_directories + 0x0003, boot_pdpt
    movl $boot_directories + 0x1003, boot_pdpt + 8
    movl $boot_directories + 0x2003, boot_pdpt + 16
    movl $boot_directories + 0x3003, boot_pdpt + 24

    mov %cr4, %eax
    or $0x620, %eax /* PAE, OSFXSR, OSXMMEXCPT */
    mov %eax, %cr4
    mov $boot_pml4, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx /* EFER: SCE, LME, NXE */
    rdmsr
    or $0x901, %eax
    wrmsr
    mov %cr0, %eax
    and $~0xc, %eax       /* not EM, TS: SSE runs */
    or $0x80010023, %eax  /* PG, WP, NE, MP, PE */
    mov %eax, %cr0
    lgdt boot_gdt_pointer
    ljmp $8, $1f

    .code64
1:  mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    /* A block for %fs until the C library makes its own: stack protectors read %fs:0x28. */
    mov $0xc0000100, %ecx
    mov $boot_thread, %eax
    xor %edx, %edx
    wrmsr
    mov %ebx, %edi
    call metal_boot
    mov %rax, %rsp
    xor %ebp, %ebp
    xor %edx, %edx /* no function for atexit */
    jmp _start

/*
 * The syscall instruction, from ring 0 to ring 0. A program expects all registers but rax, rcx
 * and r11 back (vector registers too: the board is compiled without them), and may keep data below
 * its stack pointer. Interrupts are off and calls make no calls, so one saved pointer will do.
 */
    .globl metal_syscall
metal_syscall:
    mov %rsp, call_stack_saved(%rip)
    lea call_stack_top(%rip), %rsp
    push %rcx
    push %r11
    push %r9 /* struct metal_call_args, last member first */
    push %r8
    push %r10
    push %rdx
    push %rsi
    push %rdi
    mov %rsp, %rsi /* aligned to 16: eight words were pushed */
    mov %rax, %rdi
    call metal_call
    pop %rdi
    pop %rsi
    pop %rdx
    pop %r10
    pop %r8
    pop %r9
    popfq
    pop %rcx
    mov call_stack_saved(%rip), %rsp
    jmp *%rcx

/* Exceptions 0 to 31: those that push no error code push a zero. */
    .macro exception number
    .balign 16
    .if !((\number >= 10 && \number <= 14) || \number == 8 || \number == 17 || \number == 21)
    push $0
    .endif
    push $\number
    jmp fault
    .endm

    .balign 16
    .globl metal_exceptions /* entry i at i * 16 */
metal_exceptions:
    .set number, 0
    .rept 32
    exception number
    .set number, number + 1
    .endr

fault: /* struct metal_fault, last member first; it does not return */
    push %r15
    push %r14
    push %r13
    push %r12
    push %r11
    push %r10
    push %r9
    push %r8
    push %rbp
    push %rdi
    push %rsi
    push %rdx
    push %rcx
    push %rbx
    push %rax
    mov %rsp, %rdi
    and $~15, %rsp
    cld
    call metal_fault

/* An interrupt of a device or the timer. */
    .globl metal_interrupt_entry
metal_interrupt_entry:
    push %rax
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    cld
    call metal_interrupt
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rax
    iretq

    .globl metal_spurious_entry
metal_spurious_entry:
    iretq

    .data
    .balign 16
    .globl metal_gdt
metal_gdt: /* null, code, data, and two words for the task state */
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0, 0
boot_gdt_pointer:
    .word 39
    .long metal_gdt

    .bss
    .balign 4096
boot_pml4:
    .skip 4096
boot_pdpt:
    .skip 4096
boot_directories:
    .skip 4 * 4096
boot_stack:
    .skip 16384
boot_stack_top:
call_stack:
    .skip 16384
call_stack_top:
call_stack_saved:
    .skip 8
    .balign 64
boot_thread:
    .skip 128
