/* Bounds of threads' own arrays and of the program's tables, where programs are built to report each
 * access. -fsanitize=kernel-address puts bytes between the variables of a frame, and between tables,
 * and tells them here; its own checks are left out, since tsan.c sees the accesses. Names, structures
 * and numbers are the compiler's.
 *
 * Eight bytes of a stack have one byte in the shadow: 0: all may be used; 1 to 7: the first so many;
 * from 0xF1 on: none. */
#include "own_arrays.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "stacks.h"

#define GRANULE 8
#define SHADOW_OFFSET ((uint64_t)1 << 44) /* building.py has it too: far above each address / 8 */
#define BYTES (STACK_BYTES * THREADS_MAXIMUM / GRANULE)
#define FRAME_MARK 0x41B58AB3u /* the first word of a frame; the second describes it */
#define FRAME_ALIGNMENT 32

/* ---- variables of threads */

static void set_shadow(uint64_t address, size_t count, uint8_t value)
{
    if (!is_stack_address((uintptr_t)__builtin_frame_address(0)))
        return; /* a constructor of the program */
    struct worker *worker = current_slot()->worker;
    uint64_t place = (address & (SHADOW_OFFSET - 1)) - worker->stacks / GRANULE;
    if (worker->shadow && place < BYTES && count <= BYTES - place)
        memset(worker->shadow + place, value, count);
}

#define SET(name, value) \
    SMR_EXPORT void __asan_set_shadow_##name(uint64_t address, uint64_t count) { set_shadow(address, count, value); }

SET(00, 0) SET(01, 1) SET(02, 2) SET(03, 3) SET(04, 4) SET(05, 5) SET(06, 6) SET(07, 7)
SET(f1, 0xF1) SET(f2, 0xF2) SET(f3, 0xF3) SET(f5, 0xF5) SET(f8, 0xF8)

/* Whether an access to a stack meets variables of the thread that it is of. */
bool smr_own_memory_is_right(struct slot const *slot, uintptr_t address, size_t size_bytes)
{
    struct worker const *worker = slot->worker;
    uintptr_t begin = address - worker->stacks, end = begin + size_bytes;
    if (!is_own_stack(slot, address) || !is_own_stack(slot, address + size_bytes - 1))
        return false;
    for (uintptr_t at = begin; at < end; at = (at / GRANULE + 1) * GRANULE) {
        uint8_t usable = worker->shadow[at / GRANULE];
        uintptr_t last = end - at / GRANULE * GRANULE; /* of the access, from the granule's begin on */
        if (usable != 0 && (usable > GRANULE || last > usable))
            return false;
    }
    return true;
}

struct variable {
    char const *name;
    uint32_t name_bytes;
    uint64_t begin, bytes; /* `begin` from the frame's begin on */
};

/* Reads `begin bytes length name` of a frame's description. */
static struct variable read_variable(char **text)
{
    struct variable found;
    found.begin = strtoull(*text, text, 10);
    found.bytes = strtoull(*text, text, 10);
    found.name_bytes = (uint32_t)strtoul(*text, text, 10);
    found.name = *text + 1;
    *text += 1 + found.name_bytes;
    return found;
}

static uint64_t distance(struct variable const *variable, uint64_t offset)
{
    if (offset < variable->begin)
        return variable->begin - offset;
    return offset < variable->begin + variable->bytes ? 0 : offset - variable->begin - variable->bytes;
}

static void report_variable(struct smr_report *report, char const *name, size_t name_bytes, int64_t offset,
                            uint64_t bytes)
{
    /* What was put into the place of a call has names such as `a.i`. */
    char const *dot = memchr(name, '.', name_bytes);
    name_bytes = dot ? (size_t)(dot - name) : name_bytes;
    size_t kept = name_bytes < SMR_MESSAGE_BYTES - 1 ? name_bytes : SMR_MESSAGE_BYTES - 1;
    memcpy(report->message, name, kept);
    report->index = offset;
    report->size_bytes = bytes;
}

/* Notes which variable an access to a stack is nearest to. */
static void locate_own(struct worker *worker, uintptr_t address)
{
    uintptr_t lowest = (address & ~(STACK_BYTES - 1)) + STACK_GUARD_BYTES;
    uintptr_t frame = address & ~(uintptr_t)(FRAME_ALIGNMENT - 1);
    while (frame >= lowest
           && (*(uint64_t const *)frame != FRAME_MARK || worker->shadow[(frame - worker->stacks) / GRANULE] != 0xF1))
        frame -= FRAME_ALIGNMENT;
    if (frame < lowest)
        return;
    char *text = *(char **)(frame + sizeof(uint64_t));
    uint64_t offset = address - frame, count = strtoull(text, &text, 10);
    struct variable nearest = {.bytes = 0};
    for (uint64_t i = 0; i < count; i++) {
        struct variable variable = read_variable(&text);
        if (i == 0 || distance(&variable, offset) < distance(&nearest, offset))
            nearest = variable;
    }
    report_variable(&worker->report, nearest.name, nearest.name_bytes, (int64_t)(offset - nearest.begin), nearest.bytes);
}

/* ---- tables */

struct table {
    uint64_t begin, bytes, bytes_with_gap;
    char const *name, *module;
    uint64_t others[3];
};

struct tables {
    struct tables *next;
    struct table const *table;
    uint64_t count;
};

static struct tables *all_tables;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* When a program is loaded; programs stay. */
SMR_EXPORT void __asan_register_globals(struct table const *table, uint64_t count)
{
    struct tables *tables = malloc(sizeof *tables);
    if (!tables)
        return;
    pthread_mutex_lock(&lock);
    *tables = (struct tables){.next = all_tables, .table = table, .count = count};
    __atomic_store_n(&all_tables, tables, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&lock);
}

SMR_EXPORT void __asan_unregister_globals(struct table const *table, uint64_t count) { (void)table, (void)count; }

/* The tables of the program that lies from `begin` to `end`; NULL: it has none. */
static struct tables const *tables_of(uintptr_t begin, uintptr_t end)
{
    struct tables const *tables = __atomic_load_n(&all_tables, __ATOMIC_ACQUIRE);
    while (tables && tables->table[0].begin - begin >= end - begin)
        tables = tables->next;
    return tables;
}

/* The table that has an address, or that it is in the gap behind. */
static struct table const *table_at(struct tables const *tables, uintptr_t address)
{
    for (uint64_t i = 0; tables && i < tables->count; i++)
        if (address - tables->table[i].begin < tables->table[i].bytes_with_gap)
            return &tables->table[i];
    return NULL;
}

/* Whether an access to the data of the program meets its tables only. */
bool smr_table_is_right(struct worker const *worker, uintptr_t address, size_t size_bytes)
{
    struct table const *table = table_at(worker->tables, address);
    return !table || address - table->begin + size_bytes <= table->bytes;
}

/* Notes which table an address in a gap is nearest to: that before the gap or that behind it. */
static bool locate_table(struct worker *worker, uintptr_t address)
{
    struct table const *nearest = table_at(worker->tables, address);
    if (!nearest)
        return false;
    struct table const *behind = table_at(worker->tables, nearest->begin + nearest->bytes_with_gap);
    if (behind && behind->begin - address < address - nearest->begin - nearest->bytes)
        nearest = behind;
    report_variable(&worker->report, nearest->name, strlen(nearest->name), (int64_t)(address - nearest->begin),
                    nearest->bytes);
    return true;
}

/* ---- of a run */

/* Prepares for a run of the program that lies from `begin` to `end`; false: no memory. */
bool smr_own_arrays_begin(struct worker *worker, uintptr_t begin, uintptr_t end)
{
    void *shadow = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
    worker->shadow = shadow == MAP_FAILED ? NULL : shadow;
    worker->tables = tables_of(begin, end);
    return worker->shadow != NULL;
}

void smr_own_arrays_end(struct worker *worker)
{
    if (worker->shadow)
        munmap(worker->shadow, BYTES);
    worker->shadow = NULL;
}

/* Notes the array or table beside which an access is; false: it is beside none of these. */
bool smr_locate_own_array(struct slot const *slot, uintptr_t address)
{
    if (!is_own_stack(slot, address))
        return locate_table(slot->worker, address);
    locate_own(slot->worker, address);
    return true;
}
