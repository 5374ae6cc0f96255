#include "burin/kernels/matmul.h"

#include "burin/kernels/check/sum_of_products.h"

namespace burin::checks {
namespace {

struct MatmulCase {
  const char* why;
  int64_t batch;  // 0: operands of rank 2
  int64_t M, N, K;
  bool transpose_a = false, transpose_b = false;
  EpilogueParts epilogue = {};
  bool keyed = false;
  bool large = false;
};

const MatmulCase cases[] = {
    {"one element", 0, 1, 1, 1},
    {"odd extents", 0, 5, 7, 3},
    {"tails after every tile size", 0, 67, 35, 129},
    {"linear: y = x·wᵀ + bias", 0, 9, 11, 33, false, true, {.bias = true}, true},
    {"linear of one row", 0, 1, 37, 65, false, true, {.bias = true}, true},
    {"linear's weight gradient: dw = dyᵀ·x", 0, 11, 33, 9, true, false},
    {"both operands transposed", 0, 13, 6, 17, true, true},
    {"over several tiles of tensor cores", 0, 136, 72, 200},
    {"the same, b transposed, odd rows", 0, 131, 75, 136, false, true, {.bias = true}},
    {"the same, a transposed, odd sums, narrow", 0, 136, 40, 67, true, false, {.residual = true}},
    {"the same, both transposed, a batch", 2, 72, 88, 144, true, true, {.bias = true}},
    {"a long sum and few of them: its parts have more tiles than are in flight",
     0,
     9,
     24,
     4000,
     false,
     true,
     {.bias = true, .residual = true}},
    {"the same, b as it is", 0, 9, 24, 4000},
    {"a classifier of one image", 0, 1, 1000, 512, false, true, {.bias = true}},
    {"bias and relu", 0, 7, 19, 23, false, true, {.bias = true, .activation = Activation::relu}},
    {"bias and gelu, an MLP's first half",
     0,
     7,
     19,
     23,
     false,
     true,
     {.bias = true, .activation = Activation::gelu}},
    {"bias and gelu_tanh",
     0,
     7,
     19,
     23,
     false,
     true,
     {.bias = true, .activation = Activation::gelu_tanh}},
    {"sigmoid", 0, 7, 19, 23, false, false, {.activation = Activation::sigmoid}},
    {"bias and residual, an MLP's second half",
     0,
     7,
     19,
     23,
     false,
     true,
     {.bias = true, .residual = true}},
    {"all three",
     0,
     7,
     19,
     23,
     false,
     true,
     {.bias = true, .residual = true, .activation = Activation::relu}},
    {"a batch: attention's q·kᵀ", 6, 9, 9, 16, false, true},
    {"a batch: attention's p·v", 6, 9, 16, 9},
    {"a batch with an epilogue", 3, 5, 7, 11, false, false, {.bias = true, .residual = true}},
    {"ResNet18's classifier, batch 16", 0, 16, 1000, 512, false, true, {.bias = true}, true, true},
    {"ResNet18's classifier, dx", 0, 16, 512, 1000, false, false, {}, true, true},
    {"ResNet18's classifier, dw", 0, 1000, 512, 16, true, false, {}, false, true},
    {"ViT-B/16's first MLP layer, 4 images",
     0,
     788,
     3072,
     768,
     false,
     true,
     {.bias = true},
     true,
     true},
};

/// [rows, columns] or a batch of them; `transposed` stores the columns' elements side by side.
View matrix(Operands& operands, DType dtype, int64_t batch, Dims extents, bool transposed) {
  const int64_t rows = extents[0], columns = extents[1];
  const int64_t row_stride = transposed ? 1 : columns, column_stride = transposed ? rows : 1;
  if (batch == 0) {
    return operands.input(dtype, extents, {row_stride, column_stride}, normal_values());
  }
  return operands.input(dtype, {batch, rows, columns}, {rows * columns, row_stride, column_stride},
                        normal_values());
}

Problem<Matmul> problem(Operands& operands, const MatmulCase& c, DType dtype, DType y_dtype) {
  const View a = matrix(operands, dtype, c.batch, {c.M, c.K}, c.transpose_a);
  View b = matrix(operands, dtype, c.batch, {c.K, c.N}, c.transpose_b);
  if (c.keyed) operands.name_content(b);
  const View y =
      operands.output(y_dtype, c.batch == 0 ? Shape{c.M, c.N} : Shape{c.batch, c.M, c.N});
  const Epilogue epilogue = make_epilogue(operands, c.epilogue, y, c.N);

  const LazyValues as(operands, a), bs(operands, b);
  const EpilogueDefinition finish(operands, epilogue);
  const int64_t M = c.M, N = c.N, K = c.K;
  const auto expected = [=](int64_t i) {
    const int64_t n = i % N, m = i / N % M, batch = i / (M * N);
    Sum sum;
    for (int64_t k = 0; k < K; ++k) {
      sum.add(as[(batch * M + m) * K + k] * bs[(batch * K + k) * N + n]);
    }
    return finish(sum, i, n);
  };
  const double outputs = static_cast<double>(y.numel());
  const double bytes =
      static_cast<double>((a.numel() + b.numel()) * static_cast<int64_t>(size_of(dtype))) +
      outputs * static_cast<double>(size_of(y_dtype));
  return {{a, b, y, epilogue}, {{"y", y, expected}}, 2 * outputs * static_cast<double>(K), bytes};
}

std::string describe(const MatmulCase& c, DType y_dtype) {
  const std::string batch = c.batch == 0 ? "" : str("batch ", c.batch, ' ');
  return str(batch, "M ", c.M, " N ", c.N, " K ", c.K, c.transpose_a ? " aT" : "",
             c.transpose_b ? " bT" : "", describe(c.epilogue), c.keyed ? " keyed" : "", " -> ",
             y_dtype);
}

}  // namespace

void add_cases_matmul(Cases& list) {
  for (const MatmulCase& c : cases) {
    for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
      for (const DType y_dtype : {dtype, DType::f32}) {
        if (y_dtype != dtype && c.large) continue;
        list.add<Matmul>({c.why, describe(c, y_dtype), dtype, Layout::nchw, c.large},
                         [=](Operands& o) { return problem(o, c, dtype, y_dtype); });
        if (dtype == DType::f32) break;
      }
    }
  }
}

}  // namespace burin::checks
