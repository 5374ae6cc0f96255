#include "burin/kernels/cuda/support/error.h"

namespace burin::cuda {

void cuda_check(cudaError_t status, Where where) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // what can be forgotten is: the next call shall not report it again
  const std::string message = str("cuda: ", cudaGetErrorString(status), " (",
                                  cudaGetErrorName(status), ") at ", where.file, ':', where.line);
  if (status == cudaErrorMemoryAllocation) throw OutOfMemory(message);
  throw Error(message);
}

}  // namespace burin::cuda
