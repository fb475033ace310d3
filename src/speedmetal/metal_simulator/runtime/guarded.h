/* Memory between pages without access. */
#ifndef SPEEDMETAL_GUARDED_H
#define SPEEDMETAL_GUARDED_H

#include "state.h"

struct pages {
    char *begin, *end;
};

char *smr_map_guarded(size_t memory_bytes, size_t guard_bytes, size_t *mapping_bytes);
char *smr_place_memory(char *memory, size_t size_bytes, size_t alignment, enum smr_edge edge);
void smr_slack_fill(struct pages pages, char *memory, size_t size_bytes);
char const *smr_slack_damage(struct pages pages, char const *memory, size_t size_bytes);
size_t smr_page_bytes(void);

#endif
