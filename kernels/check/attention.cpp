#include "burin/kernels/attention.h"

#include <cmath>
#include <limits>

#include "burin/kernels/check/sum_of_products.h"

namespace burin::checks {
namespace {

// ---- cases

struct AttentionCase {
  const char* why;
  int64_t N, H, T, U, D;
  bool packed = false;  // q, k and v lie in one [N, T, 3, H, D], y in [N, T, H, D]
  double spread = 1;    // of q: large ones make p nearly one-hot
  bool large = false;
  double lowered = 0;  // by how much every score is
};

const AttentionCase cases[] = {
    {"one token: p = 1", 1, 1, 1, 1, 4},
    {"odd extents", 2, 3, 5, 5, 7},
    {"more keys than queries", 1, 2, 3, 37, 16},
    {"more queries than keys", 2, 1, 41, 6, 8},
    {"several blocks of queries, a tail after each", 1, 2, 131, 67, 33},
    {"ViT's packed qkv", 2, 3, 21, 21, 16, true},
    {"nearly one-hot", 1, 2, 19, 23, 8, false, 40},
    {"ViT-B/16's head, 197 tokens", 1, 2, 197, 197, 64, true},
    {"rows of 32, several tiles of keys and a tail", 1, 2, 37, 150, 32},
    {"rows of 72, between the lengths kernels are compiled for", 1, 1, 50, 67, 72},
    {"rows of 128, more queries than a block has", 1, 2, 130, 70, 128},
    // Padding scored 0 would weigh exp(0 − log_sum_exp), which is infinite here.
    {"very negative scores, whole tiles", 1, 1, 128, 128, 16, false, 1, false, 120},
    {"very negative scores, half a tile of keys", 1, 1, 64, 64, 16, false, 1, false, 120},
    {"very negative scores, few queries", 1, 2, 5, 128, 8, false, 1, false, 120},
    {"very negative scores, a tail of both", 1, 2, 70, 70, 16, false, 1, false, 120},
    {"very negative scores far apart, several tiles", 1, 1, 20, 140, 64, false, 10, false, 120},
    {"ViT-B/16, 8 images", 8, 12, 197, 197, 64, true, 1, true},
};

Strides strides_of(const AttentionCase& c, int64_t tokens, int parts) {
  if (!c.packed) return {c.H * tokens * c.D, tokens * c.D, c.D, 1};
  const int64_t token = parts * c.H * c.D;
  return {tokens * token, c.D, token, 1};
}

/// Of every q, and its negative of every k: their product lowers the score.
double first_element(const AttentionCase& c) {
  return std::sqrt(c.lowered * std::sqrt(static_cast<double>(c.D)));
}

View operand(Operands& o, const AttentionCase& c, DType dtype, int64_t tokens, double spread = 1,
             double first = 0) {
  const Values normal = normal_values();
  return o.input(dtype, {c.N, c.H, tokens, c.D}, strides_of(c, tokens, 3),
                 [=, D = c.D](int64_t i, uint32_t word) {
                   return i % D == 0 && first != 0 ? first : spread * normal(i, word);
                 });
}
View query(Operands& o, const AttentionCase& c, DType dtype) {
  return operand(o, c, dtype, c.T, c.spread, first_element(c));
}
View key(Operands& o, const AttentionCase& c, DType dtype) {
  return operand(o, c, dtype, c.U, 1, -first_element(c));
}

// ---- the definition

/// The operands of one head as numbers, and one row of p with the size of its relative errors.
struct Definition {
  AttentionCase c;
  double scale;
  LazyValues q, k, v;

  /// Σ_d a[row, d] · b[other, d], both of head `head`.
  Sum dot(const LazyValues& a, int64_t row, const LazyValues& b, int64_t other) const {
    Sum sum;
    for (int64_t d = 0; d < c.D; ++d) sum.add(a[row * c.D + d] * b[other * c.D + d]);
    return sum;
  }
  /// The score of query row (head · T + t) and key u.
  Expected score(int64_t row, int64_t u) const {
    const Expected sum = dot(q, row, k, row / c.T * c.U + u).expected();
    return {scale * sum.value, scale * (sum.scale + std::abs(sum.value))};
  }
};

struct Row {
  std::vector<double> p;
  double log_sum_exp = 0;
  double error = 0;  // of a score, and so the relative one of p, in units of u(f32)
};

Row row_of(const Definition& define, int64_t row) {
  Row result;
  double top = -std::numeric_limits<double>::infinity(), sum = 0;
  for (int64_t u = 0; u < define.c.U; ++u) {
    const Expected s = define.score(row, u);
    result.p.push_back(s.value);
    result.error = std::max(result.error, s.scale);
    top = std::max(top, s.value);
  }
  for (const double s : result.p) sum += std::exp(s - top);
  result.log_sum_exp = top + std::log(sum);
  for (double& p : result.p) p = std::exp(p - result.log_sum_exp);
  // Scores are subtracted from each other, exponentiated and divided: each costs some roundings.
  result.error += 2 * std::abs(result.log_sum_exp) + 2;
  return result;
}

/// What rounding p or ds to 16 bits before the products adds to the error of their sum, in the
/// units of Expected::scale. The roundings are independent, so 3 · √(Σ products²) is beyond five of
/// their standard deviations; but equal factors round alike, which moves the sum as a whole. f16
/// has no small numbers: `others` is Σ |other factor|.
double rounded_operand(DType dtype, double sum, double squares, double others) {
  if (dtype == DType::f32) return 0;
  const double smallest = dtype == DType::f16 ? 0x1p-25 : 0;
  const double error =
      unit_roundoff(dtype) * (std::abs(sum) + 3 * std::sqrt(squares)) + smallest * others;
  return error / unit_roundoff(DType::f32) / default_factor;
}

// ---- forward

double flops_of(const AttentionCase& c) {
  return 4 * static_cast<double>(c.N * c.H * c.T * c.U * c.D);
}
double bytes_of(const AttentionCase& c, DType dtype) {
  return static_cast<double>(c.N * c.H * (c.T + c.U) * c.D) * static_cast<double>(size_of(dtype));
}

Problem<AttentionForward> forward(Operands& o, const AttentionCase& c, DType dtype) {
  AttentionForward op;
  op.q = query(o, c, dtype);
  op.k = key(o, c, dtype);
  op.v = operand(o, c, dtype, c.U);
  op.y = o.output(dtype, {c.N, c.H, c.T, c.D}, strides_of(c, c.T, 1));
  op.log_sum_exp = o.output(DType::f32, {c.N, c.H, c.T});
  op.scale = 1 / std::sqrt(static_cast<float>(c.D));

  const Definition define{c, static_cast<double>(op.scale), {o, op.q}, {o, op.k}, {o, op.v}};
  // Elements are asked for in order: those of a row share its probabilities.
  const auto held = std::make_shared<std::pair<int64_t, Row>>(-1, Row{});
  const auto y = [define, held, dtype](int64_t i) {
    const AttentionCase& k = define.c;
    const int64_t row = i / k.D, d = i % k.D, first_key = row / k.T * k.U;
    if (held->first != row) *held = {row, row_of(define, row)};
    const Row& softmax = held->second;
    Sum sum;
    double size = 0, values = 0;
    for (int64_t u = 0; u < k.U; ++u) {
      const double value = define.v[(first_key + u) * k.D + d];
      const double product = softmax.p[static_cast<size_t>(u)] * value;
      sum.add(product);
      size += std::abs(product);
      values += std::abs(value);
    }
    const Expected expected = sum.expected();
    return Expected{expected.value, expected.scale + size * softmax.error +
                                        rounded_operand(dtype, sum.value, sum.squares, values)};
  };
  const auto log_sum_exp = [define](int64_t row) {
    const Row softmax = row_of(define, row);
    return Expected{softmax.log_sum_exp, softmax.error};
  };
  return {op,
          {{"y", op.y, y}, {"log_sum_exp", op.log_sum_exp, log_sum_exp}},
          flops_of(c),
          2 * bytes_of(c, dtype)};
}

// ---- backward

/// One row of ds and of p, with the size of their errors.
struct BackwardRow {
  std::vector<double> p, ds;
  std::vector<double> p_error, ds_error;
};

struct BackwardDefinition : Definition {
  LazyValues dy, y, log_sum_exp;

  BackwardRow row(int64_t at) const {
    const Expected r = dot(dy, at, y, at).expected();
    BackwardRow result;
    for (int64_t u = 0; u < c.U; ++u) {
      const Expected s = score(at, u);
      const Expected dp = dot(dy, at, v, at / c.T * c.U + u).expected();
      const double p = std::exp(s.value - log_sum_exp[at]);
      const double p_error = p * (s.scale + std::abs(log_sum_exp[at]) + 2);
      const double difference = dp.value - r.value;
      result.p.push_back(p);
      result.p_error.push_back(p_error);
      result.ds.push_back(scale * p * difference);
      result.ds_error.push_back(
          scale * (p_error * std::abs(difference) +
                   p * (dp.scale + r.scale + std::abs(dp.value) + std::abs(r.value))));
    }
    return result;
  }
};

/// What the definition says of dq, dk and dv: computed together, when the first element is asked
/// for.
class BackwardValues {
 public:
  BackwardValues(BackwardDefinition define, DType dtype)
      : define_(std::move(define)), dtype_(dtype) {}

  Expected at(int which, int64_t i) {
    if (values_[0].empty()) compute();
    const auto at = static_cast<size_t>(i);
    const Expected& expected = values_[which][at];
    return {expected.value,
            expected.scale +
                rounded_operand(dtype_, expected.value, squares_[which][at], others_[which][at])};
  }

 private:
  /// values_[to] += factor · from over D elements; `error` is that of the factor.
  void add(int to, int64_t to_row, double factor, double error, const LazyValues& from,
           int64_t from_row) {
    const int64_t D = define_.c.D;
    for (int64_t d = 0; d < D; ++d) {
      const double value = from[from_row * D + d];
      const auto at = static_cast<size_t>(to_row * D + d);
      squares_[to][at] += factor * value * factor * value;
      others_[to][at] += std::abs(value);
      Expected& sum = values_[to][at];
      sum.value += factor * value;
      // Every product may have been added to a sum that was as large as all of them.
      sum.scale += std::abs(value) * (error + std::abs(factor));
    }
  }
  void compute() {
    const AttentionCase& c = define_.c;
    values_[0].resize(static_cast<size_t>(c.N * c.H * c.T * c.D));
    values_[1].resize(static_cast<size_t>(c.N * c.H * c.U * c.D));
    values_[2] = values_[1];
    for (int which = 0; which < 3; ++which) {
      squares_[which].resize(values_[which].size());
      others_[which].resize(values_[which].size());
    }
    for (int64_t t = 0; t < c.N * c.H * c.T; ++t) {
      const BackwardRow row = define_.row(t);
      for (int64_t j = 0; j < c.U; ++j) {
        const int64_t u = t / c.T * c.U + j;
        const auto k = static_cast<size_t>(j);
        add(0, t, row.ds[k], row.ds_error[k], define_.k, u);
        add(1, u, row.ds[k], row.ds_error[k], define_.q, t);
        add(2, u, row.p[k], row.p_error[k], define_.dy, t);
      }
    }
  }

  BackwardDefinition define_;
  DType dtype_;
  std::vector<Expected> values_[3];
  std::vector<double> squares_[3];  // Σ (factor · from)²
  std::vector<double> others_[3];   // Σ |from|
};

Problem<AttentionBackward> backward(Operands& o, const AttentionCase& c, DType dtype) {
  AttentionBackward op;
  op.q = query(o, c, dtype);
  op.k = key(o, c, dtype);
  op.v = operand(o, c, dtype, c.U);
  op.dy = o.input(dtype, {c.N, c.H, c.T, c.D}, strides_of(c, c.T, 1), normal_values());
  op.dq = o.output(dtype, {c.N, c.H, c.T, c.D}, strides_of(c, c.T, 3));
  op.dk = o.output(dtype, {c.N, c.H, c.U, c.D}, strides_of(c, c.U, 3));
  op.dv = o.output(dtype, {c.N, c.H, c.U, c.D}, strides_of(c, c.U, 3));
  op.scale = 1 / std::sqrt(static_cast<float>(c.D));

  // A large case is timed, or compared with the fastest answer: any y and log_sum_exp do.
  const Definition define{c, static_cast<double>(op.scale), {o, op.q}, {o, op.k}, {o, op.v}};
  const LazyValues v(o, op.v);
  std::vector<Row> rows;
  for (int64_t t = 0; !c.large && t < c.N * c.H * c.T; ++t) rows.push_back(row_of(define, t));
  const auto held = std::make_shared<const std::vector<Row>>(std::move(rows));
  const double constant = std::log(static_cast<double>(c.U)) + 1;
  op.log_sum_exp = o.input(DType::f32, {c.N, c.H, c.T}, Layout::nchw, [=](int64_t t, uint32_t) {
    return held->empty() ? constant : (*held)[static_cast<size_t>(t)].log_sum_exp;
  });
  op.y = o.input(dtype, {c.N, c.H, c.T, c.D}, strides_of(c, c.T, 1), [=](int64_t i, uint32_t) {
    if (held->empty()) return 0.25;
    double sum = 0;
    for (int64_t u = 0; u < c.U; ++u) {
      sum += (*held)[static_cast<size_t>(i / c.D)].p[static_cast<size_t>(u)] *
             v[(i / c.D / c.T * c.U + u) * c.D + i % c.D];
    }
    return sum;
  });

  const auto values = std::make_shared<BackwardValues>(
      BackwardDefinition{define, {o, op.dy}, {o, op.y}, {o, op.log_sum_exp}}, dtype);
  const auto part = [values](int which) { return [=](int64_t i) { return values->at(which, i); }; };
  return {op,
          {{"dq", op.dq, part(0)}, {"dk", op.dk, part(1)}, {"dv", op.dv, part(2)}},
          2.5 * flops_of(c),
          4 * bytes_of(c, dtype)};
}

}  // namespace

void add_cases_attention(Cases& list) {
  for (const AttentionCase& c : cases) {
    for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
      const std::string problem = str("N ", c.N, " H ", c.H, " T ", c.T, " U ", c.U, " D ", c.D,
                                      c.packed ? " packed" : "", c.lowered > 0 ? " lowered" : "");
      const CaseInfo info{c.why, problem, dtype, Layout::nchw, c.large};
      list.add<AttentionForward>(info, [=](Operands& o) { return forward(o, c, dtype); });
      list.add<AttentionBackward>(info, [=](Operands& o) { return backward(o, c, dtype); });
    }
  }
}

}  // namespace burin::checks
