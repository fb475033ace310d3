/* What programs call where a check fails: an index that an array does not have (put in by
 * -fsanitize=array-bounds; the name and the structures are the compiler's), a lane that no simdgroup
 * has, coordinates of no texel, a division without a result, code that must not be reached. */
#include <stdio.h>
#include <string.h>

#include "report.h"
#include "stacks.h"

struct source_location {
    char const *file;
    uint32_t line, column;
};

struct type {
    uint16_t kind;
    uint16_t facts; /* of integers: bit 0: signed; above: the logarithm of the bits */
    char name[];
};

struct bounds_check {
    struct source_location location;
    struct type const *array, *index;
};

/* An index as the program has it: it comes as the bits of its own type. */
static int64_t index_of(struct type const *type, uintptr_t value)
{
    uint32_t spare = 64 - (1u << (type->facts >> 1));
    bool is_signed = type->facts & 1;
    uint64_t high = (uint64_t)value << (spare & 63);
    return is_signed ? (int64_t)high >> (spare & 63) : (int64_t)(high >> (spare & 63));
}

static _Noreturn void end_run(struct slot *slot, void **frame, enum smr_status status)
{
    smr_report_thread(slot->worker, slot->fiber, (uintptr_t)frame[1] - 1, frame[0]);
    smr_escape(slot->worker, status);
}

SMR_EXPORT void __ubsan_handle_out_of_bounds_abort(struct bounds_check const *check, uintptr_t index)
{
    struct slot *slot = current_slot();
    struct smr_report *report = &slot->worker->report;
    report->index = index_of(check->index, index);
    if (strcmp(check->location.file, "program_source") == 0) {
        report->line = check->location.line;
        report->column = check->location.column;
    }
    strncpy(report->message, check->array->name, SMR_MESSAGE_BYTES - 1);
    end_run(slot, __builtin_frame_address(0), SMR_INDEX);
}

/* A simdgroup function that asks for a lane that no group of `lanes` has; if the run goes on, the value
 * that it gets is undefined. */
SMR_EXPORT void __smr_no_lane(unsigned int lane, unsigned int lanes)
{
    struct slot *slot = current_slot();
    struct smr_report *report = &slot->worker->report;
    if (!slot->worker->run->dispatch->strict)
        return;
    report->index = lane;
    report->size_bytes = lanes;
    end_run(slot, __builtin_frame_address(0), SMR_LANE);
}

/* ---- what the headers of programs call */

SMR_EXPORT void __smr_fail(char const *message)
{
    struct slot *slot = current_slot();
    strncpy(slot->worker->report.message, message, SMR_MESSAGE_BYTES - 1);
    end_run(slot, __builtin_frame_address(0), SMR_FAILED);
}

SMR_EXPORT void __smr_outside_texture(struct smr_texture const *texture, long x, long y, int is_write)
{
    struct slot *slot = current_slot();
    snprintf(slot->worker->report.message, SMR_MESSAGE_BYTES, "%s %s at (%ld, %ld), but %s",
             is_write ? "wrote" : "read", texture->name, x, y,
             texture->address ? "" : "nothing is bound there");
    if (texture->address) {
        size_t length = strlen(slot->worker->report.message);
        snprintf(slot->worker->report.message + length, SMR_MESSAGE_BYTES - length,
                 "its width is %u and its height %u", texture->width, texture->height);
    }
    end_run(slot, __builtin_frame_address(0), SMR_OUTSIDE_TEXTURE);
}

SMR_EXPORT void __smr_undefined_division(void)
{
    struct slot *slot = current_slot();
    slot->worker->report.undefined_divisions++;
    if (slot->worker->run->dispatch->strict)
        end_run(slot, __builtin_frame_address(0), SMR_DIVISION);
}
