/* The address that an instruction failed at because it is no multiple of the access's size: x86
 * processors raise a general protection fault then, which does not tell it, so the instruction is read.
 * Source of its encoding: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2,
 * chapter 2.1 (ModR/M and SIB) and 2.3 (VEX). */
#include "misaligned.h"

#include <string.h>

#include "addresses.h"
#include "stacks.h"

#if defined(__linux__) && defined(__x86_64__)

/* Numbers of the registers of an instruction -> places in a signal's context. */
static int const registers_of[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                     REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

struct instruction {
    uint8_t const *rest; /* behind the opcode: ModR/M and what follows */
    uint8_t opcode;
    bool index_high, base_high; /* X and B: the registers' numbers have 8 added */
    bool is_wide;               /* 32 bytes, else 16 */
};

/* Reads a VEX prefix and the opcode; false: there is none. */
static bool read_prefix(uint8_t const *code, struct instruction *found)
{
    if (code[0] == 0xC5) {
        *found = (struct instruction){code + 3, code[2], false, false, code[1] & 4};
        return true;
    }
    bool is_known = code[0] == 0xC4 && (code[1] & 0x1F) == 1; /* the map of opcodes behind 0F */
    if (is_known)
        *found = (struct instruction){code + 4, code[3], !(code[1] & 0x40), !(code[1] & 0x20), code[2] & 4};
    return is_known;
}

/* Moves that want an aligned address: vmovaps, vmovapd, vmovdqa, vmovntps, vmovntdq. */
static enum smr_access access_of(uint8_t opcode)
{
    switch (opcode) {
    case 0x28:
    case 0x6F:
        return SMR_ACCESS_READ;
    case 0x29:
    case 0x7F:
    case 0x2B:
    case 0xE7:
        return SMR_ACCESS_WRITE;
    default:
        return SMR_ACCESS_UNKNOWN;
    }
}

static int64_t displacement(uint8_t const *at, uint32_t mode)
{
    int32_t wide;
    if (mode == 1)
        return (int8_t)*at;
    memcpy(&wide, at, sizeof wide);
    return wide;
}

static uint64_t address_of(struct instruction const *found, greg_t const *registers)
{
    uint8_t const *at = found->rest;
    uint32_t mode = *at >> 6, memory = *at & 7;
    uint64_t address = 0;
    at++;
    bool has_base = memory != 5 || mode != 0;
    if (memory == 4) {
        uint32_t index = (*at >> 3 & 7) + 8u * found->index_high;
        memory = *at & 7;
        has_base = memory != 5 || mode != 0;
        address = index == 4 ? 0 : (uint64_t)registers[registers_of[index]] << (*at >> 6);
        at++;
    } else if (!has_base) { /* relative to the next instruction; these have no more operands */
        return (uint64_t)(uintptr_t)(at + 4) + (uint64_t)displacement(at, 2);
    }
    if (has_base)
        address += (uint64_t)registers[registers_of[memory + 8u * found->base_high]];
    if (mode != 0 || !has_base)
        address += (uint64_t)displacement(at, mode == 1 ? 1 : 2);
    return address;
}

/* Notes the access of a general protection fault; false: it is none that alignment made fail. */
bool smr_report_misaligned(struct slot const *slot, ucontext_t const *context)
{
    greg_t const *registers = context->uc_mcontext.gregs;
    struct instruction found;
    enum smr_access access = SMR_ACCESS_UNKNOWN;
    /* Where the code itself is no address, a return went astray. */
    bool is_code = registers[REG_TRAPNO] == 13 && (uint64_t)registers[REG_RIP] >> 47 == 0;
    if (is_code && read_prefix((uint8_t const *)registers[REG_RIP], &found))
        access = access_of(found.opcode);
    if (access == SMR_ACCESS_UNKNOWN)
        return false;
    uint64_t address = address_of(&found, registers), size_bytes = found.is_wide ? 32 : 16;
    if (address % size_bytes == 0)
        return false;
    slot->worker->report.access = access;
    slot->worker->report.size_bytes = size_bytes;
    smr_report_address(slot, address);
    return true;
}

#else

/* Other processors take any address. */
bool smr_report_misaligned(struct slot const *slot, ucontext_t const *context)
{
    (void)slot, (void)context;
    return false;
}

#endif
