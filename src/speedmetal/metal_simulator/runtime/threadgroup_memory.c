/* Memory of a threadgroup. Each declaration, and each [[threadgroup(n)]], is a site with pages of its
 * own: the end of its array touches a guard (or its begin, see smr_edge), and every threadgroup finds
 * it poisoned. */
#include "threadgroup_memory.h"

#include <string.h>
#include <sys/mman.h>

#include "guarded.h"
#include "races.h"
#include "report.h"
#include "stacks.h"

#define SITE_GUARD_BYTES ((size_t)64 << 10)
#define POISON 0xFF
#define ARGUMENT_ALIGNMENT 16 /* of [[threadgroup(n)]] */

/* Sites 0..30 are [[threadgroup(n)]], the others declarations. */
#define FIRST_DECLARATION SMR_THREADGROUP_SLOTS

static bool site_map(struct worker *worker, struct site *site, size_t size_bytes)
{
    atomic_fetch_add(&worker->critical, 1);
    if (site->mapping)
        munmap(site->mapping, site->mapping_bytes);
    site->mapping = smr_map_guarded(size_bytes, SITE_GUARD_BYTES, &site->mapping_bytes);
    if (site->mapping) {
        site->memory = site->mapping + SITE_GUARD_BYTES;
        site->memory_bytes = site->mapping_bytes - 2 * SITE_GUARD_BYTES;
        site->size_bytes = SIZE_MAX; /* nothing is filled yet */
    } else {
        site->memory_bytes = 0;
    }
    atomic_fetch_sub(&worker->critical, 1);
    return site->mapping != NULL;
}

static struct pages site_pages(struct site const *site)
{
    return (struct pages){site->memory, site->memory + site->memory_bytes};
}

/* Makes a site ready for the current threadgroup. */
static enum smr_status site_begin(struct worker *worker, uint32_t index, size_t size_bytes, size_t alignment)
{
    struct smr_dispatch const *dispatch = worker->run->dispatch;
    struct site *site = &worker->site[index];
    worker->threadgroup_bytes += (size_bytes + 15) & ~(size_t)15;
    if (worker->threadgroup_bytes > worker->report.threadgroup_bytes)
        worker->report.threadgroup_bytes = worker->threadgroup_bytes;
    if (worker->threadgroup_bytes > dispatch->threadgroup_limit)
        return SMR_THREADGROUP_FULL;
    size_t page = smr_page_bytes();
    size_t needed = (size_bytes + page - 1) / page * page;
    if ((!site->mapping || site->memory_bytes != needed) && !site_map(worker, site, size_bytes))
        return SMR_NO_MEMORY;
    char *array = smr_place_memory(site->memory, size_bytes, alignment, (enum smr_edge)dispatch->edge);
    uintptr_t address = (uintptr_t)array;
    bool is_new = site->address != address || site->size_bytes != size_bytes;
    site->address = address;
    site->size_bytes = size_bytes;
    if (is_new)
        smr_slack_fill(site_pages(site), array, size_bytes);
    if (is_new || dispatch->poison)
        memset(array, POISON, size_bytes);
    site->threadgroup = worker->threadgroup_serial;
    worker->site_list[worker->sites_used++] = index;
    if (worker->races && !smr_races_threadgroup_memory(worker->races, address, size_bytes))
        return SMR_NO_MEMORY;
    return SMR_DONE;
}

SMR_EXPORT unsigned long long __smr_threadgroup_memory(unsigned int declaration, unsigned long long size,
                                                       unsigned long long alignment)
{
    struct slot *slot = current_slot();
    struct worker *worker = slot->worker;
    if (declaration >= SITES_MAXIMUM - FIRST_DECLARATION)
        __smr_fail("the program declares more than 990 arrays of threadgroup memory; declare fewer");
    struct site *site = &worker->site[FIRST_DECLARATION + declaration];
    if (site->threadgroup != worker->threadgroup_serial) {
        enum smr_status status = site_begin(worker, FIRST_DECLARATION + declaration, size, alignment);
        if (status != SMR_DONE) {
            worker->report.threadgroup_site = declaration;
            smr_report_thread(worker, slot->fiber, (uintptr_t)__builtin_return_address(0), NULL);
            smr_escape(worker, status);
        }
    }
    return site->address;
}

/* Makes the arrays of [[threadgroup(n)]] ready. */
bool smr_threadgroup_memory_begin(struct worker *worker)
{
    uint64_t const *bytes = worker->run->dispatch->threadgroup_bytes;
    worker->threadgroup_serial++;
    worker->threadgroup_bytes = 0;
    worker->sites_used = 0;
    for (uint32_t index = 0; index < SMR_THREADGROUP_SLOTS; index++) {
        worker->threadgroup_addresses[index] = 0;
        if (bytes[index] == 0)
            continue;
        enum smr_status status = site_begin(worker, index, bytes[index], ARGUMENT_ALIGNMENT);
        if (status != SMR_DONE) {
            worker->report.threadgroup_site = -1 - (int64_t)index;
            worker->report.status = status;
            return false;
        }
        worker->threadgroup_addresses[index] = worker->site[index].address;
    }
    return true;
}

static int64_t site_name(uint32_t index)
{
    return index < FIRST_DECLARATION ? -1 - (int64_t)index : (int64_t)index - FIRST_DECLARATION;
}

/* Sees that nothing beside the arrays was written. */
void smr_threadgroup_memory_end(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->sites_used; i++) {
        struct site *site = &worker->site[worker->site_list[i]];
        char const *array = (char const *)site->address;
        char const *damage = smr_slack_damage(site_pages(site), array, site->size_bytes);
        if (!damage)
            continue;
        worker->report.threadgroup_site = site_name(worker->site_list[i]);
        worker->report.threadgroup_offset = damage - array;
        worker->report.status = SMR_DAMAGE;
        return;
    }
}

/* Makes the bytes beside the arrays of the threadgroup in which a run failed as they were. */
void smr_threadgroup_memory_repair(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->sites_used; i++) {
        struct site *site = &worker->site[worker->site_list[i]];
        smr_slack_fill(site_pages(site), (char *)site->address, site->size_bytes);
    }
}

/* Notes which array a faulty address belongs to. */
void smr_threadgroup_memory_locate(struct worker *worker, uint64_t address)
{
    for (uint32_t i = 0; i < worker->sites_used; i++) {
        struct site *site = &worker->site[worker->site_list[i]];
        if (address - (uint64_t)(uintptr_t)site->mapping >= site->mapping_bytes)
            continue;
        worker->report.is_threadgroup_memory = 1;
        worker->report.threadgroup_site = site_name(worker->site_list[i]);
        worker->report.threadgroup_offset = (int64_t)(address - site->address);
    }
}
