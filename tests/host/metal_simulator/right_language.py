"""Right Metal kernels: the language."""

# ruff: noqa: E501 - the lines of kernels are as long as their writers made them

from __future__ import annotations

from typing import Any

import numpy as np
from right_case import HEADER, Made, case, random

LANGUAGE = (
    HEADER
    + """
#define SQUARE(x) ((x) * (x))
namespace shapes {
enum class Kind : uint { box = 2, ball, dot };
constant float table[2][3] = {{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}};
template <typename T> inline T twice(T x) { return x + x; }
template <> inline int twice<int>(int x) { return 2 * x + 1; }
}  // namespace shapes

struct Complex {
  float re, im;
  Complex(float re_ = 0, float im_ = 0) : re(re_), im(im_) {}
  Complex operator*(Complex o) const { return Complex(re * o.re - im * o.im, re * o.im + im * o.re); }
  float norm() const { return re * re + im * im; }
};

struct Inner { float weights[3]; short tag; };
struct Job { Inner inner; uint count; packed_float3 offset; bool is_on; };

template <typename T, int N>
struct Block {
  T values[N];
  threadgroup T* shared;
  Block(threadgroup T* shared_) : shared(shared_) {}
  void load(device const T* from, uint at) thread {
    for (int k = 0; k < N; ++k) values[k] = from[at * N + k];
  }
  T sum() const thread {
    T s = T(0);
    for (int k = 0; k < N; ++k) s += values[k];
    return s;
  }
  void share(uint at) { shared[at] = sum(); }
};

template <typename T>
[[kernel]] void block_sums(device const T* in [[buffer(0)]], device T* out [[buffer(1)]],
                           uint i [[thread_position_in_grid]],
                           uint lid [[thread_position_in_threadgroup]]) {
  threadgroup T shared[64];
  Block<T, 4> block(shared);
  block.load(in, i);
  block.share(lid);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  out[i] = shared[63 - lid];
}
template [[host_name("block_sums_float")]] [[kernel]] decltype(block_sums<float>) block_sums<float>;
template [[host_name("block_sums_int")]] [[kernel]] decltype(block_sums<int>) block_sums<int>;

inline float picked(constant Job& job, uint k) { return job.inner.weights[k % 3]; }
inline void add_to(device float& place, float amount) { place += amount; }
inline void exchange_values(thread float& a, thread float& b) { float t = a; a = b; b = t; }
static float powers(float x, thread float* squares) { *squares = SQUARE(x); return x * *squares; }

kernel void structures(constant Job& job [[buffer(0)]], device float* out [[buffer(1)]],
                       uint i [[thread_position_in_grid]]) {
  out[i] = 0;
  if (i >= job.count) return;
  float3 offset = job.offset;
  float a = picked(job, i), b = offset.y;
  exchange_values(a, b);
  add_to(out[i], a + 10 * b + float(job.inner.tag) + (job.is_on ? 1000.0f : 0.0f));
}

kernel void statements(device const int* in [[buffer(0)]], device int* out [[buffer(1)]],
                       device float* real [[buffer(2)]], uint i [[thread_position_in_grid]]) {
  int x = in[i], y = 0;
  switch (x % 5) {
    case 0: y = 10; break;
    case 1: y += 1;  // and on to the next
    case 2: y += 20; break;
    default: y = -x;
  }
  do { y += 3; if (y % 7 == 0) break; } while (y < 0);
  for (int k = 0;; ++k) {
    if (k == 2) continue;
    if (k > x % 4) break;
    y ^= k << 2;
  }
  shapes::Kind kind = (x & 1) ? shapes::Kind::ball : shapes::Kind::box;
  y += int(kind) * 100;
  out[i] = shapes::twice(y);
  float squares;
  float cubes = powers(float(x % 10), &squares);
  Complex c = Complex(1, 2) * Complex(float(x % 3));
  array<float, 3> three = {1.0f, 2.0f, 3.0f};
  const auto tail = three[2];
  using Real = float;
  constexpr int choice = sizeof(Real) == 4 ? 1 : 0;
  static_assert(is_same_v<decltype(1.0), float>, "no double");
  real[i] = cubes + squares + c.norm() + shapes::table[choice][x % 3] + tail + shapes::twice(0.25f);
  if constexpr (sizeof(Real) == 8) real[i] = 0;
}

// Where a thread is, of a grid whose edges no whole threadgroup fits.
kernel void positions(device uint* out [[buffer(0)]], uint3 p [[thread_position_in_grid]],
                      uint3 local [[thread_position_in_threadgroup]],
                      uint3 group [[threadgroup_position_in_grid]],
                      uint3 size [[threads_per_threadgroup]],
                      uint3 whole [[dispatch_threads_per_threadgroup]],
                      uint3 groups [[threadgroups_per_grid]], uint3 grid [[threads_per_grid]],
                      uint index [[thread_index_in_threadgroup]],
                      uint lane [[thread_index_in_simdgroup]],
                      uint simdgroup [[simdgroup_index_in_threadgroup]],
                      uint simdgroups [[simdgroups_per_threadgroup]],
                      uint dispatch_simdgroups [[dispatch_simdgroups_per_threadgroup]]) {
  device uint* o = out + ((p.z * grid.y + p.y) * grid.x + p.x) * 12;
  o[0] = local.x + 100 * local.y + 10000 * local.z;
  o[1] = group.x + 100 * group.y + 10000 * group.z;
  o[2] = size.x + 100 * size.y + 10000 * size.z;
  o[3] = whole.x + 100 * whole.y + 10000 * whole.z;
  o[4] = groups.x + 100 * groups.y + 10000 * groups.z;
  o[5] = index;
  o[6] = lane;
  o[7] = simdgroup;
  o[8] = simdgroups;
  o[9] = dispatch_simdgroups;
  o[10] = grid.x + 100 * grid.y + 10000 * grid.z;
  o[11] = p.x + 100 * p.y + 10000 * p.z;
}

// Addresses of one parameter in three widths, and the order of a short-circuit.
kernel void narrow(device uchar* out [[buffer(0)]], ushort2 p [[thread_position_in_grid]],
                   ushort2 size [[threads_per_grid]]) {
  ushort at = p.y * size.x + p.x;
  device uchar* place = &out[at];
  bool is_inside = at < 20 && place[0] == 0;
  *place = is_inside ? uchar(at) : uchar(99);
}

constant bool DOUBLED [[function_constant(0)]];
constant bool is_doubled = is_function_constant_defined(DOUBLED) ? DOUBLED : false;
constant uint COUNT [[function_constant(7)]];

kernel void specialised(device uint* out [[buffer(0)]],
                        device const uint* more [[buffer(1), function_constant(is_doubled)]],
                        uint i [[thread_position_in_grid]]) {
  out[i] = i * COUNT;
  if (is_doubled) out[i] += more[i];
}
"""
)


def _blocks(dtype: Any) -> Made:
    x = random().integers(-50, 50, (128, 4)).astype(dtype)
    right = x.sum(1, dtype=dtype).reshape(2, 64)[:, ::-1].reshape(-1)
    return [x, np.zeros(128, dtype)], {1: right}


@case(LANGUAGE, kernel="block_sums_float", grid=128, threads=64)
def block_sums_float() -> Made:
    return _blocks(np.float32)


@case(LANGUAGE, kernel="block_sums_int", grid=128, threads=64)
def block_sums_int() -> Made:
    return _blocks(np.int32)


@case(LANGUAGE, grid=40, threads=32)
def structures() -> Made:
    job = np.zeros(
        1,
        np.dtype(
            {
                "names": ["weights", "tag", "count", "offset", "is_on"],
                "formats": [(np.float32, 3), np.int16, np.uint32, (np.float32, 3), np.uint8],
                "offsets": [0, 12, 16, 20, 32],
                "itemsize": 36,
            }
        ),
    )
    job["weights"], job["tag"], job["count"], job["is_on"] = [1.5, 2.5, 3.5], -7, 33, 1
    job["offset"] = [4, 5, 6]
    right = np.zeros(40, np.float32)
    for i in range(33):
        right[i] = 5 + 10 * (1.5 + i % 3) - 7 + 1000
    return [job.tobytes(), np.full(40, 9, np.float32)], {1: right}


@case(LANGUAGE, grid=64, threads=32, tolerance=1e-6)
def statements() -> Made:
    given = random().integers(0, 1000, 64).astype(np.int32)
    out, real = [], []
    for x in given.tolist():
        y = {0: 10, 1: 21, 2: 20}.get(x % 5, -x)
        while True:
            y += 3
            if y % 7 == 0 or y >= 0:
                break
        for k in (0, 1, 3):
            if k > x % 4:
                break
            y ^= k << 2
        out.append(2 * (y + (3 if x & 1 else 2) * 100) + 1)
        number = x % 10
        complex_norm = abs((1 + 2j) * (x % 3)) ** 2
        real.append(number**3 + number**2 + complex_norm + (4 + x % 3) + 3 + 0.5)
    return (
        [given, np.zeros(64, np.int32), np.zeros(64, np.float32)],
        {1: np.array(out, np.int32), 2: np.array(real, np.float32)},
    )


@case(LANGUAGE, grid=(11, 7, 3), threads=(8, 4, 2))
def positions() -> Made:
    grid, threads = np.array([11, 7, 3]), np.array([8, 4, 2])
    z, y, x = np.meshgrid(np.arange(3), np.arange(7), np.arange(11), indexing="ij")
    p = np.stack([x, y, z], -1)
    local, group = p % threads, p // threads
    size = np.minimum(threads, grid - group * threads)
    index = local[..., 0] + size[..., 0] * (local[..., 1] + size[..., 1] * local[..., 2])
    count = size.prod(-1)
    weights = np.array([1, 100, 10000])
    rows = [
        local @ weights,
        group @ weights,
        size @ weights,
        np.full_like(x, threads @ weights),
        np.full_like(x, -(-grid // threads) @ weights),
        index,
        index % 32,
        index // 32,
        -(-count // 32),
        np.full_like(x, 2),
        np.full_like(x, grid @ weights),
        p @ weights,
    ]
    right = np.stack(rows, -1).astype(np.uint32)
    return [np.zeros_like(right)], {0: right}


@case(LANGUAGE, grid=(6, 5), threads=(4, 4))
def narrow() -> Made:
    right = np.where(np.arange(30) < 20, np.arange(30), 99).astype(np.uint8)
    return [np.zeros(30, np.uint8)], {0: right}


@case(LANGUAGE, kernel="specialised", grid=32, threads=32, constants={"COUNT": 5})
def specialised_once() -> Made:
    return [np.zeros(32, np.uint32), None], {0: 5 * np.arange(32, dtype=np.uint32)}


@case(LANGUAGE, kernel="specialised", grid=32, threads=32, constants={0: True, 7: 5})
def specialised_twice() -> Made:
    i = np.arange(32, dtype=np.uint32)
    return [np.zeros(32, np.uint32), i + 1], {0: 6 * i + 1}
