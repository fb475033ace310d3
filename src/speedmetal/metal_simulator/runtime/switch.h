/* Switching between stacks. */
#ifndef SPEEDMETAL_SWITCH_H
#define SPEEDMETAL_SWITCH_H

#include "state.h"

/* Saves the caller's registers on its stack and its stack pointer to *save; goes on where the stack
 * `to` left off. */
void smr_switch(void **save, void *to);
void *smr_initial_stack(uintptr_t top, void (*start)(void));

#endif
