#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>

// Inline PTX that every GPU takes. This is nvcc's side; the emulator has a header of the same name
// with a twin of each function. Layouts: PTX ISA 8, "Warp Level Matrix Instructions".

namespace burin::cuda {

/// Copies 16 bytes from global to shared memory in the background, or writes zeros there if not
/// `valid`: then `global` is not read and may lie anywhere. Both addresses are multiples of 16.
__device__ inline void copy_async_16(void* shared, const void* global, bool valid) {
  const uint32_t to = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  const int bytes = valid ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to),
               "l"(__cvta_generic_to_global(global)), "r"(bytes)
               : "memory");
}

/// The same for what this block will soon read again: it stays in the multiprocessor's cache.
__device__ inline void copy_async_16_cached(void* shared, const void* global, bool valid) {
  const uint32_t to = static_cast<uint32_t>(__cvta_generic_to_shared(shared));
  const int bytes = valid ? 16 : 0;
  asm volatile("cp.async.ca.shared.global [%0], [%1], 16, %2;" ::"r"(to),
               "l"(__cvta_generic_to_global(global)), "r"(bytes)
               : "memory");
}

/// Ends a group of copies; copies after it belong to the next.
__device__ inline void copy_async_commit() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}

/// Waits until at most `groups` of this thread's groups are still under way.
template <int groups>
__device__ inline void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(groups) : "memory");
}

/// 2^x, one instruction: off by up to two units in the last place, 0 where that is below the
/// smallest normal.
__device__ inline float exp2_approximate(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// Four 8×8 matrices of 16-bit elements from shared memory. Lane 8·i + j gives the address of row j
/// of matrix i, 16 bytes; register i of lane l becomes elements 2·(l % 4) and the next of row l
/// / 4.
__device__ inline void load_matrices(uint32_t (&to)[4], const void* row) {
  const uint32_t from = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(from)
               : "memory");
}

/// The same with each matrix transposed: elements 2·(l % 4) and the next of column l / 4.
__device__ inline void load_matrices_transposed(uint32_t (&to)[4], const void* row) {
  const uint32_t from = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(from)
               : "memory");
}

/// d += a · b for one warp: a 16×16, b 16×8, d 16×8 in f32. With g = lane / 4 and t = lane % 4:
///   a[i]  row g + 8·(i % 2), columns 2t + 8·(i / 2) and the next
///   b[i]  rows 2t + 8·i and the next, column g
///   d[i]  row g + 8·(i / 2), column 2t + i % 2
__device__ inline void multiply_add(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
                                    __nv_bfloat16 /*type*/) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
__device__ inline void multiply_add(float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
                                    __half /*type*/) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

}  // namespace burin::cuda
