// The library of the checked reading.
#pragma once
#include "builtins.h"

#include "containers.h"
#include "logging.h"
#include "textures.h"

namespace smr {
// The memory of one declaration `threadgroup T name[n]`.
template <class T>
threadgroup T& threadgroup_memory(uint site, ulong alignment = alignof(T));
}  // namespace smr
