/* Signals: faults of kernels become reports, and the watchdog gets workers out of endless loops.
 *
 * Handlers belong to the whole process. Ours are there only while a run is; they leave every signal
 * that does not come from a kernel to whoever had it before (Python's faulthandler, for one). */
#include "signals.h"

#include <errno.h>
#include <string.h>
#include <sys/ucontext.h>

#include "addresses.h"
#include "misaligned.h"
#include "report.h"
#include "stacks.h"

#define KICK SIGURG /* ignored by default, so that a late one does no harm */

static int const caught[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, KICK};
#define CAUGHT (sizeof caught / sizeof *caught)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t users;
static struct sigaction before[CAUGHT];

/* ---- what the machine did when the signal came */

struct machine {
    uintptr_t code, stack_pointer;
    void **frame;
    enum smr_access access;
};

#if defined(__linux__) && defined(__x86_64__)

static void read_machine(ucontext_t const *context, struct machine *machine)
{
    greg_t const *registers = context->uc_mcontext.gregs;
    machine->code = (uintptr_t)registers[REG_RIP];
    machine->stack_pointer = (uintptr_t)registers[REG_RSP];
    machine->frame = (void **)registers[REG_RBP];
    bool is_page_fault = registers[REG_TRAPNO] == 14;
    bool is_write = registers[REG_ERR] & 2;
    machine->access = !is_page_fault ? SMR_ACCESS_UNKNOWN : is_write ? SMR_ACCESS_WRITE : SMR_ACCESS_READ;
}

#elif defined(__linux__) && defined(__aarch64__)

#define ESR_MAGIC_NUMBER 0x45535201u /* of struct esr_context in Linux's asm/sigcontext.h */

static void read_machine(ucontext_t const *context, struct machine *machine)
{
    mcontext_t const *registers = &context->uc_mcontext;
    machine->code = registers->pc;
    machine->stack_pointer = registers->sp;
    machine->frame = (void **)registers->regs[29];
    machine->access = SMR_ACCESS_UNKNOWN;
    unsigned char const *record = (unsigned char const *)registers->__reserved;
    unsigned char const *end = record + sizeof registers->__reserved;
    while (record + 16 <= end) {
        uint32_t magic, bytes;
        memcpy(&magic, record, 4);
        memcpy(&bytes, record + 4, 4);
        if (magic == ESR_MAGIC_NUMBER) {
            uint64_t syndrome;
            memcpy(&syndrome, record + 8, 8);
            if (syndrome >> 26 == 0x24) /* data abort; bit 6: write */
                machine->access = syndrome & 64 ? SMR_ACCESS_WRITE : SMR_ACCESS_READ;
        }
        if (magic == 0 || bytes == 0)
            return;
        record += bytes;
    }
}

#elif defined(__APPLE__) && defined(__x86_64__)

static void read_machine(ucontext_t const *context, struct machine *machine)
{
    machine->code = context->uc_mcontext->__ss.__rip;
    machine->stack_pointer = context->uc_mcontext->__ss.__rsp;
    machine->frame = (void **)context->uc_mcontext->__ss.__rbp;
    machine->access = context->uc_mcontext->__es.__err & 2 ? SMR_ACCESS_WRITE : SMR_ACCESS_READ;
}

#elif defined(__APPLE__) && defined(__aarch64__)

static void read_machine(ucontext_t const *context, struct machine *machine)
{
    machine->code = context->uc_mcontext->__ss.__pc;
    machine->stack_pointer = context->uc_mcontext->__ss.__sp;
    machine->frame = (void **)context->uc_mcontext->__ss.__fp;
    machine->access = context->uc_mcontext->__es.__esr & 64 ? SMR_ACCESS_WRITE : SMR_ACCESS_READ;
}

#else
#error "the runtime knows Linux and macOS on x86-64 and aarch64"
#endif

/* Whether the instruction is the trap of -fsanitize=local-bounds, which is the one check of which
 * programs are built to trap. */
static bool is_bounds_trap(int signal, uintptr_t code)
{
#if defined(__x86_64__)
    unsigned char const *byte = (unsigned char const *)code; /* ud1l number(%eax), %eax */
    return signal == SIGILL && byte[0] == 0x67 && byte[1] == 0x0F && byte[2] == 0xB9 && byte[3] == 0x40;
#else
    uint32_t instruction;
    memcpy(&instruction, (void const *)code, sizeof instruction);
    return signal == SIGTRAP && (instruction & ~0x1FE0u) == 0xD42AA000u; /* brk 0x5500 + number */
#endif
}

/* ---- handling */

static size_t index_of(int signal)
{
    size_t index = 0;
    while (index < CAUGHT && caught[index] != signal)
        index++;
    return index;
}

/* Does what would have happened without us. */
static void pass_on(int signal, siginfo_t *information, void *context)
{
    size_t index = index_of(signal);
    if (index == CAUGHT)
        return;
    struct sigaction const *action = &before[index];
    if (action->sa_flags & SA_SIGINFO) {
        action->sa_sigaction(signal, information, context);
    } else if (action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN) {
        action->sa_handler(signal);
    } else if (signal != KICK) {
        /* The instruction runs once more when we return, and then the process ends as it should. */
        struct sigaction standard = {.sa_handler = SIG_DFL};
        sigaction(signal, &standard, NULL);
    }
}

/* Why a kernel did what raised the signal. */
static enum smr_status cause_of(struct slot const *slot, int signal, siginfo_t *information, ucontext_t *context,
                                struct machine const *machine)
{
    struct smr_report *report = &slot->worker->report;
    report->signal = (uint32_t)signal;
    if (is_bounds_trap(signal, machine->code))
        return SMR_OWN_ARRAY;
    if (signal == SIGSEGV && smr_report_misaligned(slot, context))
        return SMR_MISALIGNED;
    report->access = machine->access;
    smr_report_address(slot, (uint64_t)(uintptr_t)information->si_addr);
    return SMR_FAULT;
}

static void on_signal(int signal, siginfo_t *information, void *context)
{
    struct machine machine;
    read_machine(context, &machine);
    if (!is_stack_address(machine.stack_pointer)) {
        pass_on(signal, information, context);
        return;
    }
    struct slot *slot = slot_of(machine.stack_pointer);
    struct worker *worker = slot->worker;
    if (signal == KICK) {
        int stop = atomic_load(&worker->run->stop);
        if (stop == RUNNING || atomic_load(&worker->critical) > 0)
            return; /* the watchdog will come again */
        smr_report_thread(worker, slot->fiber, machine.code, machine.frame);
        worker->report.status = stop == STOPPED_BY_TIMEOUT ? SMR_TIMEOUT : SMR_DONE;
        siglongjmp(worker->escape, 1);
    }
    worker->report.status = cause_of(slot, signal, information, context, &machine);
    smr_report_thread(worker, slot->fiber, machine.code, machine.frame);
    siglongjmp(worker->escape, 1);
}

static bool is_ours(struct sigaction const *action)
{
    return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == on_signal;
}

static void restore(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sigaction now;
        /* Who came after us stays. */
        if (sigaction(caught[i], NULL, &now) == 0 && is_ours(&now))
            sigaction(caught[i], &before[i], NULL);
    }
}

/* Installs the handlers, unless another run has done so. */
bool smr_signals_acquire(void)
{
    bool done = true;
    pthread_mutex_lock(&lock);
    if (users++ == 0) {
        struct sigaction ours;
        memset(&ours, 0, sizeof ours);
        ours.sa_sigaction = on_signal;
        ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
        sigemptyset(&ours.sa_mask);
        sigaddset(&ours.sa_mask, KICK);
        for (size_t i = 0; i < CAUGHT && done; i++) {
            struct sigaction previous;
            done = sigaction(caught[i], &ours, &previous) == 0;
            if (done && !is_ours(&previous))
                before[i] = previous;
            if (!done)
                restore(i);
        }
        users = done ? 1 : 0;
    }
    pthread_mutex_unlock(&lock);
    return done;
}

void smr_signals_release(void)
{
    pthread_mutex_lock(&lock);
    if (--users == 0)
        restore(CAUGHT);
    pthread_mutex_unlock(&lock);
}

void smr_signals_after_fork(void)
{
    pthread_mutex_init(&lock, NULL);
    if (users > 0)
        restore(CAUGHT);
    users = 0;
}

/* ---- threads that run kernels */

/* Lets the calling thread take our signals, on a stack of their own: that of a kernel may be what is
 * exhausted. */
void smr_signals_enter(struct worker *worker, stack_t *previous, sigset_t *mask)
{
    stack_t ours = {.ss_sp = worker->signal_stack, .ss_size = SIGNAL_STACK_BYTES, .ss_flags = 0};
    sigset_t open;
    sigemptyset(&open);
    for (size_t i = 0; i < CAUGHT; i++)
        sigaddset(&open, caught[i]);
    sigaltstack(&ours, previous);
    pthread_sigmask(SIG_UNBLOCK, &open, mask);
}

void smr_signals_leave(stack_t const *previous, sigset_t const *mask)
{
    pthread_sigmask(SIG_SETMASK, mask, NULL);
    sigaltstack(previous, NULL);
}

void smr_kick(struct worker *worker) { pthread_kill(worker->os_thread, KICK); }
