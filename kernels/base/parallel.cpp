#include "burin/kernels/base/parallel.h"

#include "burin/kernels/base/error.h"

namespace burin {

void set_compute_threads(int threads) {
  check(threads >= 1, "threads: at least 1 is needed, got ", threads);
  omp_set_num_threads(threads);
}

}  // namespace burin
