/*
 * kvm_payload.S - a kernel of 400 bytes: what a CPU must do for any kernel, a letter after each step.
 *
 * Twice used: as an ELF file that QEMU boots by its PVH note (the trial), and from vmm_kvm_payload
 * on, entered in long mode, without QEMU (the probe). It says "L3MCIiT\n" on port 0x3f8:
 *   L long mode, 3 CR3 reloaded, M MSR and swapgs, C cpuid, I interrupt taken, i and returned from,
 *   T 20,000 turns of a loop; then it writes 0 to port 0xf4, which ends QEMU (isa-debug-exit).
 *
 * Payload: rdi has 4 KiB of zeroes for the IDT, rsp a stack, cs is 8; memory is mapped as it is.
 */
#if defined(__x86_64__)
#define BASE 0x100000
#define AT(symbol) (symbol - vmm_trial_elf + BASE)
#define PML4 0x110000
#define IDT 0x113000
#define STACK 0x118000
#define SAY(letter) mov $0x3f8, %edx; mov $letter, %al; out %al, %dx

        .section .rodata
        .balign 16, 0x90
        .globl vmm_trial_elf, vmm_trial_elf_end, vmm_kvm_payload, vmm_kvm_payload_end
vmm_trial_elf:
        .byte 0x7f, 'E', 'L', 'F', 2, 1, 1, 0
        .quad 0
        .word 2, 62                     /* ET_EXEC, EM_X86_64 */
        .long 1
        .quad AT(start32), 64, 0        /* entry, program headers, no sections */
        .long 0
        .word 64, 56, 2, 0, 0, 0
        .long 1, 7                      /* PT_LOAD: all of it */
        .quad 0, BASE, BASE, vmm_trial_elf_end - vmm_trial_elf, vmm_trial_elf_end - vmm_trial_elf
        .quad 0x1000
        .long 4, 4                      /* PT_NOTE */
        .quad note - vmm_trial_elf, AT(note), AT(note), note_end - note, note_end - note, 4
note:   .long 4, 4, 18                  /* XEN_ELFNOTE_PHYS32_ENTRY */
        .asciz "Xen"
        .long AT(start32)
note_end:

        .code32
start32:
        cli
        movl $PML4 + 0x1003, PML4               /* 2 MiB, mapped as they are */
        movl $PML4 + 0x2003, PML4 + 0x1000
        movl $0x83, PML4 + 0x2000
        mov %cr4, %eax
        or $0x20, %eax                          /* PAE */
        mov %eax, %cr4
        mov $PML4, %eax
        mov %eax, %cr3
        mov $0xc0000080, %ecx                   /* EFER: long mode */
        rdmsr
        or $0x100, %eax
        wrmsr
        mov %cr0, %eax
        or $0x80000001, %eax                    /* paging */
        mov %eax, %cr0
        lgdt AT(gdtr)
        ljmp $8, $AT(start64)
        .balign 8
gdt:    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdtr:   .word 23
        .long AT(gdt)

        .code64
start64:
        mov $16, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        mov $STACK, %esp
        mov $IDT, %edi

        .balign 16, 0x90
vmm_kvm_payload:
        SAY('L')
        mov %cr3, %rax
        mov %rax, %cr3
        SAY('3')
        mov $0xc0000102, %ecx                   /* KERNEL_GS_BASE */
        xor %eax, %eax
        mov $1, %edx
        wrmsr
        rdmsr
        swapgs
        swapgs
        SAY('M')
        mov $1, %eax
        xor %ecx, %ecx
        cpuid
        SAY('C')
        lea handler(%rip), %rax                 /* gate 3 */
        mov %ax, 48(%rdi)
        movl $0x8e000008, 50(%rdi)
        shr $16, %rax
        mov %ax, 54(%rdi)
        shr $16, %rax
        mov %eax, 56(%rdi)
        movl $0, 60(%rdi)
        sub $16, %rsp
        movw $0xfff, (%rsp)
        mov %rdi, 2(%rsp)
        lidt (%rsp)
        add $16, %rsp
        int3
        SAY('i')
        mov $20000, %ecx
1:      add $3, %rax
        dec %rcx
        jnz 1b
        SAY('T')
        SAY('\n')
        mov $0xf4, %edx
        xor %eax, %eax
        out %eax, %dx
2:      hlt
        jmp 2b
        .balign 16, 0x90
handler:
        push %rax
        push %rdx
        SAY('I')
        pop %rdx
        pop %rax
        iretq
vmm_kvm_payload_end:
vmm_trial_elf_end:
#endif
        .section .note.GNU-stack, "", %progbits
