"""Wrong Metal: types."""

from __future__ import annotations

from wrong_fault import FLOATS, WITH_C, fault, kernel

fault("double variable", "double", "double d = 1; o[i] = float(d);", "float d = 1; o[i] = d;")
fault(
    "double parameter",
    "double",
    kernel("o[i] = float(c[0]);", WITH_C.replace("constant float", "constant double")),
    kernel("o[i] = c[0];", WITH_C),
)
fault("long double", "double", "long double d = 1; o[i] = float(d);")
fault("64-bit simd_sum", "simd_sum", "o[i] = simd_sum(long(i));", "o[i] = simd_sum(int(i));")
fault("simd_sum of bool", "simd_sum", "o[i] = simd_sum(i == 1);", "o[i] = simd_sum(uint(i == 1));")
fault(
    "shuffle of bool",
    "simd_shuffle",
    "o[i] = simd_shuffle_xor(i == 1, 1);",
    "o[i] = simd_shuffle_xor(uint(i == 1), 1);",
)
fault("bitwise collective of floats", "simd_and", "o[i] = simd_and(o[i]);", "o[i] = simd_and(i);")
fault(
    "bfloat from float",
    "bfloat",
    "bfloat b = o[i]; o[i] = float(b);",
    "bfloat b = bfloat(o[i]); o[i] = float(b);",
)
fault(
    "half from bfloat",
    "bfloat",
    "bfloat b = bfloat(1.0f); half h = b; o[i] = h;",
    "bfloat b = bfloat(1.0f); half h = half(float(b)); o[i] = h;",
)
fault("max of int and uint", "max", "o[i] = max(1, i);", "o[i] = max(1u, i);")
fault("clamp of uint by ints", "clamp", "o[i] = clamp(i, 0, 7);", "o[i] = clamp(i, 0u, 7u);")
fault(
    "pow of half and float",
    "pow",
    "half h = half(o[i]); o[i] = pow(h, 2.0f);",
    "half h = half(o[i]); o[i] = pow(float(h), 2) + pow(h, 2.0h);",
)
fault("sqrt of uint", "sqrt", "o[i] = sqrt(i);", "o[i] = sqrt(float(i));")
fault(
    "narrowing in braces",
    "narrow",
    "int a{o[i]}; o[i] = a;",
    "int a{int(o[i])}; o[i] = a;",
)
fault(
    "narrowing in a vector's braces",
    "narrow",
    "uint u = i * 3; half2 h = {u, u}; o[i] = h.x;",
    "uint u = i * 3; half2 h = {half(u), half(u)}; o[i] = h.x;",
)
fault(
    "vector from another by assignment",
    "cannot initialize",
    "int4 q = int4(1); float4 v = q; o[i] = v.x;",
    "int4 q = int4(1); float4 v = float4(q); o[i] = v.x;",
)
fault(
    "too few components",
    "components",
    "float3 v = float3(1, 2); o[i] = v.x;",
    "float3 v = float3(1, 2, 3); o[i] = v.x;",
)
fault(
    "too many components",
    "components",
    "float2 v = float2(float2(1, 2), 3); o[i] = v.x;",
    "float3 v = float3(float2(1, 2), 3); o[i] = v.x;",
)
fault(
    "cast to fewer components of the same size",
    "components",
    "o[i] = ((float2)half4(1)).x;",
    "o[i] = ((float2)half2(1)).x;",
)
fault(
    "cast of numbers between commas",
    "cast of the last number alone",
    "o[i] = ((float4)(1, 2, 3, 4)).x;",
    "o[i] = float4(1, 2, 3, 4).x;",
)
fault(
    "component that is not there",
    "component",
    "float2 v = float2(1, 2); o[i] = v.z;",
    "float2 v = float2(1, 2); o[i] = v.y;",
)
fault(
    "components of two sets",
    "component",
    "float4 v = float4(1); o[i] = v.xg.x;",
    "float4 v = float4(1); o[i] = v.xy.x;",
)
fault(
    "component written twice",
    "duplicate",
    "float4 v = float4(1); v.xx = float2(2, 3); o[i] = v.x;",
    "float4 v = float4(1); v.xy = float2(2, 3); o[i] = v.x;",
)
fault(
    "vector as a condition",
    "bool",
    "float4 v = float4(o[i]); if (v == float4(0)) o[i] = 1;",
    "float4 v = float4(o[i]); if (all(v == float4(0))) o[i] = 1;",
)
fault(
    "dot of unlike vectors",
    "dot",
    "o[i] = dot(float3(1), float4(1));",
    "o[i] = dot(float3(1), float4(1).xyz);",
)
fault(
    "as_type of another size",
    "same size",
    "o[i] = as_type<float>(ushort(1));",
    "o[i] = as_type<float>(ushort2(1, 2));",
)
fault("remainder of floats", "invalid operands", "o[i] = o[i] % 2.0f;", "o[i] = fmod(o[i], 2.0f);")
fault("vector of eight", "float8", "float8 v = 1; o[i] = v.s0;", "float4 v = 1; o[i] = v.x;")
fault(
    "matrix of a simdgroup that is not 8 by 8",
    "8",
    "simdgroup_matrix<float, 4, 4> m; o[i] = 1;",
    "simdgroup_matrix<float, 8, 8> m(1.0f); simdgroup_store(m, o);",
)
fault(
    "position of a signed type",
    "thread_position_in_grid",
    kernel("o[i] = 1;", FLOATS.replace("uint i", "int i")),
    kernel("o[i] = 1;"),
)
fault(
    "position of a float type",
    "thread_position_in_grid",
    kernel("o[uint(i)] = 1;", FLOATS.replace("uint i", "float i")),
)
fault(
    "vector for an index that has one axis",
    "thread_index_in_simdgroup",
    kernel("o[i.x] = 1;", "device float* o [[buffer(0)]], uint2 i [[thread_index_in_simdgroup]]"),
    kernel("o[i] = 1;", "device float* o [[buffer(0)]], uint i [[thread_index_in_simdgroup]]"),
)
