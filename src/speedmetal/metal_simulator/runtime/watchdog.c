/* The watchdog: one thread for all runs. It sleeps until the nearest deadline; then it signals the
 * workers of the late run, again and again, until each has left the kernel. */
#include "watchdog.h"

#include <time.h>

#include "signals.h"

#define NEVER UINT64_MAX
#define KICK_NANOSECONDS 1000000u /* between two signals to a worker */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct run *runs;
static bool has_thread;
static uint64_t wakes_at = NEVER;

static uint64_t nanoseconds_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t smr_clock_nanoseconds(void) { return nanoseconds_of(CLOCK_MONOTONIC); }

/* Signals the late runs' workers; gives the time to look again. */
static uint64_t kick_late_runs(void)
{
    uint64_t now = smr_clock_nanoseconds(), nearest = NEVER;
    for (struct run *run = runs; run; run = run->next) {
        if (run->deadline > now) {
            nearest = run->deadline < nearest ? run->deadline : nearest;
            continue;
        }
        int running = RUNNING;
        atomic_compare_exchange_strong(&run->stop, &running, STOPPED_BY_TIMEOUT);
        for (uint32_t i = 0; i < run->worker_count; i++)
            if (run->worker[i]->is_registered)
                smr_kick(run->worker[i]);
        nearest = now + KICK_NANOSECONDS;
    }
    return nearest;
}

static void *watch(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    for (;;) {
        wakes_at = kick_late_runs();
        if (wakes_at == NEVER) {
            pthread_cond_wait(&changed, &lock);
            continue;
        }
        /* Conditions wait by the system's clock, which may be set; then this wakes too early or too
         * late once, and looks again. */
        uint64_t now = smr_clock_nanoseconds();
        uint64_t wake = nanoseconds_of(CLOCK_REALTIME) + (wakes_at > now ? wakes_at - now : 0);
        struct timespec until = {.tv_sec = (time_t)(wake / 1000000000u), .tv_nsec = (long)(wake % 1000000000u)};
        pthread_cond_timedwait(&changed, &lock, &until);
    }
    return NULL;
}

static bool start_thread(void)
{
    pthread_t thread;
    sigset_t all, previous;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &previous); /* signals are for the threads of Python */
    bool done = pthread_create(&thread, NULL, watch, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
    if (done)
        pthread_detach(thread);
    return done;
}

bool smr_watchdog_add(struct run *run)
{
    pthread_mutex_lock(&lock);
    if (!has_thread)
        has_thread = start_thread();
    if (has_thread) {
        run->previous = NULL;
        run->next = runs;
        if (runs)
            runs->previous = run;
        runs = run;
        /* Mostly it will wake early enough for an older run. */
        if (run->deadline < wakes_at)
            pthread_cond_signal(&changed);
    }
    bool done = has_thread;
    pthread_mutex_unlock(&lock);
    return done;
}

void smr_watchdog_remove(struct run *run)
{
    pthread_mutex_lock(&lock);
    if (run->previous)
        run->previous->next = run->next;
    else
        runs = run->next;
    if (run->next)
        run->next->previous = run->previous;
    pthread_mutex_unlock(&lock);
}

/* A worker's thread begins, or ends, to be one that may be signalled. */
void smr_watchdog_register(struct worker *worker, bool is_registered)
{
    pthread_mutex_lock(&lock);
    worker->os_thread = pthread_self();
    worker->is_registered = is_registered;
    pthread_mutex_unlock(&lock);
}

/* After a failure of one worker, the others need not go on. */
void smr_watchdog_stop_others(struct run *run)
{
    int running = RUNNING;
    atomic_compare_exchange_strong(&run->stop, &running, STOPPED_BY_FAILURE);
    if (run->worker_count == 1)
        return;
    pthread_mutex_lock(&lock);
    run->deadline = 0;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

void smr_watchdog_after_fork(void)
{
    pthread_mutex_init(&lock, NULL);
    pthread_cond_init(&changed, NULL);
    runs = NULL;
    has_thread = false;
    wakes_at = NEVER;
}
