/* Accesses that nothing orders, found in the order in which the simulator happens to run threads; and
 * those that are in no memory of the dispatch.
 *
 * Programs built for this call tsan.c at every access. For each word of a buffer and of threadgroup
 * memory the last accesses are kept, with the time when they were made: a clock that goes on at every
 * release of a barrier or exchange. All threads run on one worker, so an access made before the last
 * release of the threadgroup's barrier was made by a thread that then came to the barrier, and is
 * ordered before all that follows. The same holds in a simdgroup for releases of all its lanes; for
 * releases of some there is a vector of times per lane.
 *
 * What orders what: a barrier orders writes before it only for memory that its flags name; for reads
 * before it that it was reached is enough. A simdgroup function is not a barrier of memory: it orders
 * only reads before writes. Nothing orders threadgroups. Where the earlier thread made a fence after
 * its access and the later one before its own, an atomic access between them may order the two, and
 * nothing is said. Two atomic accesses are never a race. */
#include "races.h"

#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "libraries.h"
#include "own_arrays.h"
#include "stacks.h"

#define WORD 4
#define CODE_BITS 22 /* of an address relative to the kernel's library */
#define SPLIT UINT32_MAX
#define LAST_TIME (UINT32_MAX - 1)
#define CHUNK_BYTES ((size_t)1 << 20)
#define HUGE_BYTES ((size_t)8 << 20) /* mappings from here on get huge pages where there are any */
#define SPANS_MAXIMUM (SMR_BUFFERS + SMR_TEXTURES + 1 + SITES_MAXIMUM)

struct record {
    uint32_t time; /* 0: none */
    uint32_t thread : 10;
    uint32_t code : CODE_BITS; /* 0: unknown */
};

/* The accesses to a word, or, where accesses were shorter, to one of its bytes. Two reads: whoever
 * writes, at least one of them is another thread's. */
struct cell {
    union {
        struct record write;
        struct {
            uint32_t is_split; /* SPLIT: then the bytes have cells of their own */
        };
    };
    union {
        struct record atomic;
        struct cell *bytes;
    };
    struct record read[2];
};

struct span {
    uintptr_t begin, end;  /* in whole words */
    uintptr_t first, last; /* of the memory itself; `last` is behind it */
    struct cell *cells;
    bool is_threadgroup_memory;
};

struct threadgroup_times {
    uint64_t index;
    uint32_t begin, fence; /* 0: none */
};

struct chunk {
    struct chunk *next;
    size_t used_bytes;
};

struct races {
    struct worker *worker;
    uintptr_t code_base, code_end; /* the program with its own data */
    uint32_t time;
    uint32_t barrier[ORDER_KINDS]; /* when the threadgroup's last barrier was released */
    int barrier_flags;             /* its mem_flags */
    uint32_t fence[THREADS_MAXIMUM]; /* the last fence of each thread of the threadgroup */
    struct span *last;
    uint32_t span_count;
    struct span span[SPANS_MAXIMUM];
    struct threadgroup_times *threadgroups; /* all so far; the last is the current */
    uint64_t threadgroup_count, threadgroup_capacity;
    struct chunk *chunks;
};

/* One access, as it is held against records. */
struct access {
    struct races *races;
    struct simdgroup *simdgroup;
    struct span const *span;
    struct fiber const *fiber;
    uintptr_t address;
    size_t size_bytes;
    enum access_kind kind;
    struct record record;
};

/* ---- memory of the detector */

static void *map(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
#ifdef MADV_HUGEPAGE
    /* The cells of large buffers would take longer to come, page by page, than to be used. */
    if (bytes >= HUGE_BYTES)
        madvise(memory, bytes, MADV_HUGEPAGE);
#endif
    return memory;
}

static size_t cells_bytes(struct span const *span)
{
    return (span->end - span->begin) / WORD * sizeof(struct cell);
}

/* Cells for a word's bytes; NULL: no memory. */
static struct cell *bytes_allocate(struct races *races)
{
    size_t bytes = WORD * sizeof(struct cell);
    struct chunk *chunk = races->chunks;
    if (!chunk || chunk->used_bytes + bytes > CHUNK_BYTES) {
        atomic_fetch_add(&races->worker->critical, 1);
        chunk = map(CHUNK_BYTES);
        if (chunk) {
            chunk->next = races->chunks;
            chunk->used_bytes = sizeof(struct cell);
            races->chunks = chunk;
        }
        atomic_fetch_sub(&races->worker->critical, 1);
        if (!chunk)
            return NULL;
    }
    struct cell *cells = (struct cell *)((char *)chunk + chunk->used_bytes);
    chunk->used_bytes += bytes;
    return cells;
}

/* Adds memory to be watched, sorted by address; what overlaps (one buffer at two indices) is one. */
static bool span_add(struct races *races, uintptr_t first, uintptr_t last, bool is_threadgroup_memory)
{
    uint32_t at = 0;
    while (at < races->span_count && races->span[at].first < first)
        at++;
    struct span added = {
        .begin = first & ~(uintptr_t)(WORD - 1),
        .end = (last + WORD - 1) & ~(uintptr_t)(WORD - 1),
        .first = first,
        .last = last,
        .is_threadgroup_memory = is_threadgroup_memory,
    };
    added.cells = map(cells_bytes(&added));
    if (!added.cells)
        return false;
    memmove(&races->span[at + 1], &races->span[at], (races->span_count - at) * sizeof *races->span);
    races->span[at] = added;
    races->span_count++;
    races->last = &races->span[at];
    return true;
}

static struct span *span_find(struct races *races, uintptr_t address)
{
    if (address - races->last->begin < races->last->end - races->last->begin)
        return races->last;
    uint32_t low = 0, high = races->span_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        struct span *span = &races->span[middle];
        if (address >= span->end)
            low = middle + 1;
        else if (address < span->begin)
            high = middle;
        else
            return races->last = span;
    }
    return NULL;
}

struct range {
    uintptr_t begin, end;
};

static int by_begin(void const *a, void const *b)
{
    struct range const *left = a, *right = b;
    return (left->begin > right->begin) - (left->begin < right->begin);
}

/* What the kernel reaches through its textures: the texels, and what describes them. */
static uint32_t textures_add(struct smr_bindings const *bindings, struct range *range, uint32_t count)
{
    if (!bindings)
        return count;
    range[count++] = (struct range){(uintptr_t)bindings, (uintptr_t)(bindings + 1)};
    for (uint32_t i = 0; i < SMR_TEXTURES; i++) {
        struct smr_texture const *texture = &bindings->texture[i];
        uintptr_t end = (uintptr_t)(texture->address + texture->size_bytes);
        if (texture->address)
            range[count++] = (struct range){(uintptr_t)texture->address, (end + WORD - 1) & ~(uintptr_t)(WORD - 1)};
    }
    return count;
}

static bool buffers_add(struct races *races)
{
    struct smr_dispatch const *dispatch = races->worker->run->dispatch;
    struct range range[SMR_BUFFERS + SMR_TEXTURES + 1];
    uint32_t count = 0;
    for (uint32_t i = 0; i < SMR_BUFFERS; i++) {
        uintptr_t bound = (uintptr_t)dispatch->buffers[i];
        uintptr_t begin = bound - dispatch->buffer_bytes_before[i], end = bound + dispatch->buffer_bytes[i];
        if (begin < end)
            range[count++] = (struct range){begin, end};
    }
    count = textures_add(dispatch->bindings, range, count);
    qsort(range, count, sizeof *range, by_begin);
    for (uint32_t i = 0; i < count;) {
        struct range joined = range[i++];
        for (; i < count && range[i].begin < joined.end; i++)
            joined.end = range[i].end > joined.end ? range[i].end : joined.end;
        if (!span_add(races, joined.begin, joined.end, false))
            return false;
    }
    return true;
}

struct library {
    uintptr_t begin, end;
};

static int find_end(struct dl_phdr_info *information, size_t bytes, void *argument)
{
    (void)bytes;
    struct library *library = argument;
    uintptr_t first = UINTPTR_MAX, end = 0;
    for (int i = 0; i < information->dlpi_phnum; i++) {
        if (information->dlpi_phdr[i].p_type != PT_LOAD)
            continue;
        uintptr_t begin = information->dlpi_addr + information->dlpi_phdr[i].p_vaddr;
        first = begin < first ? begin : first;
        end = begin + information->dlpi_phdr[i].p_memsz > end ? begin + information->dlpi_phdr[i].p_memsz : end;
    }
    if (library->begin < first || library->begin >= end)
        return 0;
    library->end = end;
    return 1;
}

/* Where the library that begins at `begin` ends. */
static uintptr_t library_end(uintptr_t begin)
{
    struct library library = {.begin = begin, .end = begin};
    dl_iterate_phdr(find_end, &library);
    return library.end;
}

struct races *smr_races_begin(struct worker *worker)
{
    struct races *races = map(sizeof *races);
    if (!races)
        return NULL;
    races->worker = worker;
    races->last = &races->span[0];
    races->threadgroup_capacity = worker->run->threadgroup_total;
    races->threadgroups = map(races->threadgroup_capacity * sizeof *races->threadgroups);
    races->code_base = smr_library_begin((uint64_t)(uintptr_t)worker->run->dispatch->entry);
    races->code_end = library_end(races->code_base);
    if (smr_own_arrays_begin(worker, races->code_base, races->code_end) && races->threadgroups && buffers_add(races))
        return races;
    smr_races_end(races);
    return NULL;
}

void smr_races_end(struct races *races)
{
    for (uint32_t i = 0; i < races->span_count; i++)
        munmap(races->span[i].cells, cells_bytes(&races->span[i]));
    for (struct chunk *chunk = races->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        munmap(chunk, CHUNK_BYTES);
    }
    if (races->threadgroups)
        munmap(races->threadgroups, races->threadgroup_capacity * sizeof *races->threadgroups);
    smr_own_arrays_end(races->worker);
    munmap(races, sizeof *races);
}

/* An array of threadgroup memory keeps its place through a run. */
bool smr_races_threadgroup_memory(struct races *races, uintptr_t address, size_t size_bytes)
{
    if (size_bytes == 0 || span_find(races, address))
        return true;
    atomic_fetch_add(&races->worker->critical, 1);
    bool done = races->span_count < SPANS_MAXIMUM && span_add(races, address, address + size_bytes, true);
    atomic_fetch_sub(&races->worker->critical, 1);
    return done;
}

/* ---- time */

static uint32_t tick(struct races *races)
{
    if (races->time < LAST_TIME)
        races->time++;
    return races->time;
}

void smr_races_threadgroup(struct races *races, uint64_t index)
{
    uint32_t now = tick(races);
    races->threadgroups[races->threadgroup_count++] = (struct threadgroup_times){index, now, 0};
    for (int kind = 0; kind < ORDER_KINDS; kind++)
        races->barrier[kind] = now;
    for (uint32_t i = 0; i < races->worker->simdgroup_count; i++) {
        struct known_times *known = &races->worker->simdgroup[i].known;
        known->has_partial = false;
        for (int kind = 0; kind < ORDER_KINDS; kind++)
            known->all[kind] = now;
    }
}

static bool is_ordered_by(enum order_kind kind, int flags)
{
    return kind == ORDER_EXECUTION || (kind == ORDER_DEVICE && (flags & MEMORY_DEVICE))
        || (kind == ORDER_THREADGROUP && (flags & MEMORY_THREADGROUP));
}

void smr_races_threadgroup_barrier(struct races *races, int flags)
{
    uint32_t now = tick(races);
    races->barrier_flags = flags;
    for (int kind = 0; kind < ORDER_KINDS; kind++)
        if (is_ordered_by((enum order_kind)kind, flags))
            races->barrier[kind] = now;
}

/* The lanes of `mask` now know what any of them knew or did. */
static void join_some(uint32_t times[SMR_SIMDGROUP][SMR_SIMDGROUP], uint32_t mask, uint32_t now)
{
    uint32_t joined[SMR_SIMDGROUP] = {0};
    for (uint32_t rest = mask; rest; rest &= rest - 1) {
        uint32_t const *lane = times[__builtin_ctz(rest)];
        for (int other = 0; other < SMR_SIMDGROUP; other++)
            joined[other] = lane[other] > joined[other] ? lane[other] : joined[other];
    }
    for (uint32_t rest = mask; rest; rest &= rest - 1)
        joined[__builtin_ctz(rest)] = now;
    for (uint32_t rest = mask; rest; rest &= rest - 1)
        memcpy(times[__builtin_ctz(rest)], joined, sizeof joined);
}

void smr_races_simdgroup(struct races *races, struct simdgroup *simdgroup, uint32_t mask, int flags, bool is_barrier)
{
    struct known_times *known = &simdgroup->known;
    uint32_t now = tick(races);
    bool is_whole = (uint32_t)__builtin_popcount(mask) == simdgroup->lanes;
    if (!is_whole && !known->has_partial) {
        memset(known->lane, 0, sizeof known->lane);
        known->has_partial = true;
    }
    for (int kind = 0; kind < ORDER_KINDS; kind++) {
        if (!is_ordered_by((enum order_kind)kind, is_barrier ? flags : 0))
            continue;
        if (is_whole)
            known->all[kind] = now;
        else
            join_some(known->lane[kind], mask, now);
    }
    known->last_flags = flags;
    known->last_is_barrier = is_barrier;
}

void smr_races_fence(struct races *races, uint32_t thread)
{
    uint32_t now = tick(races);
    races->threadgroups[races->threadgroup_count - 1].fence = now;
    races->fence[thread] = now;
}

/* The threadgroup that ran at a time. */
static struct threadgroup_times const *threadgroup_of(struct races const *races, uint32_t time)
{
    uint64_t low = 0, high = races->threadgroup_count;
    while (high - low > 1) {
        uint64_t middle = (low + high) / 2;
        if (races->threadgroups[middle].begin <= time)
            low = middle;
        else
            high = middle;
    }
    return &races->threadgroups[low];
}

/* ---- accesses */

/* Whether what the record tells happened before the access, by what lanes of one simdgroup know of each other. */
static bool is_before_in_simdgroup(struct access const *access, struct record record, enum order_kind kind)
{
    if (record.thread / SMR_SIMDGROUP != access->record.thread / SMR_SIMDGROUP)
        return false;
    struct known_times const *known = &access->simdgroup->known;
    if (record.time < known->all[kind])
        return true;
    return known->has_partial
        && record.time < known->lane[kind][access->fiber->thread.lane][record.thread % SMR_SIMDGROUP];
}

/* Whether what the record tells happened before the access, for sure. */
static bool is_before(struct access const *access, struct record record, enum order_kind kind)
{
    struct races const *races = access->races;
    struct threadgroup_times const *current = &races->threadgroups[races->threadgroup_count - 1];
    if (record.time == 0)
        return true;
    if (record.time < current->begin) {
        if (access->span->is_threadgroup_memory || !current->fence)
            return access->span->is_threadgroup_memory;
        return threadgroup_of(races, record.time)->fence > record.time;
    }
    if (record.thread == access->record.thread || record.time < races->barrier[kind])
        return true;
    if (races->fence[record.thread] > record.time && races->fence[access->record.thread] > record.time)
        return true;
    return is_before_in_simdgroup(access, record, kind);
}

/* Notes what the threads met at between their accesses, which might have ordered them. */
static void note_meeting(struct access const *access, struct record earlier, struct smr_race *race)
{
    struct races const *races = access->races;
    struct known_times const *known = &access->simdgroup->known;
    race->meeting = SMR_NO_MEETING;
    race->flags = 0;
    if (earlier.time < races->threadgroups[races->threadgroup_count - 1].begin)
        return;
    if (earlier.time < races->barrier[ORDER_EXECUTION]) {
        race->meeting = SMR_THREADGROUP_BARRIER;
        race->flags = races->barrier_flags;
    } else if (is_before_in_simdgroup(access, earlier, ORDER_EXECUTION)) {
        race->meeting = known->last_is_barrier ? SMR_SIMDGROUP_BARRIER : SMR_SIMDGROUP_FUNCTION;
        race->flags = known->last_flags;
    }
}

static struct smr_position position_of(struct races const *races, struct record record)
{
    struct run const *run = races->worker->run;
    struct smr_dispatch const *dispatch = run->dispatch;
    uint64_t index = threadgroup_of(races, record.time)->index;
    uint32_t thread = record.thread;
    struct smr_position position;
    for (int axis = 0; axis < 3; axis++) {
        uint32_t count = run->threadgroups[axis], size = dispatch->threads_per_threadgroup[axis];
        position.threadgroup[axis] = (uint32_t)(index % count);
        index /= count;
        uint32_t rest = dispatch->grid[axis] - position.threadgroup[axis] * size;
        uint32_t extent = rest < size ? rest : size;
        position.thread[axis] = thread % extent;
        thread /= extent;
    }
    return position;
}

static struct smr_party party_of(struct races const *races, struct record record, bool writes, bool is_atomic)
{
    return (struct smr_party){
        .position = position_of(races, record),
        .access = writes ? SMR_ACCESS_WRITE : SMR_ACCESS_READ,
        .is_atomic = is_atomic,
        .code = record.code ? races->code_base + record.code : 0,
    };
}

static bool is_same_race(struct smr_race const *a, struct smr_race const *b)
{
    return a->earlier.code == b->earlier.code && a->later.code == b->later.code
        && a->earlier.access == b->earlier.access && a->later.access == b->later.access
        && a->meeting == b->meeting;
}

__attribute__((noinline)) static void report_race(struct access const *access, struct record earlier, bool writes,
                                                  bool is_atomic)
{
    struct races const *races = access->races;
    struct smr_report *report = &races->worker->report;
    bool is_write = access->kind == PLAIN_WRITE || access->kind == ATOMIC_CHANGE;
    struct smr_race race = {
        .address = access->address,
        .size_bytes = access->size_bytes,
        .earlier = party_of(races, earlier, writes, is_atomic),
        .later = party_of(races, access->record, is_write, access->kind >= ATOMIC_CHANGE),
    };
    note_meeting(access, earlier, &race);
    report->races++;
    if (report->distinct_races == SMR_RACES)
        return;
    for (uint64_t i = 0; i < report->distinct_races; i++)
        if (is_same_race(&report->race[i], &race))
            return;
    report->race[report->distinct_races++] = race;
}

/* Keeps a read; one that happened before it tells nothing more. */
static void remember_read(struct access const *access, struct cell *cell)
{
    bool first_is_old = is_before(access, cell->read[0], ORDER_EXECUTION);
    cell->read[first_is_old ? 0 : 1] = access->record;
}

/* Holds an access against the cell, then notes it there. One race for each access is enough. */
static bool visit_cell(struct access const *access, struct cell *cell)
{
    enum order_kind memory = access->span->is_threadgroup_memory ? ORDER_THREADGROUP : ORDER_DEVICE;
    enum access_kind kind = access->kind;
    bool is_plain = kind == PLAIN_READ || kind == PLAIN_WRITE;
    bool writes = kind == PLAIN_WRITE || kind == ATOMIC_CHANGE;
    bool is_race = true;
    if (!is_before(access, cell->write, memory))
        report_race(access, cell->write, true, false);
    else if (is_plain && !is_before(access, cell->atomic, memory))
        report_race(access, cell->atomic, true, true);
    else if (writes && !is_before(access, cell->read[0], ORDER_EXECUTION))
        report_race(access, cell->read[0], false, false);
    else if (writes && !is_before(access, cell->read[1], ORDER_EXECUTION))
        report_race(access, cell->read[1], false, false);
    else
        is_race = false;
    if (kind == PLAIN_WRITE)
        cell->write = access->record;
    else if (kind == ATOMIC_CHANGE)
        cell->atomic = access->record;
    else if (kind == PLAIN_READ)
        remember_read(access, cell);
    return is_race;
}

/* Gives each byte of a word its own cell, with what was known of the word. */
static bool split(struct races *races, struct cell *cell)
{
    struct cell *bytes = bytes_allocate(races);
    if (!bytes)
        return false;
    for (int i = 0; i < WORD; i++)
        bytes[i] = *cell;
    cell->is_split = SPLIT;
    cell->bytes = bytes;
    return true;
}

/* Whether memory that is no buffer's and no threadgroup's is the program's all the same: its own data,
 * its arguments, or what the host gave it the address of. */
static bool is_known_memory(struct races const *races, uintptr_t address, size_t size_bytes)
{
    struct smr_dispatch const *dispatch = races->worker->run->dispatch;
    if (address - races->code_base < races->code_end - races->code_base)
        return smr_table_is_right(races->worker, address, size_bytes);
    if (address - (uintptr_t)dispatch < sizeof *dispatch)
        return true;
    for (uint32_t i = 0; i < dispatch->other_count; i++)
        if (address >= dispatch->others[2 * i] && address + size_bytes <= dispatch->others[2 * i + 1])
            return true;
    return false;
}

/* Holds an access against those before; false: it is, in part at least, out of bounds. */
bool smr_races_access(struct slot *slot, uintptr_t address, size_t size_bytes, enum access_kind kind, uintptr_t code)
{
    struct races *races = slot->worker->races;
    /* Threads' own variables, and the slots of exchanges, are most of what is accessed. */
    if (is_stack_address(address))
        return smr_own_memory_is_right(slot, address, size_bytes);
    if (address - (uintptr_t)slot->worker < sizeof *slot->worker)
        return true;
    struct access access = {
        .races = races, .fiber = slot->fiber, .address = address, .size_bytes = size_bytes, .kind = kind};
    access.span = span_find(races, address);
    if (!access.span)
        return is_known_memory(races, address, size_bytes);
    if (address < access.span->first || address + size_bytes > access.span->last)
        return false;
    if (races->time >= LAST_TIME)
        return true;
    struct smr_thread const *thread = &slot->fiber->thread;
    uintptr_t offset = code - races->code_base;
    access.simdgroup = &slot->worker->simdgroup[thread->simdgroup];
    access.record.time = races->time;
    access.record.thread = thread->index_in_threadgroup;
    access.record.code = offset < (1u << CODE_BITS) ? (uint32_t)offset : 0;
    uintptr_t end = address + size_bytes;
    bool is_race = false;
    while (address < end && !is_race) {
        struct cell *cell = &access.span->cells[(address - access.span->begin) / WORD];
        uintptr_t first = address % WORD, last = end - (address - first);
        bool is_whole = first == 0 && last >= WORD;
        if (is_whole && cell->is_split != SPLIT)
            is_race = visit_cell(&access, cell);
        else if (cell->is_split == SPLIT || split(races, cell))
            for (uintptr_t byte = first; byte < WORD && byte < last && !is_race; byte++)
                is_race = visit_cell(&access, &cell->bytes[byte]);
        address += WORD - first;
    }
    return true;
}
