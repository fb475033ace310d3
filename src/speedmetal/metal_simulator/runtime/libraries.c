/* Libraries in memory: which one an address is of. */
#include "libraries.h"

#include <dlfcn.h>

SMR_EXPORT uint64_t smr_library_begin(uint64_t address)
{
    Dl_info library;
    bool is_known = dladdr((void *)(uintptr_t)address, &library) != 0;
    return is_known ? (uint64_t)(uintptr_t)library.dli_fbase : address;
}

/* The name of the library that has an address, as it was loaded. */
SMR_EXPORT char const *smr_library_name(uint64_t address)
{
    Dl_info library;
    return dladdr((void *)(uintptr_t)address, &library) ? library.dli_fname : NULL;
}
