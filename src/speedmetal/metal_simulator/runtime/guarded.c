/* Memory between pages without access, for device buffers and for threadgroup memory. */
#include "guarded.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUARD_BYTES ((size_t)16 << 20) /* addresses only; explain.py counts on them */

/* Of the bytes that share a page with memory, but are not of it: as a float a NaN that signals, so
 * that even `x[-1] *= 2` changes it. */
static unsigned char const filling[4] = {0xA5, 0xA5, 0xA5, 0x7F};

size_t smr_page_bytes(void)
{
    static size_t bytes;
    if (bytes == 0)
        bytes = (size_t)sysconf(_SC_PAGESIZE);
    return bytes;
}

static size_t round_up(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

/* At least `memory_bytes` of memory, in whole pages, with guards on both sides; NULL: no memory.
 * The memory begins `guard_bytes` (a multiple of 64 KiB) behind the mapping. */
char *smr_map_guarded(size_t memory_bytes, size_t guard_bytes, size_t *mapping_bytes)
{
    size_t memory = round_up(memory_bytes, smr_page_bytes());
    size_t bytes = memory + 2 * guard_bytes;
    char *mapping = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED)
        return NULL;
    if (memory > 0 && mprotect(mapping + guard_bytes, memory, PROT_READ | PROT_WRITE) != 0) {
        munmap(mapping, bytes);
        return NULL;
    }
    *mapping_bytes = bytes;
    return mapping;
}

/* Fills the bytes from `begin` to `end`, which belong to no memory; eight at a time, since there are
 * some thousand in each buffer. */
static void fill(char *begin, char *end)
{
    char both[2 * sizeof filling];
    memcpy(both, filling, sizeof filling);
    memcpy(both + sizeof filling, filling, sizeof filling);
    for (; begin < end && (uintptr_t)begin % sizeof both != 0; begin++)
        *begin = both[(uintptr_t)begin % sizeof both];
    for (; end - begin >= (ptrdiff_t)sizeof both; begin += sizeof both)
        memcpy(begin, both, sizeof both);
    memcpy(begin, both, begin < end ? (size_t)(end - begin) : 0);
}

static bool is_as_filled(char const *byte)
{
    return (unsigned char)*byte == filling[(uintptr_t)byte % sizeof filling];
}

/* Whether all bytes are: the first are, and each is like that before it by the filling's length. */
static bool are_as_filled(char const *begin, char const *end)
{
    size_t count = (size_t)(end - begin), period = sizeof filling;
    for (char const *byte = begin; byte < end && byte < begin + period; byte++)
        if (!is_as_filled(byte))
            return false;
    return count <= period || memcmp(begin, begin + period, count - period) == 0;
}

/* Makes the bytes of the pages beside memory such that a write is seen. */
void smr_slack_fill(struct pages pages, char *memory, size_t size_bytes)
{
    fill(pages.begin, memory);
    fill(memory + size_bytes, pages.end);
}

/* The byte beside memory that was written and is nearest to it, behind it if there is one; NULL: none
 * was. Guards cannot hold these bytes, which share a page with it. */
char const *smr_slack_damage(struct pages pages, char const *memory, size_t size_bytes)
{
    char const *behind = memory + size_bytes, *before = memory - 1;
    if (!are_as_filled(behind, pages.end)) {
        while (is_as_filled(behind))
            behind++;
        return behind;
    }
    if (are_as_filled(pages.begin, memory))
        return NULL;
    while (is_as_filled(before))
        before--;
    return before;
}

/* Where memory of `size_bytes` begins in pages from `memory` on: its begin touches the guard before
 * it, or its end the one behind it, as far as the alignment lets it. */
char *smr_place_memory(char *memory, size_t size_bytes, size_t alignment, enum smr_edge edge)
{
    size_t rest = round_up(size_bytes, smr_page_bytes()) - size_bytes;
    return memory + (edge == SMR_EDGE_BEGIN ? 0 : rest / alignment * alignment);
}

/* The pages that a buffer lies in. */
static struct pages pages_of(uint64_t address, uint64_t size_bytes)
{
    char *begin = (char *)(uintptr_t)(address & ~(uint64_t)(smr_page_bytes() - 1));
    return (struct pages){begin, begin + round_up(size_bytes, smr_page_bytes())};
}

/* A buffer of `size_bytes` at a multiple of `alignment`, all bytes `content`; 0: no memory. */
SMR_EXPORT uint64_t smr_buffer_map(uint64_t size_bytes, int32_t content, uint32_t alignment, uint32_t edge)
{
    size_t mapping_bytes;
    char *mapping = smr_map_guarded(size_bytes, GUARD_BYTES, &mapping_bytes);
    if (!mapping)
        return 0;
    char *buffer = smr_place_memory(mapping + GUARD_BYTES, size_bytes, alignment, (enum smr_edge)edge);
    if (content != 0) /* new pages are 0 */
        memset(buffer, content, size_bytes);
    uint64_t address = (uint64_t)(uintptr_t)buffer;
    smr_slack_fill(pages_of(address, size_bytes), buffer, size_bytes);
    return address;
}

SMR_EXPORT void smr_buffer_unmap(uint64_t address, uint64_t size_bytes)
{
    struct pages pages = pages_of(address, size_bytes);
    munmap(pages.begin - GUARD_BYTES, (size_t)(pages.end - pages.begin) + 2 * GUARD_BYTES);
}

/* The offset, from the buffer's begin, of a byte beside it that was written; 0: none was. */
SMR_EXPORT int64_t smr_buffer_damage(uint64_t address, uint64_t size_bytes)
{
    char const *buffer = (char const *)(uintptr_t)address;
    char const *damage = smr_slack_damage(pages_of(address, size_bytes), buffer, size_bytes);
    return damage ? damage - buffer : 0;
}

/* Makes the bytes beside a buffer as they were. */
SMR_EXPORT void smr_buffer_repair(uint64_t address, uint64_t size_bytes)
{
    smr_slack_fill(pages_of(address, size_bytes), (char *)(uintptr_t)address, size_bytes);
}

/* Addresses without memory, never freed: what an index holds to which nothing is bound. 0: none left. */
SMR_EXPORT uint64_t smr_reserve(uint64_t bytes)
{
    void *range = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
    return range == MAP_FAILED ? 0 : (uint64_t)(uintptr_t)range;
}
