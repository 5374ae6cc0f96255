// Matrix product, handwritten. From plain to fast; `--impl matmul=cpu/<name>` runs one.
//   naive   three loops
//   eigen   blocks of y on the compute threads, each Eigen's GEMM; 16-bit operands widened first
#include "burin/kernels/matmul.h"

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/cpu/support/epilogue.h"
#include "burin/kernels/cpu/support/gemm.h"
#include "burin/kernels/cpu/support/parts.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

/// Extents and strides of one product of the batch. M N K as in the contract.
struct Problem {
  int64_t batch, M, N, K;
  int64_t a_batch, a_row, a_column;
  int64_t b_batch, b_row, b_column;
  int64_t y_batch, y_row;

  explicit Problem(const Matmul& op) {
    const int r = op.a.rank() - 2;  // the dimension of the rows
    batch = r == 0 ? 1 : op.a.dim(0);
    M = op.a.dim(r), K = op.a.dim(r + 1), N = op.b.dim(r + 1);
    a_batch = r == 0 ? 0 : op.a.strides[0];
    b_batch = r == 0 ? 0 : op.b.strides[0];
    y_batch = r == 0 ? 0 : op.y.strides[0];
    a_row = op.a.strides[r], a_column = op.a.strides[r + 1];
    b_row = op.b.strides[r], b_column = op.b.strides[r + 1];
    y_row = op.y.strides[r];
  }

  int64_t products() const { return batch * M * N * K; }
};

Refusal accepts(const Matmul& op, const Context& /*context*/) {
  if (!is_floating(op.a.dtype)) return str("dtype ", op.a.dtype);
  if (op.b.dtype != op.a.dtype) return str("a is ", op.a.dtype, ", b is ", op.b.dtype);
  if (op.y.dtype != op.a.dtype && op.y.dtype != DType::f32) {
    return str("a is ", op.a.dtype, ", y is ", op.y.dtype);
  }
  for (const ConstView& view : {op.a, op.b}) {
    if (view.numel() == 0) return str(view.shape, " is empty");
  }
  return {};
}

/// One row of y, each element a sum of its own.
template <class T, class U>
void naive_row(const Matmul& op, const Problem& p, int64_t row) {
  const int64_t batch = row / p.M, m = row % p.M;
  const T* const a = op.a.as<T>() + batch * p.a_batch + m * p.a_row;
  const T* const b = op.b.as<T>() + batch * p.b_batch;
  const int64_t y_offset = batch * p.y_batch + m * p.y_row;
  for (int64_t n = 0; n < p.N; ++n) {
    float sum = 0;
    for (int64_t k = 0; k < p.K; ++k) {
      sum += static_cast<float>(a[k * p.a_column]) *
             static_cast<float>(b[k * p.b_row + n * p.b_column]);
    }
    const auto epilogue = EpilogueAt<U>::from(op.epilogue, y_offset + n, n);
    finish_element(sum, epilogue, op.y.as<U>() + y_offset + n);
  }
}

void naive(const Matmul& op, Workspace /*workspace*/, Stream& /*stream*/) {
  visit_floating(op.a.dtype, [&](auto tag) {
    visit_floating(op.y.dtype, [&](auto y_tag) {
      using T = typename decltype(tag)::type;
      using U = typename decltype(y_tag)::type;
      const Problem p(op);
      parallel_for(p.batch * p.M, ceil_div(16 * 1024, p.N * p.K), [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) naive_row<T, U>(op, p, row);
      });
    });
  });
}

/// A dense float copy of a batch of matrices, in the order of memory they have.
template <class T>
void widen(const ConstView& from, float* to) {
  const T* const source = from.as<T>();
  const int r = from.rank() - 2;
  const int64_t batch = r == 0 ? 1 : from.dim(0);
  const bool rows_dense = from.strides[r + 1] == 1 || from.dim(r + 1) == 1;
  const int64_t lines = rows_dense ? from.dim(r) : from.dim(r + 1);
  const int64_t length = rows_dense ? from.dim(r + 1) : from.dim(r);
  const int64_t line_stride = from.strides[rows_dense ? r : r + 1];
  const int64_t batch_stride = r == 0 ? 0 : from.strides[0];
  parallel_for(batch * lines, ceil_div(16 * 1024, length), [&](int64_t begin, int64_t end) {
    for (int64_t line = begin; line < end; ++line) {
      const T* const in = source + line / lines * batch_stride + line % lines * line_stride;
      for (int64_t i = 0; i < length; ++i) to[line * length + i] = static_cast<float>(in[i]);
    }
  });
}

/// The view's matrices as floats: themselves, or a dense copy in `scratch` with the same order.
struct FloatMatrices {
  const float* data;
  int64_t batch, row, column;

  static FloatMatrices from(const ConstView& view, Workspace& scratch) {
    const int r = view.rank() - 2;
    if (view.dtype == DType::f32) {
      return {view.as<float>(), r == 0 ? 0 : view.strides[0], view.strides[r], view.strides[r + 1]};
    }
    float* const copy = scratch.take<float>(static_cast<size_t>(view.numel()));
    if (view.dtype == DType::bf16) {
      widen<bfloat16>(view, copy);
    } else {
      widen<float16>(view, copy);
    }
    const int64_t rows = view.dim(r), columns = view.dim(r + 1);
    const bool rows_dense = view.strides[r + 1] == 1 || columns == 1;
    return {copy, rows * columns, rows_dense ? columns : 1, rows_dense ? 1 : rows};
  }
};

size_t workspace_bytes(const Matmul& op, const Context& /*context*/) {
  size_t bytes = 0;
  for (const ConstView& view : {ConstView(op.a), ConstView(op.b), ConstView(op.y)}) {
    if (view.dtype != DType::f32) {
      bytes += Workspace::room_for<float>(static_cast<size_t>(view.numel()));
    }
  }
  return bytes;
}

constexpr int64_t grain = 32 * 1024;  // products that a thread should have to sum

/// How y is cut: blocks large enough for GEMM to reuse its operands, enough of them for all threads
/// that are worth waking.
struct Blocks {
  int64_t rows, columns;  // of one block
  int64_t row_count, column_count;

  explicit Blocks(const Problem& p) {
    const int64_t threads = parts_for(p.products(), grain);
    const int64_t wanted = ceil_div(threads, p.batch);
    const bool by_rows = p.M >= p.N;
    rows = by_rows ? std::max<int64_t>(ceil_div(p.M, wanted), 16) : p.M;
    columns = by_rows ? p.N : std::max<int64_t>(round_up(ceil_div(p.N, wanted), 16), 16);
    row_count = ceil_div(p.M, rows);
    column_count = ceil_div(p.N, columns);
  }
};

template <class U>
void finish_block(const Matmul& op, const Problem& p, const Matrix& sums, int64_t y_offset,
                  int64_t first_column) {
  for (int64_t i = 0; i < sums.rows; ++i) {
    const int64_t offset = y_offset + i * p.y_row;
    finish_channels(sums.data + i * sums.row_stride,
                    EpilogueAt<U>::from(op.epilogue, offset, first_column), op.y.as<U>() + offset,
                    sums.columns);
  }
}

void eigen(const Matmul& op, Workspace workspace, Stream& /*stream*/) {
  const Problem p(op);
  const FloatMatrices a = FloatMatrices::from(op.a, workspace);
  const FloatMatrices b = FloatMatrices::from(op.b, workspace);
  const bool direct = op.y.dtype == DType::f32;
  float* const sums =
      direct ? op.y.as<float>() : workspace.take<float>(static_cast<size_t>(op.y.numel()));
  const int64_t sums_batch = direct ? p.y_batch : p.M * p.N, sums_row = direct ? p.y_row : p.N;

  const Blocks blocks(p);
  const int64_t in_batch = blocks.row_count * blocks.column_count;
  const int64_t blocks_a_thread = ceil_div(grain, blocks.rows * blocks.columns * p.K);
  parallel_for(p.batch * in_batch, blocks_a_thread, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t batch = block / in_batch;
      const int64_t m = block % in_batch / blocks.column_count * blocks.rows;
      const int64_t n = block % blocks.column_count * blocks.columns;
      const int64_t rows = std::min(blocks.rows, p.M - m);
      const int64_t columns = std::min(blocks.columns, p.N - n);
      const Matrix y{sums + batch * sums_batch + m * sums_row + n, rows, columns, sums_row, 1};
      gemm({a.data + batch * a.batch + m * a.row, rows, p.K, a.row, a.column},
           {b.data + batch * b.batch + n * b.column, p.K, columns, b.row, b.column}, y, false);
      if (direct && op.epilogue.empty()) continue;
      const int64_t y_offset = batch * p.y_batch + m * p.y_row + n;
      visit_floating(op.y.dtype, [&](auto tag) {
        finish_block<typename decltype(tag)::type>(op, p, y, y_offset, n);
      });
    }
  });
}

/// Below that oneDNN's way to its kernel takes longer than the product.
bool eigen_prefers(const Matmul& op, const Context& /*context*/) {
  return Problem(op).products() <= 2 * grain;
}

}  // namespace
}  // namespace burin::cpu

namespace burin {

void register_cpu_matmul(Registry& registry) {
  registry.add<Matmul>({.name = "cpu/eigen",
                        .place = place::before_vendor,
                        .accepts = cpu::accepts,
                        .prefers = cpu::eigen_prefers,
                        .workspace_bytes = cpu::workspace_bytes,
                        .run = cpu::eigen});
  registry.add<Matmul>(
      {.name = "cpu/naive", .place = place::plain, .accepts = cpu::accepts, .run = cpu::naive});
}

}  // namespace burin
