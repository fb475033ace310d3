// <metal_texture>: textures of two dimensions and one level, and samplers. Filters weigh texels
// with floats; Apple's hardware has fewer digits.
#pragma once
#include "threads.h"

namespace metal {
enum class access { sample, read, write, read_write };
// Whose writes a thread may see: all memory of the simulator is coherent.
enum memory_coherence { memory_coherence_threadgroup, memory_coherence_device };
enum class coord { normalized, pixel };
enum class filter { nearest, linear };
enum class mag_filter { nearest, linear };
enum class min_filter { nearest, linear };
enum class mip_filter { none, nearest, linear };
enum class address { clamp_to_edge, clamp_to_zero, clamp_to_border, repeat, mirrored_repeat };
enum class s_address { clamp_to_edge, clamp_to_zero, clamp_to_border, repeat, mirrored_repeat };
enum class t_address { clamp_to_edge, clamp_to_zero, clamp_to_border, repeat, mirrored_repeat };
enum class r_address { clamp_to_edge, clamp_to_zero, clamp_to_border, repeat, mirrored_repeat };
enum class border_color { transparent_black, opaque_black, opaque_white };
enum class compare_func {
    none,
    less,
    less_equal,
    greater,
    greater_equal,
    equal,
    not_equal,
    always,
    never
};
enum class component { x, y, z, w };

// What is said of levels: there is one.
struct level {
    explicit constexpr level(float) {}
};
struct bias {
    explicit constexpr bias(float) {}
};
struct gradient2d {
    constexpr gradient2d(float2, float2) {}
};
struct min_lod_clamp {
    explicit constexpr min_lod_clamp(float) {}
};
struct lod_clamp {
    constexpr lod_clamp(float, float) {}
};
struct max_anisotropy {
    explicit constexpr max_anisotropy(int) {}
};

struct sampler {
    coord smr_coord = coord::normalized;
    filter smr_filter = filter::nearest;
    address smr_s = address::clamp_to_edge, smr_t = address::clamp_to_edge;
    border_color smr_border = border_color::transparent_black;

    template <class... A>
    constexpr sampler(A... options) {
        (smr_set(options), ...);
    }
    constexpr void smr_set(coord value) { smr_coord = value; }
    constexpr void smr_set(filter value) { smr_filter = value; }
    constexpr void smr_set(mag_filter value) { smr_filter = (filter)value; }
    constexpr void smr_set(address value) { smr_s = smr_t = value; }
    constexpr void smr_set(s_address value) { smr_s = (address)value; }
    constexpr void smr_set(t_address value) { smr_t = (address)value; }
    constexpr void smr_set(border_color value) { smr_border = value; }
    // A texture of one level is magnified.
    constexpr void smr_set(min_filter) {}
    constexpr void smr_set(mip_filter) {}
    constexpr void smr_set(r_address) {}
    constexpr void smr_set(compare_func) {}
    constexpr void smr_set(lod_clamp) {}
    constexpr void smr_set(max_anisotropy) {}
};
}  // namespace metal

namespace smr {
template <class T>
SMR_VALUE bool always = true;
}

#if !SMR_CHECKED
// Accesses are told at the line of the text that makes them.
#define SMR_AT_CALLER __attribute__((always_inline, nodebug)) inline
namespace smr {
template <class T, class R>
SMR_AT_CALLER R texel(const smr_texture* of, ulong place) {
    return (R)((const T*)of->address)[place];
}
// One channel, as the format has it.
template <class R>
SMR_AT_CALLER R channel(const smr_texture* of, ulong place) {
    switch (of->format) {
        case SMR_FLOAT32: return texel<float, R>(of, place);
        case SMR_FLOAT16: return texel<half, R>(of, place);
        case SMR_UNORM8: return (R)(texel<uchar, float>(of, place) / 255.0f);
        case SMR_UNORM16: return (R)(texel<ushort, float>(of, place) / 65535.0f);
        case SMR_SNORM8: return (R)normalised((uint)texel<char, int>(of, place), 8, true);
        case SMR_SNORM16: return (R)normalised((uint)texel<short, int>(of, place), 16, true);
        case SMR_UINT8: return texel<uchar, R>(of, place);
        case SMR_UINT16: return texel<ushort, R>(of, place);
        case SMR_UINT32: return texel<uint, R>(of, place);
        case SMR_INT8: return texel<signed char, R>(of, place);
        case SMR_INT16: return texel<short, R>(of, place);
        default: return texel<int, R>(of, place);
    }
}
template <class T, class R>
SMR_AT_CALLER void put_texel(const smr_texture* of, ulong place, R value) {
    ((T*)of->address)[place] = (T)value;
}
template <class R>
SMR_AT_CALLER void put_channel(const smr_texture* of, ulong place, R value) {
    switch (of->format) {
        case SMR_FLOAT32: return put_texel<float>(of, place, value);
        case SMR_FLOAT16: return put_texel<half>(of, place, value);
        case SMR_UNORM8:
            return put_texel<uchar>(of, place, bits_of_normalised((float)value, 8, false));
        case SMR_UNORM16:
            return put_texel<ushort>(of, place, bits_of_normalised((float)value, 16, false));
        case SMR_SNORM8:
            return put_texel<uchar>(of, place, bits_of_normalised((float)value, 8, true));
        case SMR_SNORM16:
            return put_texel<ushort>(of, place, bits_of_normalised((float)value, 16, true));
        case SMR_UINT8: return put_texel<uchar>(of, place, saturated<R, uchar>(value));
        case SMR_UINT16: return put_texel<ushort>(of, place, saturated<R, ushort>(value));
        case SMR_UINT32: return put_texel<uint>(of, place, value);
        case SMR_INT8: return put_texel<signed char>(of, place, saturated<R, signed char>(value));
        case SMR_INT16: return put_texel<short>(of, place, saturated<R, short>(value));
        default: return put_texel<int>(of, place, value);
    }
}
SMR_AT_CALLER void check_inside(const smr_texture* of, long x, long y, int is_write) {
    const bool is_inside = x >= 0 && y >= 0 && x < of->width && y < of->height;
    if (!is_inside) __smr_outside_texture(of, x, y, is_write);
}
// Channels that a format lacks are 0, alpha 1.
template <class T>
SMR_AT_CALLER metal::vec<T, 4> texel_at(const smr_texture* of, uint x, uint y) {
    const ulong place = ((ulong)y * of->width + x) * of->channels;
    metal::vec<T, 4> all((T)0, (T)0, (T)0, (T)1);
    for (uint i = 0; i < of->channels; ++i) all[i] = channel<T>(of, place + i);
    return all;
}
// Where a coordinate leads that may be outside; -1: to the border.
inline int addressed(float at, int size, metal::address mode) {
    const int limit = size - 1;
    int i = (int)__builtin_floorf(at);
    if (i >= 0 && i <= limit) return i;
    switch (mode) {
        case metal::address::repeat: i %= size; return i < 0 ? i + size : i;
        case metal::address::mirrored_repeat:
            i %= 2 * size;
            if (i < 0) i += 2 * size;
            return i < size ? i : 2 * size - 1 - i;
        case metal::address::clamp_to_edge: return i < 0 ? 0 : limit;
        default: return -1;
    }
}
template <class T>
inline metal::vec<T, 4> border(const smr_texture* of, metal::sampler s) {
    using metal::border_color;
    const metal::address colored = metal::address::clamp_to_border;
    const bool is_colored = s.smr_s == colored || s.smr_t == colored;
    const bool is_white = is_colored && s.smr_border == border_color::opaque_white;
    const bool is_opaque =
        is_colored ? s.smr_border != border_color::transparent_black : of->channels < 4;
    const T color = (T)is_white;
    return metal::vec<T, 4>(color, color, color, (T)is_opaque);
}
template <class T>
inline metal::vec<T, 4> sampled(const smr_texture* of, metal::sampler s, float x, float y) {
    const int i = addressed(x, (int)of->width, s.smr_s), j = addressed(y, (int)of->height, s.smr_t);
    return i < 0 || j < 0 ? border<T>(of, s) : texel_at<T>(of, (uint)i, (uint)j);
}
// A place in texels.
inline float2 in_texels(const smr_texture* of, metal::sampler s, float2 at, int2 offset) {
    if (of->address == 0) __smr_outside_texture(of, 0, 0, 0);
    if (s.smr_coord == metal::coord::normalized) at *= float2((float)of->width, (float)of->height);
    return at + float2(offset);
}
template <class T>
inline metal::vec<T, 4> filtered(const smr_texture* of, metal::sampler s, float2 at) {
    const bool is_nearest = s.smr_filter == metal::filter::nearest || __is_integral(T);
    if (is_nearest) return sampled<T>(of, s, at.x, at.y);
    at -= float2(0.5f);
    const float2 part = at - metal::floor(at);
    float4 sum(0.0f);
    for (int k = 0; k < 4; ++k) {
        const float right = (float)(k & 1), below = (float)(k >> 1);
        const float weight = (right != 0 ? part.x : 1.0f - part.x) *
                             (below != 0 ? part.y : 1.0f - part.y);
        // A texel without weight may be NaN.
        if (weight != 0) sum += float4(sampled<T>(of, s, at.x + right, at.y + below)) * weight;
    }
    return metal::vec<T, 4>(sum);
}
}  // namespace smr
#endif

namespace metal {
#define SMR_ALLOWED(condition, what, advice) \
    static_assert(condition, "this texture cannot be " what "; declare it with " advice)
template <class T, access A = access::sample,
          memory_coherence C = memory_coherence_threadgroup>
struct texture2d {
    static_assert(is_same_v<T, float> || is_same_v<T, half> || is_same_v<T, int> ||
                      is_same_v<T, uint> || is_same_v<T, short> || is_same_v<T, ushort>,
                  "textures have elements float, half, int, uint, short or ushort");
    typedef vec<T, 4> smr_color;
#if SMR_CHECKED
// Structures of arguments hold textures in device and constant memory.
#define SMR_METHOD(result, name, parameters, condition, what, advice, ...)         \
    SMR_METHOD_IN(, result, name, parameters, condition, what, advice)             \
    SMR_METHOD_IN(device, result, name, parameters, condition, what, advice)       \
    SMR_METHOD_IN(constant, result, name, parameters, condition, what, advice)
#define SMR_METHOD_IN(space, result, name, parameters, condition, what, advice)    \
    template <class V = T>                                                         \
    result name parameters const space {                                           \
        SMR_ALLOWED((condition) && smr::always<V>, what, advice);                  \
        return result(0);                                                          \
    }
#else
    const smr_texture* smr_it;
#define SMR_METHOD(result, name, parameters, condition, what, advice, ...) \
    template <class V = T>                                                 \
    SMR_AT_CALLER result name parameters const {                           \
        SMR_ALLOWED((condition) && smr::always<V>, what, advice);          \
        __VA_ARGS__                                                        \
    }
#endif
#define SMR_READ(integer)                                                                          \
    SMR_METHOD(smr_color, read, (vec<integer, 2> at, integer = 0), A != access::write, "read",     \
               "access::read", smr::check_inside(smr_it, at[0], at[1], 0);                         \
               return smr::texel_at<T>(smr_it, at[0], at[1]);)                                     \
    SMR_METHOD(void, write, (smr_color color, vec<integer, 2> at, integer = 0),                    \
               A == access::write || A == access::read_write, "written", "access::write",          \
               smr::check_inside(smr_it, at[0], at[1], 1);                                         \
               const ulong place = ((ulong)at[1] * smr_it->width + at[0]) * smr_it->channels;      \
               for (uint i = 0; i < smr_it->channels; ++i)                                         \
                   smr::put_channel(smr_it, place + i, color[i]);)
    SMR_READ(uint)
    SMR_READ(ushort)
#undef SMR_READ
#define SMR_SAMPLE(parameters, offset)                                                            \
    SMR_METHOD(smr_color, sample, parameters, A == access::sample, "sampled", "access::sample",   \
               return smr::filtered<T>(smr_it, s, smr::in_texels(smr_it, s, at, offset));)
    SMR_SAMPLE((sampler s, float2 at, int2 offset = int2(0)), offset)
    SMR_SAMPLE((sampler s, float2 at, level, int2 offset = int2(0)), offset)
    SMR_SAMPLE((sampler s, float2 at, bias, int2 offset = int2(0)), offset)
    SMR_SAMPLE((sampler s, float2 at, gradient2d, int2 offset = int2(0)), offset)
    SMR_SAMPLE((sampler s, float2 at, min_lod_clamp, int2 offset = int2(0)), offset)
#undef SMR_SAMPLE
    // The four texels that a linear filter would weigh, from the lower left on against the clock.
    SMR_METHOD(smr_color, gather,
               (sampler s, float2 at, int2 offset = int2(0), component which = component::x),
               A == access::sample, "sampled", "access::sample",
               const float2 texel = smr::in_texels(smr_it, s, at, offset) - float2(0.5f);
               smr_color all{}; const int k = (int)which;
               all[0] = smr::sampled<T>(smr_it, s, texel.x, texel.y + 1)[k];
               all[1] = smr::sampled<T>(smr_it, s, texel.x + 1, texel.y + 1)[k];
               all[2] = smr::sampled<T>(smr_it, s, texel.x + 1, texel.y)[k];
               all[3] = smr::sampled<T>(smr_it, s, texel.x, texel.y)[k]; return all;)
#undef SMR_METHOD
#undef SMR_METHOD_IN
#define SMR_FACTS(space)                                            \
    uint get_width(uint = 0) const space SMR_BODY(return smr_it->width;)   \
    uint get_height(uint = 0) const space SMR_BODY(return smr_it->height;) \
    uint get_num_mip_levels() const space SMR_BODY(return 1;)
    SMR_FACTS()
#if SMR_CHECKED
    SMR_FACTS(device)
    SMR_FACTS(constant)
#endif
#undef SMR_FACTS
    // What was written is there for the same thread's reads without it.
    void fence() const {}
};
#undef SMR_ALLOWED
#undef SMR_AT_CALLER
template <class T, access A, memory_coherence C>
inline bool is_null_texture(texture2d<T, A, C> t) SMR_BODY(return t.smr_it->address == 0;)
}  // namespace metal

#if !SMR_CHECKED
namespace smr {
// What the host has bound becomes the texture, or the sampler, that the kernel declares.
struct bound_texture {
    const smr_thread* of;
    uint index;
    template <class T, metal::access A, metal::memory_coherence C>
    operator metal::texture2d<T, A, C>() const {
        static const smr_texture none = {0, 0, "a texture", 0, 0, 0, 0};
        metal::texture2d<T, A, C> texture;
        texture.smr_it = of->bindings ? &of->bindings->texture[index] : &none;
        return texture;
    }
};
struct bound_sampler {
    const smr_thread* of;
    uint index;
    operator metal::sampler() const {
        if (!of->bindings) return metal::sampler();
        const smr_sampler& s = of->bindings->sampler[index];
        return metal::sampler((metal::coord)s.coord, (metal::filter)s.filter,
                              (metal::s_address)s.s_address, (metal::t_address)s.t_address,
                              (metal::border_color)s.border_color);
    }
};
// Beside sizes of what parameters refer to: which numbers a texture has, and the access to it.
template <class T, metal::access A>
struct texture_facts {
    static constexpr unsigned int size = __is_same(T, float)  ? 0
                                         : __is_same(T, half)  ? 1
                                         : __is_same(T, int)   ? 2
                                         : __is_same(T, uint)  ? 3
                                         : __is_same(T, short) ? 4
                                                               : 5;
    static constexpr unsigned int alignment = (unsigned int)A;
};
}  // namespace smr
#endif
