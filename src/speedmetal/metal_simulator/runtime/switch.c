/* Switching between stacks: the only part that knows the machine's registers. Both conventions
 * (System V on x86-64, AAPCS64) name the registers that a call preserves; the others need no saving,
 * since to the compiler smr_switch is an ordinary call. The floating-point mode is the same for all
 * fibers of a run. */
#include "switch.h"

#if defined(__x86_64__)

__attribute__((naked, noinline)) void smr_switch(void **save, void *to)
{
    __asm__("pushq %rbp\n\t"
            "pushq %rbx\n\t"
            "pushq %r12\n\t"
            "pushq %r13\n\t"
            "pushq %r14\n\t"
            "pushq %r15\n\t"
            "movq %rsp, (%rdi)\n\t"
            "movq %rsi, %rsp\n\t"
            "popq %r15\n\t"
            "popq %r14\n\t"
            "popq %r13\n\t"
            "popq %r12\n\t"
            "popq %rbx\n\t"
            "popq %rbp\n\t"
            "retq");
}

void *smr_initial_stack(uintptr_t top, void (*start)(void))
{
    /* As if `start` had been called: a return address (never used) at 16 n + 8. Frame pointers end
     * with 0. */
    uintptr_t *stack = (uintptr_t *)(top & ~(uintptr_t)15);
    *--stack = 0;
    *--stack = (uintptr_t)start;
    for (int saved = 0; saved < 6; saved++)
        *--stack = 0;
    return stack;
}

#elif defined(__aarch64__)

__attribute__((naked, noinline)) void smr_switch(void **save, void *to)
{
    __asm__("sub sp, sp, #160\n\t"
            "stp x19, x20, [sp, #0]\n\t"
            "stp x21, x22, [sp, #16]\n\t"
            "stp x23, x24, [sp, #32]\n\t"
            "stp x25, x26, [sp, #48]\n\t"
            "stp x27, x28, [sp, #64]\n\t"
            "stp x29, x30, [sp, #80]\n\t"
            "stp d8, d9, [sp, #96]\n\t"
            "stp d10, d11, [sp, #112]\n\t"
            "stp d12, d13, [sp, #128]\n\t"
            "stp d14, d15, [sp, #144]\n\t"
            "mov x9, sp\n\t"
            "str x9, [x0]\n\t"
            "mov sp, x1\n\t"
            "ldp x19, x20, [sp, #0]\n\t"
            "ldp x21, x22, [sp, #16]\n\t"
            "ldp x23, x24, [sp, #32]\n\t"
            "ldp x25, x26, [sp, #48]\n\t"
            "ldp x27, x28, [sp, #64]\n\t"
            "ldp x29, x30, [sp, #80]\n\t"
            "ldp d8, d9, [sp, #96]\n\t"
            "ldp d10, d11, [sp, #112]\n\t"
            "ldp d12, d13, [sp, #128]\n\t"
            "ldp d14, d15, [sp, #144]\n\t"
            "add sp, sp, #160\n\t"
            "ret");
}

void *smr_initial_stack(uintptr_t top, void (*start)(void))
{
    uintptr_t *stack = (uintptr_t *)((top & ~(uintptr_t)15) - 160);
    for (int word = 0; word < 20; word++)
        stack[word] = 0;
    stack[11] = (uintptr_t)start; /* x30; x29, the frame pointer, is 0 */
    return stack;
}

#else
#error "the runtime knows x86-64 and aarch64"
#endif
