/*
 * boot.c - from the hypervisor's description to a program: memory, its protection, tables of the
 * processor, and a stack such as Linux would make.
 *
 *     0x000000  not there: a NULL pointer faults
 *     0x020000  stack of the program, downwards from 0x090000; below it is not there either
 *     0x100000  the program: text not writable, data not executable
 *     ...       heap (brk), up to the initrd or the end of memory
 *
 * hvm_start_info: Xen's public/arch-x86/hvm/start_info.h.
 */
#include <elf.h>

#include "board.h"
#include "cpu.h"
#include "inside.h"

#define START_MAGIC 0x336ec578u
#define MEMORY_RAM 1
#define PAGE 4096u
#define LARGE 0x200000u
#define FINE_TABLES 12u /* the first 24 MiB in small pages: the program fits in */
#define STACK_LOW 0x20000u
#define STACK_TOP 0x90000u
#define P_PRESENT 0x1u
#define P_WRITE 0x2u
#define P_UNCACHED 0x10u
#define P_LARGE 0x80u
#define P_NO_EXEC (UINT64_C(1) << 63)
#define DEVICES_FROM 0xc0000000u /* above lie registers of devices */

struct start_info {
    uint32_t magic, version, flags, n_modules;
    uint64_t modules, command, rsdp, memory;
    uint32_t n_memory, reserved;
};

struct module {
    uint64_t address, size, command, reserved;
};

struct memory {
    uint64_t address, size;
    uint32_t type, reserved;
};

struct board board;

extern const char __executable_start[];
extern char _end[];

static uint64_t pml4[512] __attribute__((aligned(PAGE)));
static uint64_t pdpt[512] __attribute__((aligned(PAGE)));
static uint64_t directory[4][512] __attribute__((aligned(PAGE)));
static uint64_t fine[FINE_TABLES][512] __attribute__((aligned(PAGE)));

static void copy_text(char *to, size_t size, const char *from)
{
    size_t n = 0;

    for (; from && from[n] && n + 1 < size; n++)
        to[n] = from[n];
    to[n] = '\0';
}

static void take_start_info(const struct start_info *info)
{
    uintptr_t end = 0;

    if (info->magic != START_MAGIC || info->version < 1)
        board_panic("no PVH start information");
    copy_text(board.command, sizeof board.command, (const char *)info->command);
    const struct memory *m = (const struct memory *)info->memory;
    for (uint32_t i = 0; i < info->n_memory; i++)
        if (m[i].type == MEMORY_RAM && m[i].address <= (uintptr_t)_end &&
            m[i].address + m[i].size > (uintptr_t)_end)
            end = m[i].address + m[i].size;
    if (info->n_modules > 0) {
        const struct module *first = (const struct module *)info->modules;

        board.initrd = (const uint8_t *)first->address;
        board.initrd_size = first->size;
        if (first->address >= (uintptr_t)_end && first->address < end)
            end = first->address;
    }
    board.heap = ((uintptr_t)_end + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
    board.heap_end = end & ~(uintptr_t)(PAGE - 1);
    if (board.heap_end <= board.heap || board.heap_end > DEVICES_FROM)
        board_panic("no memory behind the program");
}

/* ---- memory ---- */

static void protect(uintptr_t from, uintptr_t to, uint64_t bits)
{
    for (uintptr_t at = from & ~(uintptr_t)(PAGE - 1); at < to; at += PAGE)
        if (at / LARGE < FINE_TABLES)
            fine[at / LARGE][at / PAGE % 512] = bits ? at | bits : 0;
}

static void map_memory(void)
{
    const Elf64_Ehdr *elf = (const Elf64_Ehdr *)__executable_start;
    const Elf64_Phdr *part = (const Elf64_Phdr *)(__executable_start + elf->e_phoff);

    for (uint64_t at = 0; at < UINT64_C(0x100000000); at += LARGE)
        directory[at >> 30][at / LARGE % 512] =
            at | P_PRESENT | P_WRITE | P_LARGE | P_NO_EXEC | (at >= DEVICES_FROM ? P_UNCACHED : 0);
    protect(0, FINE_TABLES * LARGE, P_PRESENT | P_WRITE | P_NO_EXEC);
    for (unsigned i = 0; i < elf->e_phnum; i++)
        if (part[i].p_type == PT_LOAD)
            protect(part[i].p_vaddr, part[i].p_vaddr + part[i].p_memsz,
                    P_PRESENT | (part[i].p_flags & PF_W ? P_WRITE : 0) |
                        (part[i].p_flags & PF_X ? 0 : P_NO_EXEC));
    protect(0, STACK_LOW, 0);
    for (unsigned i = 0; i < FINE_TABLES; i++)
        directory[0][i] = (uintptr_t)fine[i] | P_PRESENT | P_WRITE;
    for (unsigned i = 0; i < 4; i++)
        pdpt[i] = (uintptr_t)directory[i] | P_PRESENT | P_WRITE;
    pml4[0] = (uintptr_t)pdpt | P_PRESENT | P_WRITE;
    __asm__ volatile("mov %0, %%cr3" : : "r"(pml4) : "memory");
}

/* ---- the program ---- */

extern void metal_syscall(void);

static void take_syscalls(void)
{
    cpu_wrmsr(0xc0000081, UINT64_C(8) << 32); /* STAR: code segment 8, stack segment 16 */
    cpu_wrmsr(0xc0000082, (uintptr_t)metal_syscall);
    cpu_wrmsr(0xc0000084, 0x600); /* FMASK: interrupts, direction */
}

/* What the kernel puts on a new program's stack: argc, argv, environment, auxiliary vector. */
static uint64_t *make_stack(void)
{
    static char name[] = "metal";
    static uint8_t random[16];
    const Elf64_Ehdr *elf = (const Elf64_Ehdr *)__executable_start;
    uint32_t cpuid[4];

    (void)board_random(random, sizeof random); /* for the C library's guards only */
    cpu_cpuid(1, cpuid);
    const uint64_t words[] = {
        1,         (uintptr_t)name,
        0, /* argc, argv */
        0, /* environment */
        AT_PHDR,   (uintptr_t)__executable_start + elf->e_phoff,
        AT_PHENT,  elf->e_phentsize,
        AT_PHNUM,  elf->e_phnum,
        AT_PAGESZ, PAGE,
        AT_HWCAP,  cpuid[3],
        AT_CLKTCK, 100,
        AT_SECURE, 0,
        AT_RANDOM, (uintptr_t)random,
        AT_EXECFN, (uintptr_t)name,
        AT_NULL,   0,
    };
    const size_t n = sizeof words / sizeof words[0];
    uint64_t *stack = (uint64_t *)STACK_TOP - (n + (n & 1)); /* aligned to 16 */

    for (size_t i = 0; i < n; i++)
        stack[i] = words[i];
    return stack;
}

/* From boot.S, once. Result: the stack pointer to enter _start with. */
uint64_t *metal_boot(const struct start_info *info);
uint64_t *metal_boot(const struct start_info *info)
{
    board_serial_start();
    board_take_faults();
    take_start_info(info);
    map_memory();
    take_syscalls();
    board_clock_start();
    return make_stack();
}
