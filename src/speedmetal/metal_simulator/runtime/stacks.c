/* Workers with the stacks of their fibers, kept from run to run. */
#include "stacks.h"

#include <string.h>
#include <sys/mman.h>

#include "switch.h"

uintptr_t smr_stacks_begin;
uintptr_t smr_stacks_bytes; /* 0: not reserved yet */

static struct worker *workers[WORKERS_MAXIMUM];
static bool is_taken[WORKERS_MAXIMUM];
static uint32_t worker_limit;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;

#define WORKER_STACKS_BYTES (STACK_BYTES * THREADS_MAXIMUM)

/* Reserves addresses, without memory, for as many workers as the system allows. */
static bool reserve(void)
{
    for (uint32_t count = WORKERS_MAXIMUM; count > 0; count /= 2) {
        size_t bytes = WORKER_STACKS_BYTES * count + STACK_BYTES;
        void *range = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
        if (range == MAP_FAILED)
            continue;
        smr_stacks_begin = ((uintptr_t)range + STACK_BYTES - 1) & ~(uintptr_t)(STACK_BYTES - 1);
        worker_limit = count;
        smr_stacks_bytes = WORKER_STACKS_BYTES * count;
        return true;
    }
    return false;
}

static bool signal_stack_prepare(struct worker *worker)
{
    void *stack = mmap(NULL, SIGNAL_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    worker->signal_stack = stack == MAP_FAILED ? NULL : stack;
    return worker->signal_stack != NULL;
}

static struct worker *worker_make(uint32_t index)
{
    struct worker *worker = mmap(NULL, sizeof *worker, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
    if (worker == MAP_FAILED)
        return NULL;
    worker->stacks = smr_stacks_begin + WORKER_STACKS_BYTES * index;
    if (!signal_stack_prepare(worker)) {
        munmap(worker, sizeof *worker);
        return NULL;
    }
    return worker;
}

/* A worker that nobody uses; NULL where there is none and `wait` is false, or no memory. */
struct worker *smr_worker_acquire(bool wait)
{
    struct worker *found = NULL;
    pthread_mutex_lock(&lock);
    if (smr_stacks_bytes == 0 && !reserve())
        wait = false;
    for (;;) {
        uint32_t index = 0;
        while (index < worker_limit && is_taken[index])
            index++;
        if (index < worker_limit) {
            if (!workers[index])
                workers[index] = worker_make(index);
            found = workers[index];
            is_taken[index] = found != NULL;
            break;
        }
        if (!wait)
            break;
        pthread_cond_wait(&released, &lock);
    }
    pthread_mutex_unlock(&lock);
    return found;
}

void smr_worker_release(struct worker *worker)
{
    pthread_mutex_lock(&lock);
    for (uint32_t index = 0; index < worker_limit; index++)
        if (workers[index] == worker)
            is_taken[index] = false;
    pthread_cond_signal(&released);
    pthread_mutex_unlock(&lock);
}

/* Gives the first `count` stacks of a worker memory. */
bool smr_stacks_prepare(struct worker *worker, uint32_t count)
{
    while (worker->stacks_ready < count) {
        uintptr_t begin = worker->stacks + STACK_BYTES * worker->stacks_ready;
        void *memory = (void *)(begin + STACK_GUARD_BYTES);
        if (mprotect(memory, STACK_BYTES - STACK_GUARD_BYTES, PROT_READ | PROT_WRITE) != 0)
            return false;
        struct slot *slot = slot_of(begin);
        slot->worker = worker;
        slot->fiber = &worker->fiber[worker->stacks_ready];
        worker->stacks_ready++;
    }
    return true;
}

/* A stack that will call `start`. Tops differ by some cache lines: if all were aligned alike, the
 * fibers' variables would compete for a few sets of the cache. */
void *smr_stack_prepare(struct worker *worker, uint32_t index, void (*start)(void))
{
    uintptr_t end = worker->stacks + STACK_BYTES * (index + 1) - sizeof(struct slot);
    return smr_initial_stack(end - (index * 192 & 2047), start);
}

/* In the child of a fork no run is under way, whatever other threads did in the parent. */
void smr_stacks_after_fork(void)
{
    pthread_mutex_init(&lock, NULL);
    pthread_cond_init(&released, NULL);
    memset(is_taken, 0, sizeof is_taken);
}
