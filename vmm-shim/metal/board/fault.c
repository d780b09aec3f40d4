/*
 * fault.c - the table of interrupts, and what is said of an exception: nothing here recovers, so
 * the registers go to the serial line and the machine stops.
 */
#include "cpu.h"
#include "inside.h"

#define EXCEPTIONS 32u
#define STACK_SIZE 8192u

struct gate {
    uint16_t low, segment;
    uint8_t stack, type;
    uint16_t middle;
    uint32_t high, reserved;
};

struct task_state { /* of it only the stacks are used: Intel SDM 3A, 8.7 */
    uint32_t reserved0;
    uint64_t rsp[3], reserved1, ist[7], reserved2;
    uint16_t reserved3, io_map;
} __attribute__((packed));

struct metal_fault { /* as boot.S pushes it */
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t number, code, rip, cs, flags, rsp, ss;
};

extern uint64_t metal_gdt[5];
extern const char metal_exceptions[];
extern void metal_spurious_entry(void);

static struct gate table[256] __attribute__((aligned(16)));
static struct task_state task;
static uint8_t interrupt_stack[STACK_SIZE] __attribute__((aligned(16)));
static uint8_t fault_stack[STACK_SIZE] __attribute__((aligned(16)));

void board_set_vector(unsigned vector, void (*entry)(void), unsigned stack)
{
    const uintptr_t at = (uintptr_t)entry;

    table[vector] = (struct gate){
        .low = (uint16_t)at,
        .segment = 8,
        .stack = (uint8_t)stack,
        .type = 0x8e, /* present, interrupt gate */
        .middle = (uint16_t)(at >> 16),
        .high = (uint32_t)(at >> 32),
    };
}

void board_take_faults(void)
{
    const uintptr_t at = (uintptr_t)&task;
    const struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = { sizeof table - 1, (uintptr_t)table };

    task.ist[0] = (uintptr_t)interrupt_stack + STACK_SIZE;
    task.ist[1] = (uintptr_t)fault_stack + STACK_SIZE;
    task.io_map = sizeof task;
    metal_gdt[3] =
        (sizeof task - 1) | (at & 0xffffff) << 16 | UINT64_C(0x89) << 40 | (at >> 24 & 0xff) << 56;
    metal_gdt[4] = at >> 32;
    for (unsigned i = 0; i < EXCEPTIONS; i++)
        board_set_vector(i, (void (*)(void))(uintptr_t)(metal_exceptions + 16 * i), 2);
    board_set_vector(BOARD_VECTOR_SPURIOUS, metal_spurious_entry, 1);
    __asm__ volatile("lidt %0; ltr %w1" : : "m"(pointer), "r"(0x18));
}

static const char *name_of(uint64_t number)
{
    static const char *const names[EXCEPTIONS] = {
        "division",
        "debug",
        "non-maskable interrupt",
        "breakpoint",
        "overflow",
        "bounds",
        "invalid instruction",
        "no FPU",
        "double fault",
        NULL,
        "task state",
        "segment",
        "stack",
        "protection",
        "page fault",
        NULL,
        "x87",
        "alignment",
        "machine check",
        "vector arithmetic",
    };

    return number < EXCEPTIONS && names[number] ? names[number] : "exception";
}

static void say_register(const char *name, uint64_t value)
{
    board_say(name);
    board_say_number(value, 16);
}

_Noreturn void metal_fault(const struct metal_fault *f);
void metal_fault(const struct metal_fault *f)
{
    uint64_t cr2;

    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    board_say("\nmetal: ");
    board_say(name_of(f->number));
    say_register(" at rip=", f->rip);
    say_register(" code=", f->code);
    say_register(" cr2=", cr2);
    say_register(" rsp=", f->rsp);
    say_register(" rax=", f->rax);
    say_register(" rbx=", f->rbx);
    say_register(" rcx=", f->rcx);
    say_register(" rdx=", f->rdx);
    say_register(" rsi=", f->rsi);
    say_register(" rdi=", f->rdi);
    say_register(" rbp=", f->rbp);
    board_say("; the machine stops\n");
    board_off(2);
}
