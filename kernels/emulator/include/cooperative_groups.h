#pragma once

#include "burin/kernels/emulator/dialect/threads.h"

// Stands in for CUDA's header of this name: thread block clusters, and grids whose blocks wait.

namespace cooperative_groups {

/// The blocks that were launched as one cluster. They run at the same time, can wait for each
/// other, and reach each other's dynamic shared memory.
class cluster_group {
 public:
  unsigned block_rank() const { return burin::emulator::cluster_rank(); }
  unsigned num_blocks() const { return burin::emulator::cluster_size(); }
  void sync(const burin::Where& where = burin::Where::current()) const {
    burin::emulator::cluster_barrier("cluster.sync()", where);
  }
  /// Where the block of that rank has what this block has at `shared`.
  template <class T>
  T* map_shared_rank(T* shared, unsigned rank,
                     const burin::Where& where = burin::Where::current()) const {
    return static_cast<T*>(burin::emulator::shared_of_block(shared, rank, where));
  }
};

inline cluster_group this_cluster() {
  return {};
}

/// All blocks of a launch that asked to be cooperative: they run at the same time.
class grid_group {
 public:
  void sync(const burin::Where& where = burin::Where::current()) const {
    burin::emulator::grid_barrier("grid.sync()", where);
  }
};

inline grid_group this_grid() {
  return {};
}

}  // namespace cooperative_groups
