// What matmul's implementations keep and refuse, and that its cases catch wrong kernels. The values
// themselves: every_case_test.cpp.
#include "burin/kernels/matmul.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>

#include "burin/kernels/check/case.h"
#include "burin/kernels/run.h"
#include "kernels/planted.h"

namespace burin {
namespace {

using checks::Operands;

TEST(Matmul, KeptWeightsFollowTheirVersion) {
  for (const auto& entry : registry().entries(Matmul::name, DeviceKind::cpu)) {
    Operands operands(Device::cpu());
    const View a = operands.input(DType::f32, {5, 33});
    View b = operands.input(DType::f32, {33, 17}, {1, 33}, checks::normal_values());
    const View y = operands.output(DType::f32, {5, 17});
    const ImplGuard guard("matmul=" + entry.name);
    for (uint64_t version = 1; version <= 3; ++version) {
      b.as<float>()[version] += 100;
      for (int use = 0; use < 3; ++use) {
        b.key = {7, version};
        run(Matmul{a, b, y, {}}, operands.stream());
        const auto kept = operands.read(y);
        b.key = {};
        run(Matmul{a, b, y, {}}, operands.stream());
        const auto fresh = operands.read(y);
        for (size_t i = 0; i < kept.size(); ++i) {
          EXPECT_NEAR(kept[i], fresh[i], 1e-4) << entry.name << " version " << version;
        }
      }
    }
  }
}

// A linear layer as wide as it is deep meets its weight as wᵀ in forward and as w in backward.
TEST(Matmul, KeptWeightsAreToldFromTheirTranspose) {
  for (const auto& entry : registry().entries(Matmul::name, DeviceKind::cpu)) {
    Operands operands(Device::cpu());
    const View a = operands.input(DType::f32, {51, 48});
    View b = operands.input(DType::f32, {48, 48}, {1, 48}, checks::normal_values());
    const View y = operands.output(DType::f32, {51, 48});
    const ImplGuard guard("matmul=" + entry.name);
    for (int use = 0; use < 4; ++use) {
      std::swap(b.strides[0], b.strides[1]);
      b.key = {7, 1};
      run(Matmul{a, b, y, {}}, operands.stream());
      const auto kept = operands.read(y);
      b.key = {};
      run(Matmul{a, b, y, {}}, operands.stream());
      const auto fresh = operands.read(y);
      for (size_t i = 0; i < kept.size(); ++i) EXPECT_NEAR(kept[i], fresh[i], 1e-4) << entry.name;
    }
  }
}

TEST(Matmul, RefusesOtherDtypes) {
  Operands operands(Device::cpu());
  const View a = operands.input(DType::i32, {2, 3}), b = operands.input(DType::i32, {3, 2});
  const View y = operands.output(DType::i32, {2, 2});
  try {
    run(Matmul{a, b, y, {}}, operands.stream());
    FAIL() << "integers are not multiplied";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("cpu/naive: dtype i32"), std::string::npos) << message;
  }
}

void run_right(const Matmul& op, Stream& stream) {
  const ImplGuard guard("matmul=cpu/naive");
  run(op, stream);
}

/// Drops the products behind the last whole vector of four.
void forget_the_tail(const Matmul& op, Workspace /*workspace*/, Stream& stream) {
  Matmul cut = op;
  const int last = op.a.rank() - 1;
  const int64_t whole = op.a.dim(last) / 4 * 4;
  if (whole == 0) return run_right(op, stream);
  cut.a.shape[last] = whole;
  cut.b.shape[last - 1] = whole;
  run_right(cut, stream);
}

/// The definition with its operands and each sum rounded by functions of a float.
template <class RoundOperand, class RoundSum>
void multiply(const Matmul& op, const RoundOperand& operand, const RoundSum& rounded) {
  const int r = op.a.rank() - 2;
  const int64_t K = op.a.dim(r + 1), M = op.a.dim(r), N = op.b.dim(r + 1);
  for (int64_t i = 0; i < op.y.numel(); ++i) {
    const int64_t n = i % N, m = i / N % M, batch = i / (M * N);
    float sum = 0;
    for (int64_t k = 0; k < K; ++k) {
      const auto a = static_cast<float>(checks::read_element(
          op.a.data, op.a.dtype,
          checks::offset_of((batch * M + m) * K + k, op.a.shape, op.a.strides)));
      const auto b = static_cast<float>(checks::read_element(
          op.b.data, op.b.dtype,
          checks::offset_of((batch * K + k) * N + n, op.b.shape, op.b.strides)));
      sum = rounded(sum + operand(a) * operand(b));
    }
    checks::write_element(op.y.data, op.y.dtype, checks::offset_of(i, op.y.shape, op.y.strides),
                          static_cast<double>(sum));
  }
}

void accumulate_in_bf16(const Matmul& op, Workspace /*workspace*/, Stream& /*stream*/) {
  multiply(
      op, [](float value) { return value; },
      [](float sum) { return static_cast<float>(bfloat16(sum)); });
}

/// What a GPU's tensor cores make of f32 operands that they are given: 10 bits behind the point.
/// Operands in bf16 and f16, which have no more, stay as they are.
void round_operands_to_tf32(const Matmul& op, Workspace /*workspace*/, Stream& /*stream*/) {
  const auto tf32 = [](float value) {
    const auto bits = std::bit_cast<uint32_t>(value);
    return std::bit_cast<float>((bits + 0x1000u) & ~0x1FFFu);
  };
  multiply(op, tf32, [](float sum) { return sum; });
}

/// Takes a's rows for its columns.
void swap_strides(const Matmul& op, Workspace /*workspace*/, Stream& stream) {
  Matmul wrong = op;
  const int r = op.a.rank() - 2;
  if (op.a.dim(r) == op.a.dim(r + 1)) std::swap(wrong.a.strides[r], wrong.a.strides[r + 1]);
  run_right(wrong, stream);
}

TEST(Matmul, CasesCatchWrongKernels) {
  const auto right = [](const Matmul& op, Workspace /*workspace*/, Stream& stream) {
    run_right(op, stream);
  };
  EXPECT_EQ(cases_that_catch<Matmul>({.name = "right", .run = right}), 0);
  EXPECT_GT(cases_that_catch<Matmul>({.name = "planted", .run = accumulate_in_bf16}), 5);
  EXPECT_GT(cases_that_catch<Matmul>({.name = "planted", .run = round_operands_to_tf32}), 5);
  EXPECT_GT(cases_that_catch<Matmul>({.name = "planted", .run = forget_the_tail}), 5);
  EXPECT_GT(cases_that_catch<Matmul>({.name = "planted", .run = swap_strides}), 0);
}

}  // namespace
}  // namespace burin
