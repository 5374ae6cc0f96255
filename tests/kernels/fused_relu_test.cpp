// ReLU fused behind a convolution or a product lets NaN pass, whoever computes it: a network whose
// weights are lost answers NaN, not with what is left of its biases.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "burin/kernels/check/case.h"
#include "burin/kernels/conv2d.h"
#include "burin/kernels/matmul.h"
#include "burin/kernels/run.h"
#include "kernels/on_device.h"

namespace burin {
namespace {

using checks::Operands;

constexpr Epilogue relu{.activation = Activation::relu};

/// NaN first, then what ReLU makes 0.
checks::Values nan_and_negative() {
  return [](int64_t i, uint32_t /*word*/) {
    return i == 0 ? std::numeric_limits<double>::quiet_NaN() : -1.0;
  };
}

/// Runs every implementation that accepts, and expects that the first `nans` elements of y are NaN
/// and the last `zeros` are 0.
template <class Op>
void expect_nan(Operands& operands, const Op& op, size_t nans, size_t zeros) {
  const DeviceKind kind = operands.device().kind;
  for (const Candidate& candidate : candidates(op, Context{operands.stream()})) {
    if (!candidate.refusal.empty()) continue;
    const ImplGuard guard(str(Op::name, '=', candidate.name));
    run(op, operands.stream());
    const std::vector<double> y = operands.read(op.y);
    for (size_t i = 0; i < nans; ++i) {
      EXPECT_TRUE(std::isnan(y[i]))
          << Op::name << ' ' << candidate.name << ' ' << op.y.dtype << " on " << name_of(kind)
          << ": element " << i << " is " << y[i];
    }
    for (size_t i = y.size() - zeros; i < y.size(); ++i) {
      EXPECT_EQ(y[i], 0) << Op::name << ' ' << candidate.name << ' ' << op.y.dtype << " on "
                         << name_of(kind) << ": element " << i;
    }
  }
}

class FusedRelu : public OnDevice {};

TEST_P(FusedRelu, BehindAConvolutionKeepsNan) {
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const int64_t filter : {1, 3}) {
      Operands operands(device());
      const View x = operands.input(dtype, {1, 16, 12, 12}, Layout::nhwc, nan_and_negative());
      const View w = operands.input(dtype, {16, 16, filter, filter}, Layout::nhwc,
                                    checks::constant_values(0.125));
      const View y = operands.output(dtype, {1, 16, 12, 12}, Layout::nhwc);
      const Conv2dParams params{.pad_h = filter / 2, .pad_w = filter / 2};
      expect_nan(operands, Conv2dForward{x, w, y, params, relu}, 1, 12);
    }
  }
}

TEST_P(FusedRelu, BehindAProductKeepsNan) {
  for (const DType dtype : {DType::f32, DType::bf16}) {
    Operands operands(device());
    const View a = operands.input(dtype, {8, 64}, Layout::nchw, nan_and_negative());
    const View b = operands.input(dtype, {64, 32}, Layout::nchw, checks::constant_values(0.125));
    const View y = operands.output(dtype, {8, 32});
    expect_nan(operands, Matmul{a, b, y, relu}, 32, 7 * 32);
  }
}

RUN_ON_DEVICES(FusedRelu);

}  // namespace
}  // namespace burin
