/* Memory of a threadgroup. Each declaration, and each [[threadgroup(n)]], is a site with pages of its
 * own: the end of its array touches a guard, and every threadgroup finds it poisoned. */
#include <string.h>
#include <sys/mman.h>

#include "runtime.h"

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
        memset(site->memory, POISON, site->memory_bytes);
    } else {
        site->memory_bytes = 0;
    }
    atomic_fetch_sub(&worker->critical, 1);
    return site->mapping != NULL;
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
    uintptr_t address = ((uintptr_t)site->memory + site->memory_bytes - size_bytes) & ~(uintptr_t)(alignment - 1);
    if (site->address != address || site->size_bytes != size_bytes)
        memset(site->memory, POISON, site->memory_bytes);
    else if (dispatch->poison)
        memset((void *)address, POISON, size_bytes);
    site->address = address;
    site->size_bytes = size_bytes;
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

/* Whether all bytes from `begin` to `end` are poison: the first is, and each is like its neighbour. */
static bool is_poison(char const *begin, char const *end)
{
    return begin == end || (*(unsigned char const *)begin == POISON && memcmp(begin, begin + 1, (size_t)(end - begin) - 1) == 0);
}

/* The bytes before an array share its page, so that no guard holds them: they must be poison still. */
void smr_threadgroup_memory_end(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->sites_used; i++) {
        struct site *site = &worker->site[worker->site_list[i]];
        if (is_poison(site->memory, (char const *)site->address))
            continue;
        unsigned char const *byte = (unsigned char const *)site->address;
        while (*(byte - 1) == POISON)
            byte--;
        worker->report.threadgroup_site = site_name(worker->site_list[i]);
        worker->report.threadgroup_offset = byte - 1 - (unsigned char const *)site->address;
        worker->report.status = SMR_UNDERFLOW;
        memset(site->memory, POISON, site->memory_bytes);
        return;
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
