/* Memory between pages without access, for device buffers and for threadgroup memory. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime.h"

#define GUARD_BYTES ((size_t)16 << 20) /* addresses only; explain.py counts on them */
#define BUFFER_ALIGNMENT 32           /* of MSL's largest vectors, long4 and ulong4 */
#define FILL 0xFF                     /* of the bytes around a buffer, see smr_buffer_damage */

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

/* Where the buffer of a mapping begins: its end touches the guard, up to the alignment. */
static size_t buffer_offset(size_t size_bytes)
{
    size_t memory = round_up(size_bytes, smr_page_bytes());
    return (memory - size_bytes) / BUFFER_ALIGNMENT * BUFFER_ALIGNMENT;
}

/* A buffer of `size_bytes`, all bytes `fill`; 0: no memory. */
SMR_EXPORT uint64_t smr_buffer_map(uint64_t size_bytes, int32_t fill)
{
    size_t mapping_bytes;
    char *mapping = smr_map_guarded(size_bytes, GUARD_BYTES, &mapping_bytes);
    if (!mapping)
        return 0;
    char *memory = mapping + GUARD_BYTES;
    size_t offset = buffer_offset(size_bytes);
    size_t behind = offset + size_bytes;
    memset(memory, FILL, offset);
    if (fill != 0) /* new pages are 0 */
        memset(memory + offset, fill, size_bytes);
    memset(memory + behind, FILL, round_up(behind, smr_page_bytes()) - behind);
    return (uint64_t)(uintptr_t)(memory + offset);
}

SMR_EXPORT void smr_buffer_unmap(uint64_t address, uint64_t size_bytes)
{
    size_t memory = round_up(size_bytes, smr_page_bytes());
    char *begin = (char *)(uintptr_t)address - buffer_offset(size_bytes) - GUARD_BYTES;
    munmap(begin, memory + 2 * GUARD_BYTES);
}

/* Whether all of `count` bytes are the filling: the first is, and each is like its neighbour. */
static bool is_filling(unsigned char const *bytes, size_t count)
{
    return count == 0 || (bytes[0] == FILL && memcmp(bytes, bytes + 1, count - 1) == 0);
}

/* The offset, from the buffer's begin, of the first byte beside the buffer that was written; between
 * 0 and the size: none was. Guards cannot hold these bytes, which share a page with the buffer. */
SMR_EXPORT int64_t smr_buffer_damage(uint64_t address, uint64_t size_bytes)
{
    size_t before = buffer_offset(size_bytes);
    size_t memory = round_up(size_bytes, smr_page_bytes());
    unsigned char const *buffer = (unsigned char const *)(uintptr_t)address;
    if (is_filling(buffer - before, before) && is_filling(buffer + size_bytes, memory - before - size_bytes))
        return 0;
    for (size_t i = size_bytes; i < memory - before; i++)
        if (buffer[i] != FILL)
            return (int64_t)i;
    for (size_t i = 1; i <= before; i++)
        if (*(buffer - i) != FILL)
            return -(int64_t)i;
    return 0;
}

/* Makes the bytes beside a buffer as they were. */
SMR_EXPORT void smr_buffer_repair(uint64_t address, uint64_t size_bytes)
{
    size_t before = buffer_offset(size_bytes);
    char *buffer = (char *)(uintptr_t)address;
    memset(buffer - before, FILL, before);
    memset(buffer + size_bytes, FILL, round_up(size_bytes, smr_page_bytes()) - before - size_bytes);
}

/* Addresses without memory, never freed: what an index holds to which nothing is bound. 0: none left. */
SMR_EXPORT uint64_t smr_reserve(uint64_t bytes)
{
    void *range = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
    return range == MAP_FAILED ? 0 : (uint64_t)(uintptr_t)range;
}
