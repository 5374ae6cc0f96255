// Copies, casts and changes of layout, handwritten. From plain to fast; `--impl copy=cuda/<name>`.
//   strided    one thread per element of y, offsets by division: any strides, any dtypes
//   transpose  nchw ↔ nhwc of one dtype by tiles of 32×32 in shared memory: both sides coalesced
//   vector     equal dense order: packets of 16 bytes on the wider side, four under way a thread;
//              casts between floats
#include "burin/kernels/copy.h"

#include <algorithm>

#include "burin/kernels/cuda/support/convert.h"
#include "burin/kernels/cuda/support/copy_elements.h"
#include "burin/kernels/cuda/support/family.h"
#include "burin/kernels/cuda/support/loop_nest.h"
#include "burin/kernels/cuda/support/packet.h"

namespace burin::cuda {
namespace {

constexpr int threads = 256;
constexpr int tile = 32;
constexpr int tile_rows = 8;  // of threads: each moves four rows of a tile

template <class From, class To>
__global__ void copy_strided(const From* x, To* y, LoopNest<2> nest) {
  const int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= nest.numel) return;
  const Offsets<2> offsets = nest.offsets(i);
  y[offsets.at[0]] = convert<To>(x[offsets.at[1]]);
}

/// Variant `transpose`: y[b, column, row] = x[b, row, column].
template <class T>
__global__ void copy_transpose(const T* x, T* y, int64_t rows, int64_t columns) {
  __shared__ T tile_of_x[tile][tile + 1];  // the extra column spreads a column over all banks
  x += int64_t(blockIdx.z) * rows * columns;
  y += int64_t(blockIdx.z) * rows * columns;
  const int64_t first_row = int64_t(blockIdx.y) * tile;
  const int64_t first_column = int64_t(blockIdx.x) * tile;

  for (int r = threadIdx.y; r < tile; r += tile_rows) {
    const int64_t row = first_row + r, column = first_column + threadIdx.x;
    if (row < rows && column < columns) tile_of_x[r][threadIdx.x] = x[row * columns + column];
  }
  __syncthreads();

  for (int c = threadIdx.y; c < tile; c += tile_rows) {
    const int64_t row = first_row + threadIdx.x, column = first_column + c;
    if (row < rows && column < columns) y[column * rows + row] = tile_of_x[threadIdx.x][c];
  }
}

/// Elements of a packet of `vector`: as many as 16 bytes of the wider dtype hold.
template <class From, class To>
constexpr int packet_size = 16 / static_cast<int>(std::max(sizeof(From), sizeof(To)));
constexpr int packets_per_thread = 4;

/// Variant `vector`: a thread's packets are a block's width apart, so neighbours read neighbours.
template <class From, class To>
__global__ void copy_vector(const From* x, To* y, int64_t count) {
  constexpr int n = packet_size<From, To>, of_block = packets_per_thread * threads * n;
  struct alignas(n * sizeof(From)) In {
    From at[n];
  };
  struct alignas(n * sizeof(To)) Out {
    To at[n];
  };
  const auto load = [&](int64_t first) { return *reinterpret_cast<const In*>(x + first); };
  const auto store = [&](int64_t first, const In& in) {
    if constexpr (std::is_same_v<From, To>) {  // as it is, not taken apart
      *reinterpret_cast<In*>(y + first) = in;
    } else {
      Out out;
      for (int k = 0; k < n; ++k) out.at[k] = convert<To>(in.at[k]);
      *reinterpret_cast<Out*>(y + first) = out;
    }
  };

  const int64_t begin = int64_t(blockIdx.x) * of_block, first = begin + threadIdx.x * n;
  if (begin + of_block <= count) {  // all packets can be asked for without a test between them
    In in[packets_per_thread];
#pragma unroll
    for (int i = 0; i < packets_per_thread; ++i) in[i] = load(first + i * threads * n);
#pragma unroll
    for (int i = 0; i < packets_per_thread; ++i) store(first + i * threads * n, in[i]);
    return;
  }
  for (int64_t at = first; at < count; at += threads * n) {
    if (at + n <= count) {
      store(at, load(at));
    } else {
      for (int64_t i = at; i < count; ++i) y[i] = convert<To>(x[i]);
    }
  }
}

/// Calls f(TypeTag<T>{}) with the type a kernel computes with, integers included.
template <class F>
void visit_any(DType dtype, const F& f) {
  if (is_floating(dtype)) return visit_element(dtype, f);
  switch (dtype) {
    case DType::i64:
      return f(TypeTag<int64_t>{});
    case DType::i32:
      return f(TypeTag<int32_t>{});
    default:
      return f(TypeTag<uint8_t>{});
  }
}

/// Calls f(TypeTag<T>{}) with an unsigned integer as wide as an element: bits are copied as they
/// are.
template <class F>
void visit_width(DType dtype, const F& f) {
  switch (size_of(dtype)) {
    case 1:
      return f(TypeTag<uint8_t>{});
    case 2:
      return f(TypeTag<uint16_t>{});
    case 4:
      return f(TypeTag<uint32_t>{});
    default:
      return f(TypeTag<uint64_t>{});
  }
}

template <class From, class To>
void queue_strided(const ConstView& x, const View& y, const LoopNest<2>& nest, Stream& stream) {
  launch(copy_strided<From, To>, {blocks_for(nest.numel, threads), threads, 0, stream},
         static_cast<const From*>(x.data), static_cast<To*>(y.data), nest);
}

Refusal accepts_strided(const Copy& op, const Context& /*context*/) {
  return op.x.shape == op.y.shape ? "" : str("x ", op.x.shape, " and y ", op.y.shape, " differ");
}

void run_strided(const Copy& op, Workspace /*workspace*/, Stream& stream) {
  copy_elements(op.x, op.y, stream);
}

Refusal accepts_transpose(const Copy& op, const Context& context) {
  if (Refusal refusal = accepts_strided(op, context); !refusal.empty()) return refusal;
  if (op.x.dtype != op.y.dtype) return str("a cast from ", op.x.dtype, " to ", op.y.dtype);
  if (op.x.rank() != 4) return str("rank ", op.x.rank(), ", not 4");
  const bool there = op.x.is_dense(Layout::nchw) && op.y.is_dense(Layout::nhwc);
  const bool back = op.x.is_dense(Layout::nhwc) && op.y.is_dense(Layout::nchw);
  if (!there && !back) return "no change between nchw and nhwc";
  constexpr int64_t most_blocks = 65535;  // in y and z of a grid
  const bool fits = op.x.dim(0) <= most_blocks && op.x.dim(1) <= most_blocks * tile &&
                    op.x.dim(2) * op.x.dim(3) <= most_blocks * tile;
  return fits ? "" : str("x ", op.x.shape, " needs more blocks than a grid has");
}

void run_transpose(const Copy& op, Workspace /*workspace*/, Stream& stream) {
  const bool from_nchw = op.x.is_dense(Layout::nchw);
  const int64_t C = op.x.dim(1), HW = op.x.dim(2) * op.x.dim(3);
  const int64_t rows = from_nchw ? C : HW, columns = from_nchw ? HW : C;
  const dim3 grid(blocks_for(columns, tile).x, blocks_for(rows, tile).x,
                  static_cast<unsigned>(op.x.dim(0)));
  visit_width(op.x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    launch(copy_transpose<T>, {grid, dim3(tile, tile_rows), 0, stream}, op.x.as<T>(), op.y.as<T>(),
           rows, columns);
  });
}

Refusal accepts_vector(const Copy& op, const Context& context) {
  if (Refusal refusal = accepts_strided(op, context); !refusal.empty()) return refusal;
  if (!make_loop_nest<2>(op.y.shape, {&op.y.strides, &op.x.strides}).is_flat()) {
    return "x and y are not dense in one order";
  }
  const bool castable = is_floating(op.x.dtype) && is_floating(op.y.dtype);
  if (op.x.dtype != op.y.dtype && !castable) {
    return str("a cast from ", op.x.dtype, " to ", op.y.dtype);
  }
  return is_aligned(op.x) && is_aligned(op.y) ? "" : "x or y does not begin at 16 bytes";
}

template <class From, class To>
void queue_vector(const Copy& op, Stream& stream) {
  constexpr int64_t of_block = int64_t{threads} * packets_per_thread * packet_size<From, To>;
  const int64_t count = op.x.numel();
  launch(copy_vector<From, To>, {blocks_for(count, of_block), threads, 0, stream}, op.x.as<From>(),
         op.y.as<To>(), count);
}

void run_vector(const Copy& op, Workspace /*workspace*/, Stream& stream) {
  if (op.x.dtype == op.y.dtype) {
    visit_width(op.x.dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      queue_vector<T, T>(op, stream);
    });
    return;
  }
  visit_element(op.x.dtype, [&](auto from) {
    visit_element(op.y.dtype, [&](auto to) {
      using From = typename decltype(from)::type;
      using To = typename decltype(to)::type;
      if constexpr (!std::is_same_v<From, To>) queue_vector<From, To>(op, stream);
    });
  });
}

}  // namespace

void copy_elements(const ConstView& x, const View& y, Stream& stream) {
  const LoopNest<2> nest = make_loop_nest<2>(y.shape, {&y.strides, &x.strides});
  if (x.dtype == y.dtype) {
    visit_width(x.dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      queue_strided<T, T>(x, y, nest, stream);
    });
    return;
  }
  visit_any(x.dtype, [&](auto from) {
    visit_any(y.dtype, [&](auto to) {
      using From = typename decltype(from)::type;
      using To = typename decltype(to)::type;
      if constexpr (!std::is_same_v<From, To>) queue_strided<From, To>(x, y, nest, stream);
    });
  });
}

}  // namespace burin::cuda

namespace burin {

void register_cuda_copy(Registry& registry) {
  cuda::add<Copy>(
      registry, {.name = "cuda/vector", .accepts = cuda::accepts_vector, .run = cuda::run_vector});
  cuda::add<Copy>(
      registry,
      {.name = "cuda/transpose", .accepts = cuda::accepts_transpose, .run = cuda::run_transpose});
  cuda::add<Copy>(registry, {.name = "cuda/strided",
                             .place = place::plain,
                             .accepts = cuda::accepts_strided,
                             .run = cuda::run_strided});
}

}  // namespace burin
