// What pool2d.h promises beyond the cases of kernels/check/pool2d.cpp.
#include "burin/kernels/pool2d.h"

#include <gtest/gtest.h>

#include <vector>

#include "burin/kernels/check/operands.h"
#include "burin/kernels/run.h"
#include "support/expect_error.h"

namespace burin {
namespace {

TEST(Pool2dParams, OutputExtentsAreTorchs) {
  const Pool2dParams stem{3, 3, 2, 2, 1, 1};
  EXPECT_EQ(stem.output_h(112), 56);
  EXPECT_EQ(stem.output_w(11), 6);
  const Pool2dParams squeeze{3, 3, 2, 2, 0, 0, true};
  EXPECT_EQ(squeeze.output_h(8), 4);  // floor mode gives 3
  EXPECT_EQ(squeeze.output_h(9), 4);
  // The last window would start in the padding behind the image: torch drops it.
  const Pool2dParams dropped{2, 2, 2, 2, 1, 1, true};
  EXPECT_EQ(dropped.output_h(5), 3);
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// ⟨dy, forward(x)⟩ = ⟨backward(dy), x⟩ for an average, which is linear.
template <class Forward, class Backward>
void expect_adjoint(checks::Operands& operands, Forward forward, Backward backward, Shape y) {
  forward.y = operands.output(DType::f32, y, Layout::nhwc);
  backward.dy = operands.input(DType::f32, y, Layout::nhwc);
  backward.dx = operands.output(DType::f32, forward.x.shape, Layout::nhwc);
  run(forward, operands.stream());
  run(backward, operands.stream());
  const double left = dot(operands.read(backward.dy), operands.read(forward.y));
  const double right = dot(operands.read(backward.dx), operands.read(forward.x));
  EXPECT_NEAR(left, right, 1e-5);
}

TEST(AvgPool2d, BackwardIsTheAdjointOfForward) {
  for (const bool count_include_pad : {true, false}) {
    checks::Operands operands(Device::cpu());
    const Pool2dParams params{3, 2, 2, 1, 1, 1, true, count_include_pad};
    const Shape x = {2, 3, 8, 7};
    AvgPool2dForward forward;
    forward.x = operands.input(DType::f32, x, Layout::nhwc);
    forward.params = params;
    AvgPool2dBackward backward;
    backward.params = params;
    expect_adjoint(operands, forward, backward, {2, 3, params.output_h(8), params.output_w(7)});
  }
}

TEST(AdaptiveAvgPool2d, BackwardIsTheAdjointOfForward) {
  checks::Operands operands(Device::cpu());
  AdaptiveAvgPool2dForward forward;
  forward.x = operands.input(DType::f32, {2, 3, 8, 7}, Layout::nhwc);
  expect_adjoint(operands, forward, AdaptiveAvgPool2dBackward{}, {2, 3, 3, 5});
}

// The maximum is linear in x as long as the choice does not change.
TEST(MaxPool2d, BackwardIsTheAdjointOfTheChoiceForwardMade) {
  checks::Operands operands(Device::cpu());
  const Pool2dParams params{3, 3, 2, 2, 1, 1};
  const Shape x = {2, 5, 9, 8}, y = {2, 5, 5, 4};
  MaxPool2dForward forward;
  forward.x = operands.input(DType::f32, x, Layout::nhwc);
  forward.y = operands.output(DType::f32, y, Layout::nhwc);
  const View index = operands.output(DType::i32, y, Layout::nhwc);
  forward.index = index;
  forward.params = params;
  run(forward, operands.stream());
  MaxPool2dBackward backward;
  backward.dy = operands.input(DType::f32, y, Layout::nhwc);
  backward.index = index;
  backward.dx = operands.output(DType::f32, x, Layout::nhwc);
  backward.params = params;
  run(backward, operands.stream());
  EXPECT_NEAR(dot(operands.read(backward.dy), operands.read(forward.y)),
              dot(operands.read(backward.dx), operands.read(forward.x)), 1e-5);
}

TEST(MaxPool2d, RefusesImagesOfTwoLayouts) {
  checks::Operands operands(Device::cpu());
  MaxPool2dForward op;
  op.x = operands.input(DType::f32, {2, 3, 8, 8}, Layout::nhwc);
  op.y = operands.output(DType::f32, {2, 3, 4, 4}, Layout::nchw);
  expect_error([&] { run(op, operands.stream()); }, "input and output are not dense in one layout");
}

TEST(MaxPool2d, RefusesTwoDtypes) {
  checks::Operands operands(Device::cpu());
  MaxPool2dForward op;
  op.x = operands.input(DType::f32, {2, 3, 8, 8}, Layout::nhwc);
  op.y = operands.output(DType::bf16, {2, 3, 4, 4}, Layout::nhwc);
  expect_error([&] { run(op, operands.stream()); }, "dtypes f32 and bf16");
}

}  // namespace
}  // namespace burin
