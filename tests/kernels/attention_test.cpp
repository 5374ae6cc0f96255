// What attention's cases let pass and what they catch: p and ds rounded to 16 bits before they
// multiply, as tensor cores need it, and sums kept in 16 bits. The values: every_case_test.cpp.
#include "burin/kernels/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "burin/kernels/base/half.h"
#include "burin/kernels/run.h"
#include "kernels/on_device.h"
#include "kernels/planted.h"

namespace burin {
namespace {

/// Where a planted kernel leaves f32.
enum class Rounds { operands, sums };

float rounded(DType dtype, float value) {
  if (dtype == DType::bf16) return static_cast<float>(bfloat16(value));
  if (dtype == DType::f16) return static_cast<float>(float16(value));
  return value;
}

/// Reads and writes [N, H, rows, D] by head and row.
struct Rows {
  View view;
  int64_t at(int64_t head, int64_t row, int64_t d) const {
    return checks::offset_of((head * view.dim(2) + row) * view.dim(3) + d, view.shape,
                             view.strides);
  }
  float get(int64_t head, int64_t row, int64_t d) const {
    return static_cast<float>(checks::read_element(view.data, view.dtype, at(head, row, d)));
  }
  void set(int64_t head, int64_t row, int64_t d, float value) const {
    checks::write_element(view.data, view.dtype, at(head, row, d), static_cast<double>(value));
  }
};

Rows rows_of(const ConstView& view) {
  return {BasicView<void*>{const_cast<void*>(view.data), view.dtype, view.shape, view.strides, {}}};
}

float dot(const Rows& a, int64_t row, const Rows& b, int64_t other, int64_t head) {
  float sum = 0;
  for (int64_t d = 0; d < a.view.dim(3); ++d) sum += a.get(head, row, d) * b.get(head, other, d);
  return sum;
}

template <Rounds rounds>
float operand(DType dtype, float value) {
  return rounds == Rounds::operands ? rounded(dtype, value) : value;
}
template <Rounds rounds>
void add(DType dtype, float& sum, float product) {
  sum += product;
  if (rounds == Rounds::sums) sum = rounded(dtype, sum);
}

template <Rounds rounds>
void forward_row(const AttentionForward& op, int64_t head, int64_t t) {
  const Rows q = rows_of(op.q), k = rows_of(op.k), v = rows_of(op.v), y{op.y};
  const int64_t U = op.k.dim(2);
  std::vector<float> p;
  float top = -INFINITY, sum = 0;
  for (int64_t u = 0; u < U; ++u) {
    p.push_back(op.scale * dot(q, t, k, u, head));
    top = std::max(top, p.back());
  }
  for (float& s : p) {
    s = std::exp(s - top);
    sum += s;
    s = operand<rounds>(op.q.dtype, s);
  }
  op.log_sum_exp.as<float>()[head * op.q.dim(2) + t] = top + std::log(sum);
  for (int64_t d = 0; d < op.q.dim(3); ++d) {
    float value = 0;
    for (int64_t u = 0; u < U; ++u) {
      add<rounds>(op.q.dtype, value, p[static_cast<size_t>(u)] * v.get(head, u, d));
    }
    y.set(head, t, d, value / sum);
  }
}

template <Rounds rounds>
void forward(const AttentionForward& op, Workspace /*workspace*/, Stream& /*stream*/) {
  for (int64_t head = 0; head < op.q.dim(0) * op.q.dim(1); ++head) {
    for (int64_t t = 0; t < op.q.dim(2); ++t) forward_row<rounds>(op, head, t);
  }
}

template <Rounds rounds>
void backward_head(const AttentionBackward& op, int64_t head) {
  const Rows q = rows_of(op.q), k = rows_of(op.k), v = rows_of(op.v), dy = rows_of(op.dy);
  const Rows y = rows_of(op.y), dq{op.dq}, dk{op.dk}, dv{op.dv};
  const int64_t T = op.q.dim(2), U = op.k.dim(2), D = op.q.dim(3);
  const DType dtype = op.q.dtype;
  std::vector<float> dq_sums(static_cast<size_t>(T * D)), dk_sums(static_cast<size_t>(U * D));
  std::vector<float> dv_sums = dk_sums;
  for (int64_t t = 0; t < T; ++t) {
    const float r = dot(dy, t, y, t, head);
    for (int64_t u = 0; u < U; ++u) {
      const float s = op.scale * dot(q, t, k, u, head);
      const float exact = std::exp(s - op.log_sum_exp.as<float>()[head * T + t]);
      const float ds = operand<rounds>(dtype, op.scale * exact * (dot(dy, t, v, u, head) - r));
      const float p = operand<rounds>(dtype, exact);
      for (int64_t d = 0; d < D; ++d) {
        const auto query = static_cast<size_t>(t * D + d), key = static_cast<size_t>(u * D + d);
        add<rounds>(dtype, dq_sums[query], ds * k.get(head, u, d));
        add<rounds>(dtype, dk_sums[key], ds * q.get(head, t, d));
        add<rounds>(dtype, dv_sums[key], p * dy.get(head, t, d));
      }
    }
  }
  for (int64_t i = 0; i < T * D; ++i) dq.set(head, i / D, i % D, dq_sums[static_cast<size_t>(i)]);
  for (int64_t i = 0; i < U * D; ++i) {
    dk.set(head, i / D, i % D, dk_sums[static_cast<size_t>(i)]);
    dv.set(head, i / D, i % D, dv_sums[static_cast<size_t>(i)]);
  }
}

template <Rounds rounds>
void backward(const AttentionBackward& op, Workspace /*workspace*/, Stream& /*stream*/) {
  for (int64_t head = 0; head < op.q.dim(0) * op.q.dim(1); ++head) backward_head<rounds>(op, head);
}

TEST(Attention, OperandsRoundedTo16BitsPass) {
  const Implementation<AttentionForward> y{.name = "planted", .run = forward<Rounds::operands>};
  EXPECT_EQ(cases_that_catch(y), 0);
  const Implementation<AttentionBackward> dq{.name = "planted", .run = backward<Rounds::operands>};
  EXPECT_EQ(cases_that_catch(dq), 0);
}

TEST(Attention, SumsKeptIn16BitsAreCaught) {
  const Implementation<AttentionForward> y{.name = "planted", .run = forward<Rounds::sums>};
  EXPECT_GE(cases_that_catch(y), 12);
  const Implementation<AttentionBackward> dq{.name = "planted", .run = backward<Rounds::sums>};
  EXPECT_GE(cases_that_catch(dq), 12);
}

class AttentionToInfiniteKeys : public OnDevice {};

// As torch has it. The keys come first, and are more than any kernel looks at together.
TEST_P(AttentionToInfiniteKeys, GivesNoWeightWhereTheScoreIsMinusInfinity) {
  constexpr int64_t infinite = 130, finite = 6, D = 16;
  for (const DType dtype : {DType::f32, DType::bf16}) {
    checks::Operands operands(device());
    const auto keys = [&](double first, double others) {
      return operands.input(
          dtype, {1, 1, infinite + finite, D}, Layout::nchw,
          [=](int64_t i, uint32_t /*word*/) { return i < infinite * D ? first : others; });
    };
    AttentionForward op;
    op.q = operands.input(dtype, {1, 1, 5, D}, Layout::nchw, checks::constant_values(1));
    op.k = keys(-std::numeric_limits<double>::infinity(), 0.125);
    op.v = keys(5, 3);
    op.y = operands.output(dtype, {1, 1, 5, D});
    op.log_sum_exp = operands.output(DType::f32, {1, 1, 5});
    for (const Candidate& candidate : candidates(op, Context{operands.stream()})) {
      if (!candidate.refusal.empty()) continue;
      const ImplGuard guard(str(op.name, '=', candidate.name));
      run(op, operands.stream());
      for (const double y : operands.read(op.y)) {
        EXPECT_NEAR(y, 3, 1e-5) << candidate.name << ' ' << dtype;
      }
      for (const double lse : operands.read(op.log_sum_exp)) {
        EXPECT_NEAR(lse, 2 + std::log(6), 1e-5) << candidate.name << ' ' << dtype;
      }
    }
  }
}

RUN_ON_DEVICES(AttentionToInfiniteKeys);

}  // namespace
}  // namespace burin
