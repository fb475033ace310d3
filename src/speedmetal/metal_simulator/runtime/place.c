/* Places of the program, told by the chain of return addresses. Compiled kernels keep frame pointers:
 * at each is the caller's frame pointer, and above it the address to return to. */
#include "place.h"

#include "stacks.h"

/* The return addresses from `frame` outwards, and the frames of the functions that these are in. */
static uint32_t walk(void **frame, uintptr_t *code, uintptr_t *frames)
{
    uintptr_t end = (uintptr_t)slot_of((uintptr_t)frame);
    uint32_t depth = 0;
    while (depth < CALLS_MAXIMUM) {
        void **caller = frame[0];
        code[depth] = (uintptr_t)frame[1];
        frames[depth++] = (uintptr_t)caller;
        /* Callers' frames lie above, on the same stack. */
        if (caller <= frame || (uintptr_t)(caller + 2) > end || ((uintptr_t)caller & 7) != 0)
            break;
        frame = caller;
    }
    return depth;
}

static inline void step(struct place *place, uintptr_t value)
{
    uint64_t identity = (place->identity ^ value) * 0x9E3779B97F4A7C15u;
    place->identity = identity ^ identity >> 29;
    place->steps[place->count++] = value;
}

/* Notes where a fiber waits: in the function of the runtime that has this frame. */
void smr_place_note(struct fiber *fiber, void **frame)
{
    struct place *place = &fiber->place;
    uintptr_t frames[CALLS_MAXIMUM];
    uint32_t loop = 0;
    place->calls = walk(frame, place->code, frames);
    place->count = 0;
    place->identity = 0;
    for (uint32_t level = place->calls; level-- > 0;) {
        /* The outermost frame has no caller; its frame pointer is 0. */
        bool has_loops = frames[level] != 0;
        for (; has_loops && loop < fiber->loop_count && fiber->loop[loop].frame >= frames[level]; loop++) {
            step(place, fiber->loop[loop].code);
            step(place, fiber->loop[loop].turn);
        }
        step(place, place->code[level]);
    }
}

/* Order of places. The outermost step that differs decides: of two turns of a loop the earlier comes
 * first, of two places in a function the one that stands first in its code. So lanes meet where the
 * ways join, as far as the code stands in the order of the text. */
int smr_place_compare(struct place const *a, struct place const *b)
{
    uint32_t shorter = a->count < b->count ? a->count : b->count;
    for (uint32_t i = 0; i < shorter; i++)
        if (a->steps[i] != b->steps[i])
            return a->steps[i] < b->steps[i] ? -1 : 1;
    return (a->count > b->count) - (a->count < b->count);
}

/* The addresses of the calls themselves, in place of those behind them. */
void smr_place_code(struct place const *place, uint64_t code[SMR_CODE_DEPTH])
{
    for (uint32_t level = 0; level < SMR_CODE_DEPTH; level++)
        code[level] = level < place->calls ? place->code[level] - 1 : 0;
}

/* ---- loops */

SMR_EXPORT unsigned int __smr_loop_enter(void)
{
    struct fiber *fiber = current_slot()->fiber;
    void **frame = __builtin_frame_address(0);
    if (fiber->loop_count == LOOPS_MAXIMUM)
        __smr_fail("a barrier or a simdgroup function in more than 24 loops, one in another");
    fiber->loop[fiber->loop_count] =
        (struct loop){.code = (uintptr_t)frame[1], .frame = (uintptr_t)frame[0], .turn = 0};
    return fiber->loop_count++;
}

SMR_EXPORT void __smr_loop_turn(unsigned int loop)
{
    struct fiber *fiber = current_slot()->fiber;
    fiber->loop_count = loop + 1;
    fiber->loop[loop].turn++;
}

SMR_EXPORT void __smr_loop_leave(unsigned int loop) { current_slot()->fiber->loop_count = loop; }
