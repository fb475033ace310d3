/* Places of the program at which threads wait. */
#ifndef SPEEDMETAL_PLACE_H
#define SPEEDMETAL_PLACE_H

#include "state.h"

void smr_place_note(struct fiber *fiber, void **frame);
int smr_place_compare(struct place const *a, struct place const *b);
void smr_place_code(struct place const *place, uint64_t code[SMR_CODE_DEPTH]);

#endif
