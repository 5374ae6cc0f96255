#pragma once

#include <algorithm>

#include "burin/kernels/base/parallel.h"

namespace burin::cpu {

/// How many threads to give `count` pieces of work when one should have at least `grain` of them.
/// Known before the work begins, so that each part can have scratch memory of its own.
inline int64_t parts_for(int64_t count, int64_t grain) {
  return std::clamp<int64_t>(count / std::max<int64_t>(grain, 1), 1, compute_threads());
}

/// Calls body(part, begin, end) for `parts` disjoint ranges that cover [0, count).
template <class Body>
void for_each_part(int64_t count, int64_t parts, const Body& body) {
  parallel_for(parts, 1, [&](int64_t first, int64_t last) {
    for (int64_t part = first; part < last; ++part) {
      body(part, count * part / parts, count * (part + 1) / parts);
    }
  });
}

}  // namespace burin::cpu
