/* Values that the lanes of a simdgroup show each other.
 *
 * A lane publishes a pointer and waits; its value is copied when the lanes that wait with it are
 * released, so that all of them find it in the same bank. A thread may read the slots of its last two
 * exchanges. Lanes that went different ways hold different banks, 32 lanes two each: with 64 banks,
 * and that of the exchange before the last given back first, there is always one to take. */
#include "exchange.h"

#include <string.h>

void smr_exchange_reset(struct simdgroup *simdgroup)
{
    simdgroup->used_banks = 0;
    for (uint32_t lane = 0; lane < simdgroup->lanes; lane++)
        simdgroup->first[lane].bank[0] = simdgroup->first[lane].bank[1] = -1;
}

static void give_back(struct simdgroup *simdgroup, int bank)
{
    if (bank >= 0 && --simdgroup->bank_users[bank] == 0)
        simdgroup->used_banks &= ~((uint64_t)1 << bank);
}

/* Gives the lanes of `mask`, which wait at one exchange, each other's values. */
void smr_exchange_complete(struct simdgroup *simdgroup, uint32_t mask)
{
    for (uint32_t rest = mask; rest; rest &= rest - 1) {
        struct fiber *fiber = &simdgroup->first[__builtin_ctz(rest)];
        give_back(simdgroup, fiber->bank[0]);
        fiber->bank[0] = fiber->bank[1];
    }
    int bank = __builtin_ctzll(~simdgroup->used_banks);
    simdgroup->used_banks |= (uint64_t)1 << bank;
    simdgroup->bank_users[bank] = (uint8_t)__builtin_popcount(mask);
    for (uint32_t rest = mask; rest; rest &= rest - 1) {
        int lane = __builtin_ctz(rest);
        struct fiber *fiber = &simdgroup->first[lane];
        fiber->bank[1] = (int8_t)bank;
        fiber->active_mask = mask;
        if (fiber->published_bytes == 4)
            memcpy(simdgroup->slots[bank][lane], fiber->published, 4);
        else
            memcpy(simdgroup->slots[bank][lane], fiber->published, fiber->published_bytes);
    }
}
