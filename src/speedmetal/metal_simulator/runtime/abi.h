/* What compiled MSL and the runtime share. Both sides include this file; the MSL side compiles it as
 * C++ without any system header, so types are built in. */
#ifndef SPEEDMETAL_ABI_H
#define SPEEDMETAL_ABI_H

#define SMR_SIMDGROUP 32        /* threads of a simdgroup */
#define SMR_SLOT_BYTES 32       /* the largest value that a thread publishes to its simdgroup */
#define SMR_BUFFERS 31          /* buffer indices of a kernel */
#define SMR_TEXTURES 128        /* texture indices of a kernel */
#define SMR_SAMPLERS 16         /* sampler indices of a kernel */
#define SMR_THREADGROUP_SLOTS 31 /* [[threadgroup(n)]] indices of a kernel */

/* Texels lie row by row; each has its channels side by side. */
enum smr_format {
    SMR_FLOAT32,
    SMR_FLOAT16,
    SMR_UNORM8,
    SMR_UNORM16,
    SMR_SNORM8,
    SMR_SNORM16,
    SMR_UINT8,
    SMR_UINT16,
    SMR_UINT32,
    SMR_INT8,
    SMR_INT16,
    SMR_INT32
};
struct smr_texture {
    unsigned long long address; /* 0: none is bound */
    unsigned long long size_bytes;
    char const *name; /* for messages */
    unsigned int width, height, channels;
    unsigned int format; /* smr_format */
};
/* What the host says of a sampler: members of the enumerations in headers/textures.h. */
struct smr_sampler {
    unsigned char coord, filter, s_address, t_address, border_color;
};
struct smr_bindings {
    struct smr_texture texture[SMR_TEXTURES];
    struct smr_sampler sampler[SMR_SAMPLERS];
};

/* One thread of the grid. Threadgroups at the grid's edge are smaller; `threads_per_threadgroup` is
 * the size of the thread's own group, `dispatch_threads_per_threadgroup` that of the others. */
struct smr_thread {
    unsigned int position_in_grid[3];
    unsigned int position_in_threadgroup[3];
    unsigned int threadgroup_position[3];
    unsigned int threads_per_grid[3];
    unsigned int threads_per_threadgroup[3];
    unsigned int dispatch_threads_per_threadgroup[3];
    unsigned int threadgroups_per_grid[3];
    unsigned int index_in_threadgroup;
    unsigned int lane;
    unsigned int simdgroup;
    unsigned int simdgroups;          /* of the thread's own group */
    unsigned int dispatch_simdgroups; /* of a whole group */
    unsigned long long const *buffers;     /* SMR_BUFFERS addresses */
    unsigned long long const *threadgroup; /* SMR_THREADGROUP_SLOTS addresses */
    struct smr_bindings const *bindings;   /* null: the kernel has no textures or samplers */
};

/* A kernel: runs one thread. */
typedef void (*smr_entry)(struct smr_thread const *thread);

#ifdef __cplusplus
extern "C" {
#endif

/* Wait for all threads of the threadgroup, or of the simdgroup. `flags` are mem_flags. */
void __smr_threadgroup_barrier(int flags);
void __smr_simdgroup_barrier(int flags);

/* Publish `size` bytes at `value` to the simdgroup. Returns the address of SMR_SIMDGROUP slots of
 * SMR_SLOT_BYTES, and sets `*mask` to the lanes that are at the same place of the program. The slots
 * stay as they are until the thread's next but one exchange. */
unsigned long long __smr_exchange(unsigned long long value, unsigned int size, unsigned long long mask);

unsigned int __smr_lane(void);

/* The threadgroup's memory of one declaration: poisoned once for each threadgroup, with a guard page
 * behind it. `site` counts the declarations of a program. */
unsigned long long __smr_threadgroup_memory(unsigned int site, unsigned long long size, unsigned long long alignment);

/* Loops from which a barrier or an exchange can be reached: entered (gives a number), before each
 * turn (in the loop's condition), and left on every way out. Without these calls threads in different
 * turns of a loop are taken to be at one place. */
unsigned int __smr_loop_enter(void);
void __smr_loop_turn(unsigned int loop);
void __smr_loop_leave(unsigned int loop);

/* A simdgroup function asked for a lane that no group of so many lanes has: that ends a strict run. */
void __smr_no_lane(unsigned int lane, unsigned int lanes);

/* A thread came to what it must never come to (an endless loop without an end is left to the
 * watchdog): the run ends with this text. */
void __smr_fail(char const *message);

/* A thread divided an integer by zero, or the least one by -1: counted; strictly, the run ends. */
void __smr_undefined_division(void);

/* A thread read or wrote where the texture has no texel: the run ends. */
void __smr_outside_texture(struct smr_texture const *texture, long x, long y, int is_write);

#ifdef __cplusplus
}
#endif
#endif
