#include "burin/kernels/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "burin/kernels/check/case.h"

namespace burin::checks {
namespace {

constexpr int64_t ignore = -100;

struct CrossEntropyCase {
  const char* why;
  int64_t N, C;
  bool weighted = false;
  double smoothing = 0;
  double spread = 3;
  enum class Targets {
    classes,
    some_ignored,
    all_ignored,
    one_out_of_range
  } targets = Targets::classes;
  bool large = false;
};
using Targets = CrossEntropyCase::Targets;

const CrossEntropyCase cases[] = {
    {.why = "two classes", .N = 5, .C = 2},
    {.why = "ImageNet's classes", .N = 3, .C = 1000},
    {.why = "class weights", .N = 6, .C = 5, .weighted = true},
    {.why = "label smoothing", .N = 6, .C = 5, .smoothing = 0.1},
    {.why = "both", .N = 7, .C = 11, .weighted = true, .smoothing = 0.2},
    {.why = "some rows are ignored",
     .N = 9,
     .C = 4,
     .weighted = true,
     .targets = Targets::some_ignored},
    {.why = "every row is ignored: NaN, as torch has it",
     .N = 3,
     .C = 4,
     .targets = Targets::all_ignored},
    {.why = "a target that is no class: NaN", .N = 3, .C = 4, .targets = Targets::one_out_of_range},
    {.why = "large logits neither overflow nor vanish",
     .N = 4,
     .C = 6,
     .smoothing = 0.1,
     .spread = 1e4},
    {.why = "one class: the loss is 0", .N = 2, .C = 1},
    {.why = "ImageNet's classes, a batch of 256", .N = 256, .C = 1000, .large = true},
};

/// The definition over whole arrays in double.
struct Definition {
  CrossEntropyCase c;
  std::vector<double> x, weight;
  std::vector<int64_t> target;
  std::vector<double> lse, sample, scale;  // scale: the size of a row's largest terms
  double total = 0, loss = 0, loss_scale = 0;

  double weight_of(int64_t k) const { return weight.empty() ? 1 : weight[static_cast<size_t>(k)]; }
  bool ignored(int64_t n) const { return target[static_cast<size_t>(n)] == ignore; }
  bool is_class(int64_t n) const {
    return target[static_cast<size_t>(n)] >= 0 && target[static_cast<size_t>(n)] < c.C;
  }
  double at(int64_t n, int64_t k) const { return x[static_cast<size_t>(n * c.C + k)]; }

  void compute() {
    for (int64_t n = 0; n < c.N; ++n) {
      double top = at(n, 0);
      for (int64_t k = 1; k < c.C; ++k) top = std::max(top, at(n, k));
      double sum = 0;
      for (int64_t k = 0; k < c.C; ++k) sum += std::exp(at(n, k) - top);
      lse.push_back(top + std::log(sum));
      sample.push_back(row(n));
      scale.push_back((std::abs(top) + c.spread + 1) * 3);
      if (ignored(n)) continue;
      total += is_class(n) ? weight_of(target[static_cast<size_t>(n)]) : 1;
      loss += sample.back();
      loss_scale = std::max(loss_scale, scale.back());
    }
    loss /= total;
  }
  double row(int64_t n) const {
    if (ignored(n)) return 0;
    if (!is_class(n)) return std::numeric_limits<double>::quiet_NaN();
    const int64_t t = target[static_cast<size_t>(n)];
    const double log_sum = lse[static_cast<size_t>(n)];
    double spread = 0;
    for (int64_t k = 0; k < c.C; ++k) spread += weight_of(k) * (log_sum - at(n, k));
    return (1 - c.smoothing) * weight_of(t) * (log_sum - at(n, t)) +
           c.smoothing / static_cast<double>(c.C) * spread;
  }
  /// d (dloss · loss) / d x[n, k]
  double gradient(int64_t n, int64_t k, double dloss) const {
    if (ignored(n)) return 0;
    if (!is_class(n)) return std::numeric_limits<double>::quiet_NaN();
    const int64_t t = target[static_cast<size_t>(n)];
    const double p = std::exp(at(n, k) - lse[static_cast<size_t>(n)]);
    double weights = 0;
    for (int64_t j = 0; j < c.C; ++j) weights += weight_of(j);
    const double g = (1 - c.smoothing) * weight_of(t) * (p - (k == t ? 1 : 0)) +
                     c.smoothing / static_cast<double>(c.C) * (weights * p - weight_of(k));
    return dloss / total * g;
  }
};

struct Inputs {
  View logits, target, weight;
  std::shared_ptr<Definition> definition;
};

double target_of(const CrossEntropyCase& c, int64_t n, uint32_t word) {
  if (c.targets == Targets::all_ignored) return ignore;
  if (c.targets == Targets::some_ignored && n % 3 == 1) return ignore;
  if (c.targets == Targets::one_out_of_range && n == 1) return static_cast<double>(c.C);
  return static_cast<double>(word % c.C);
}

Inputs make_inputs(Operands& o, const CrossEntropyCase& c, DType dtype) {
  Inputs in;
  in.logits = o.input(dtype, {c.N, c.C}, Layout::nchw, uniform_values(-c.spread, c.spread));
  in.target = o.input(DType::i64, {c.N}, Layout::nchw,
                      [&](int64_t n, uint32_t word) { return target_of(c, n, word); });
  in.definition = std::make_shared<Definition>();
  in.definition->c = c;
  in.definition->x = o.read(in.logits);
  for (const double t : o.read(in.target)) in.definition->target.push_back(static_cast<int64_t>(t));
  if (c.weighted) {
    in.weight = o.input(DType::f32, {c.C}, Layout::nchw, uniform_values(0.25, 3));
    in.definition->weight = o.read(in.weight);
  }
  in.definition->compute();
  return in;
}

Problem<CrossEntropyForward> forward(Operands& o, const CrossEntropyCase& c, DType dtype) {
  const Inputs in = make_inputs(o, c, dtype);
  const View loss = o.output(DType::f32, {});
  const View sample = o.output(DType::f32, {c.N});
  const View lse = o.output(DType::f32, {c.N});
  const View total = o.output(DType::f32, {});
  const auto d = in.definition;
  const auto of = [d](const std::vector<double>& values, int64_t n) {
    return Expected{values[static_cast<size_t>(n)], d->scale[static_cast<size_t>(n)]};
  };
  const auto count = static_cast<double>(c.N * c.C);
  return {{in.logits, in.target, in.weight, loss, sample, lse, total,
           static_cast<float>(c.smoothing), ignore},
          {{"loss", loss,
            [d](int64_t) {
              return Expected{d->loss, d->loss_scale};
            }},
           {"sample_loss", sample, [=](int64_t n) { return of(d->sample, n); }},
           {"log_sum_exp", lse, [=](int64_t n) { return of(d->lse, n); }},
           {"total_weight", total,
            [d](int64_t) {
              return Expected{d->total, d->total};
            }}},
          4 * count,
          count * static_cast<double>(size_of(dtype))};
}

Problem<CrossEntropyBackward> backward(Operands& o, const CrossEntropyCase& c, DType dtype) {
  const Inputs in = make_inputs(o, c, dtype);
  const auto d = in.definition;
  const auto value = [](double v) { return constant_values(v); };
  const double upstream = 0.75;
  const View dloss = o.input(DType::f32, {}, Layout::nchw, value(upstream));
  const View lse = o.input(DType::f32, {c.N}, Layout::nchw,
                           [&](int64_t n, uint32_t) { return d->lse[static_cast<size_t>(n)]; });
  const View total = o.input(DType::f32, {}, Layout::nchw, value(d->total));
  const View dlogits = o.output(dtype, {c.N, c.C});
  const auto expected = [=](int64_t i) {
    const int64_t n = i / c.C;
    const double size = 3 * d->scale[static_cast<size_t>(n)] * upstream / std::max(d->total, 1e-3);
    return Expected{d->gradient(n, i % c.C, upstream), size};
  };
  const auto count = static_cast<double>(c.N * c.C);
  return {{dloss, in.logits, in.target, in.weight, lse, total, dlogits,
           static_cast<float>(c.smoothing), ignore},
          {{"dlogits", dlogits, expected}},
          5 * count,
          2 * count * static_cast<double>(size_of(dtype))};
}

}  // namespace

void add_cases_cross_entropy(Cases& list) {
  for (const CrossEntropyCase& c : cases) {
    for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
      const CaseInfo info{c.why, str("logits [", c.N, ", ", c.C, "]"), dtype, Layout::nchw,
                          c.large};
      list.add<CrossEntropyForward>(info, [=](Operands& o) { return forward(o, c, dtype); });
      list.add<CrossEntropyBackward>(info, [=](Operands& o) { return backward(o, c, dtype); });
    }
  }
}

}  // namespace burin::checks
