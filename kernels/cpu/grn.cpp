// Global response normalisation, handwritten. Each direction goes over memory twice, for the sums
// and for the result; an image is cut into stretches of positions, so that one image alone keeps
// all threads busy.
#include "burin/kernels/grn.h"

#include <cmath>

#include "burin/kernels/cpu/support/convert.h"
#include "burin/kernels/cpu/support/parts.h"
#include "burin/kernels/registry.h"

namespace burin::cpu {
namespace {

constexpr int64_t elements_per_thread = 16 * 1024;  // before a second one helps
constexpr int64_t recent_rows = 32;                 // summed in float before double takes over

/// How the positions are cut: `stretches` of them in each image.
struct Cut {
  int64_t N, M, C, stretches;

  explicit Cut(const ConstView& x) : N(x.dim(0)), M(x.dim(1)), C(x.dim(2)) {
    const int64_t parts = parts_for(N * M, ceil_div(elements_per_thread, C));
    stretches = std::min(ceil_div(parts, N), M);
  }
  int64_t units() const { return N * stretches; }
  size_t sums() const { return static_cast<size_t>(units() * C); }
};

/// Calls body(unit, image, begin, end) for every stretch [begin, end) of positions of an image.
template <class Body>
void for_each_stretch(const Cut& cut, const Body& body) {
  parallel_for(cut.units(), 1, [&](int64_t first, int64_t last) {
    for (int64_t unit = first; unit < last; ++unit) {
      const int64_t stretch = unit % cut.stretches;
      body(unit, unit / cut.stretches, cut.M * stretch / cut.stretches,
           cut.M * (stretch + 1) / cut.stretches);
    }
  });
}

/// sums[c] ← Σ over the rows of term(row, c): in float over a few rows, then in double.
template <class Term>
void sum_columns(int64_t rows, int64_t C, double* sums, float* recent, const Term& term) {
  std::fill_n(sums, C, 0.0);
  for (int64_t begin = 0; begin < rows; begin += recent_rows) {
    const int64_t end = std::min(begin + recent_rows, rows);
    std::fill_n(recent, C, 0.0f);
    for (int64_t row = begin; row < end; ++row) {
#pragma omp simd
      for (int64_t c = 0; c < C; ++c) recent[c] += term(row, c);
    }
    for (int64_t c = 0; c < C; ++c) sums[c] += static_cast<double>(recent[c]);
  }
}

/// Adds the stretches of an image up into the first of them and returns it.
double* gather(const Cut& cut, double* sums, int64_t image) {
  double* const all = sums + image * cut.stretches * cut.C;
  for (int64_t i = cut.C; i < cut.stretches * cut.C; ++i) all[i % cut.C] += all[i];
  return all;
}

double mean_norm(const float* norm, int64_t C) {
  double sum = 0;
  for (int64_t c = 0; c < C; ++c) sum += static_cast<double>(norm[c]);
  return sum / static_cast<double>(C);
}

// ---- forward

size_t forward_workspace(const GrnForward& op, const Context& /*context*/) {
  const Cut cut(op.x);
  return Workspace::room_for<double>(cut.sums()) + Workspace::room_for<float>(cut.sums());
}

template <class T>
void forward(const GrnForward& op, Workspace workspace) {
  const Cut cut(op.x);
  const int64_t C = cut.C;
  double* const squares = workspace.take<double>(cut.sums());
  float* const factors = workspace.take<float>(cut.sums());  // first the recent sums
  const T* const x = op.x.as<T>();
  for_each_stretch(cut, [&](int64_t unit, int64_t n, int64_t begin, int64_t end) {
    const T* const rows = x + (n * cut.M + begin) * C;
    sum_columns(end - begin, C, squares + unit * C, factors + unit * C,
                [&](int64_t row, int64_t c) {
                  const auto value = static_cast<float>(rows[row * C + c]);
                  return value * value;
                });
  });

  const float* const weight = op.weight.as<float>();
  for (int64_t n = 0; n < cut.N; ++n) {
    const double* const sums = gather(cut, squares, n);
    float* const norm = op.norm.as<float>() + n * C;
    for (int64_t c = 0; c < C; ++c) norm[c] = static_cast<float>(std::sqrt(sums[c]));
    const double inverse = 1 / (mean_norm(norm, C) + static_cast<double>(op.epsilon));
    for (int64_t c = 0; c < C; ++c) {
      factors[n * C + c] = 1 + weight[c] * static_cast<float>(norm[c] * inverse);
    }
  }

  const float* const bias = op.bias.as<float>();
  T* const y = op.y.as<T>();
  for_each_stretch(cut, [&](int64_t /*unit*/, int64_t n, int64_t begin, int64_t end) {
    const float* const factor = factors + n * C;
    for (int64_t row = n * cut.M + begin; row < n * cut.M + end; ++row) {
#pragma omp simd
      for (int64_t c = 0; c < C; ++c) {
        y[row * C + c] = convert<T>(static_cast<float>(x[row * C + c]) * factor[c] + bias[c]);
      }
    }
  });
}

// ---- backward

/// Sums of every stretch, and what they become for every image.
struct BackwardScratch {
  BackwardScratch(Workspace& workspace, const Cut& cut)
      : products(workspace.take<double>(cut.sums())),
        gradients(workspace.take<double>(cut.sums())),
        of_dy(workspace.take<float>(cut.sums())),
        of_x(workspace.take<float>(cut.sums())) {}
  static size_t bytes(const Cut& cut) {
    return 2 * Workspace::room_for<double>(cut.sums()) + 2 * Workspace::room_for<float>(cut.sums());
  }
  double* products;   // Σ_m dy · x
  double* gradients;  // Σ_m dy
  float* of_dy;       // dx = of_dy · dy + of_x · x; before that the recent sums
  float* of_x;
};

size_t backward_workspace(const GrnBackward& op, const Context& /*context*/) {
  return BackwardScratch::bytes(Cut(op.x));
}

/// The factors of one image's dx, and its share of dweight and dbias.
void finish_image(const GrnBackward& op, const Cut& cut, const BackwardScratch& s, int64_t n,
                  std::vector<double>& parameter_sums) {
  const int64_t C = cut.C;
  const float* const weight = op.weight.as<float>();
  const float* const norm = op.norm.as<float>() + n * C;
  const double* const products = gather(cut, s.products, n);
  const double* const gradients = gather(cut, s.gradients, n);
  const double inverse = 1 / (mean_norm(norm, C) + static_cast<double>(op.epsilon));
  double shared = 0;  // Σ_j a[j] · norm[j] / (C · μ²)
  for (int64_t c = 0; c < C; ++c) shared += weight[c] * products[c] * norm[c];
  shared *= inverse * inverse / static_cast<double>(C);
  for (int64_t c = 0; c < C; ++c) {
    const double response = norm[c] * inverse;
    const double dnorm = weight[c] * products[c] * inverse - shared;
    s.of_dy[n * C + c] = static_cast<float>(1 + weight[c] * response);
    s.of_x[n * C + c] = norm[c] > 0 ? static_cast<float>(dnorm / norm[c]) : 0.0f;
    parameter_sums[static_cast<size_t>(c)] += response * products[c];
    parameter_sums[static_cast<size_t>(C + c)] += gradients[c];
  }
}

template <class T>
void backward(const GrnBackward& op, Workspace workspace) {
  const Cut cut(op.x);
  const int64_t C = cut.C;
  const BackwardScratch s(workspace, cut);
  const T* const x = op.x.as<T>();
  const T* const dy = op.dy.as<T>();
  for_each_stretch(cut, [&](int64_t unit, int64_t n, int64_t begin, int64_t end) {
    const int64_t first = (n * cut.M + begin) * C, at = unit * C;
    sum_columns(end - begin, C, s.products + at, s.of_x + at, [&](int64_t row, int64_t c) {
      return static_cast<float>(dy[first + row * C + c]) *
             static_cast<float>(x[first + row * C + c]);
    });
    sum_columns(end - begin, C, s.gradients + at, s.of_dy + at, [&](int64_t row, int64_t c) {
      return static_cast<float>(dy[first + row * C + c]);
    });
  });

  std::vector<double> parameter_sums(static_cast<size_t>(2 * C));
  for (int64_t n = 0; n < cut.N; ++n) finish_image(op, cut, s, n, parameter_sums);
  for (int64_t c = 0; c < C; ++c) {
    op.dweight.as<float>()[c] = static_cast<float>(parameter_sums[static_cast<size_t>(c)]);
    op.dbias.as<float>()[c] = static_cast<float>(parameter_sums[static_cast<size_t>(C + c)]);
  }

  T* const dx = op.dx.as<T>();
  for_each_stretch(cut, [&](int64_t /*unit*/, int64_t n, int64_t begin, int64_t end) {
    const float* const of_dy = s.of_dy + n * C;
    const float* const of_x = s.of_x + n * C;
    for (int64_t row = n * cut.M + begin; row < n * cut.M + end; ++row) {
#pragma omp simd
      for (int64_t c = 0; c < C; ++c) {
        const int64_t i = row * C + c;
        dx[i] =
            convert<T>(static_cast<float>(dy[i]) * of_dy[c] + static_cast<float>(x[i]) * of_x[c]);
      }
    }
  });
}

// ---- what is taken

Refusal accepts(const ConstView& x, const ConstView& y) {
  if (!is_floating(x.dtype)) return str("dtype ", x.dtype);
  if (y.dtype != x.dtype) return str("dtypes ", x.dtype, " and ", y.dtype);
  if (x.rank() != 3) return str(x.shape, " is not [N, M, C]");
  if (x.numel() == 0) return str(x.shape, " is empty");
  return x.is_contiguous() && y.is_contiguous() ? "" : "rows that are not contiguous";
}

Refusal accepts_forward(const GrnForward& op, const Context& /*context*/) {
  return accepts(op.x, op.y);
}

Refusal accepts_backward(const GrnBackward& op, const Context& /*context*/) {
  if (Refusal refusal = accepts(op.x, op.dy); !refusal.empty()) return refusal;
  return accepts(op.x, op.dx);
}

}  // namespace
}  // namespace burin::cpu

namespace burin {

void register_cpu_grn(Registry& registry) {
  registry.add<GrnForward>({.name = "cpu",
                            .accepts = cpu::accepts_forward,
                            .workspace_bytes = cpu::forward_workspace,
                            .run = [](const GrnForward& op, Workspace workspace, Stream&) {
                              visit_floating(op.x.dtype, [&](auto tag) {
                                cpu::forward<typename decltype(tag)::type>(op, workspace);
                              });
                            }});
  registry.add<GrnBackward>({.name = "cpu",
                             .accepts = cpu::accepts_backward,
                             .workspace_bytes = cpu::backward_workspace,
                             .run = [](const GrnBackward& op, Workspace workspace, Stream&) {
                               visit_floating(op.x.dtype, [&](auto tag) {
                                 cpu::backward<typename decltype(tag)::type>(op, workspace);
                               });
                             }});
}

}  // namespace burin
