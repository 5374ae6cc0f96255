#include "burin/kernels/check/batch_norm.h"

#include "burin/kernels/batch_norm.h"
#include "burin/kernels/check/case.h"

namespace burin::checks {
namespace {

struct BatchNormCase {
  const char* why;
  Shape shape;
  bool relu = false;
  bool residual = false;
  bool in_place = false;  // y is x; dx is dy
  bool given = false;     // backward of given statistics, without running ones in forward
  bool counted = false;   // with num_batches_tracked
  bool train_only = false;
  double mean = 0.25;  // of x, in standard deviations
  bool large = false;
};

const BatchNormCase cases[] = {
    {.why = "an image with odd extents", .shape = {2, 5, 7, 3}},
    {.why = "ReLU: the mask's last byte has spare bits", .shape = {2, 5, 7, 3}, .relu = true},
    {.why = "residual and ReLU, as a ResNet block ends",
     .shape = {2, 5, 7, 3},
     .relu = true,
     .residual = true},
    {.why = "residual without ReLU", .shape = {3, 6, 5, 5}, .residual = true},
    {.why = "one channel: both layouts are the same memory",
     .shape = {3, 1, 5, 7},
     .relu = true,
     .residual = true},
    {.why = "one image", .shape = {1, 9, 6, 5}, .relu = true},
    {.why = "one position: nhwc and nchw agree", .shape = {7, 19, 1, 1}, .relu = true},
    {.why = "one value per channel: variance 0, y = bias", .shape = {1, 6, 1, 1}, .given = true},
    {.why = "rank 2, the head of a classifier", .shape = {11, 37}},
    {.why = "rank 2 with ReLU", .shape = {5, 3}, .relu = true},
    {.why = "channels a multiple of every vector",
     .shape = {2, 64, 6, 6},
     .relu = true,
     .residual = true},
    {.why = "a tail after every vector width",
     .shape = {2, 67, 3, 3},
     .relu = true,
     .residual = true},
    {.why = "given statistics: dx has no terms of the sums",
     .shape = {2, 5, 7, 3},
     .relu = true,
     .given = true},
    {.why = "counts the batches", .shape = {2, 8, 5, 3}, .counted = true},
    {.why = "in place", .shape = {2, 12, 5, 3}, .relu = true, .in_place = true},
    {.why = "in place with a residual",
     .shape = {2, 12, 5, 3},
     .relu = true,
     .residual = true,
     .in_place = true},
    {.why = "|mean| ≫ std: E[x²] − E[x]² has no digit left", .shape = {2, 5, 31, 33}, .mean = 4000},
    {.why = "|mean| ≫ std with ReLU", .shape = {4, 8, 16, 16}, .relu = true, .mean = -300},
    {.why = "more rows than a block, several threads",
     .shape = {3, 24, 61, 67},
     .relu = true,
     .residual = true},
    {.why = "so many rows that their sums are joined in turns",
     .shape = {2, 40, 113, 115},
     .relu = true},
    {.why = "more rows than blocks keep in shared memory, in place with a residual",
     .shape = {1, 64, 113, 115},
     .relu = true,
     .residual = true,
     .in_place = true,
     .train_only = true},
    {.why = "sixteen channels and many rows", .shape = {3, 16, 61, 67}, .relu = true},
    {.why = "eight channels and many rows", .shape = {3, 8, 61, 67}, .relu = true},
    {.why = "eight channels: a block is rows only, and the last ones are missing",
     .shape = {3, 8, 19, 23},
     .relu = true,
     .residual = true,
     .in_place = true},
    {.why = "72 channels leave threads of a block over",
     .shape = {2, 72, 5, 7},
     .relu = true,
     .residual = true,
     .counted = true},
    {.why = "more channels than a block is wide, the last block not full",
     .shape = {5, 264, 7, 3},
     .relu = true},
    {.why = "rank 2, channels a multiple of every vector", .shape = {13, 24}, .relu = true},
    {.why = "ResNet18 stem", .shape = {16, 64, 112, 112}, .relu = true, .large = true},
    {.why = "ResNet18 layer1, first of a block",
     .shape = {16, 64, 56, 56},
     .relu = true,
     .large = true},
    {.why = "ResNet18 layer1, end of a block",
     .shape = {16, 64, 56, 56},
     .relu = true,
     .residual = true,
     .large = true},
    {.why = "ResNet18 layer2, end of a block",
     .shape = {16, 128, 28, 28},
     .relu = true,
     .residual = true,
     .large = true},
    {.why = "ResNet18 layer2, shortcut", .shape = {16, 128, 28, 28}, .large = true},
    {.why = "ResNet18 layer3, end of a block",
     .shape = {16, 256, 14, 14},
     .relu = true,
     .residual = true,
     .large = true},
    {.why = "ResNet18 layer4, end of a block",
     .shape = {16, 512, 7, 7},
     .relu = true,
     .residual = true,
     .large = true},
};

View mask_output(Operands& operands, const BatchNormCase& c) {
  return c.relu ? operands.output(DType::u8, {(numel(c.shape) + 7) / 8}) : View();
}

/// The mask's bytes follow from y as it was written, in y's memory order: no tolerance.
Expectation mask_expectation(Operands& operands, const View& mask, const View& y) {
  const auto bytes = std::make_shared<Numbers>();
  const auto expected = [&operands, y, bytes](int64_t byte) {
    if (bytes->empty()) {
      const Numbers ys = operands.read(y);
      bytes->resize(static_cast<size_t>((y.numel() + 7) / 8));
      for (int64_t i = 0; i < y.numel(); ++i) {
        const int64_t at = offset_of(i, y.shape, y.strides);
        const bool passed = !(ys[static_cast<size_t>(i)] <= 0);
        (*bytes)[static_cast<size_t>(at / 8)] += passed ? 1 << at % 8 : 0;
      }
    }
    return Expected{(*bytes)[static_cast<size_t>(byte)], 0};
  };
  return {"relu_mask", mask, expected};
}

double element_bytes(const BatchNormCase& c, DType dtype) {
  return static_cast<double>(numel(c.shape)) * static_cast<double>(size_of(dtype));
}

double mask_bytes(const BatchNormCase& c) {
  return c.relu ? static_cast<double>(numel(c.shape)) / 8 : 0;
}

/// What x is normalised with, by channel.
struct Normalisation {
  Shared mean, scale, bias;
};

/// The expectation on y.
Expectation output_expectation(Operands& operands, const BatchNormCase& c, const View& y,
                               const Shared& xs, const ConstView& residual,
                               const Normalisation& with) {
  const Shared added = residual ? shared(operands.read(residual)) : nullptr;
  const Channels channels(c.shape);
  const bool relu = c.relu;
  return {"y", y, [=](int64_t index) {
            const auto i = static_cast<size_t>(index);
            const size_t k = channels.of(index);
            const double r = added ? (*added)[i] : 0;
            return normalised((*xs)[i], (*with.mean)[k], (*with.scale)[k], (*with.bias)[k], r,
                              relu);
          }};
}

Problem<BatchNormTrain> train(Operands& operands, const BatchNormCase& c, DType dtype,
                              Layout layout) {
  Problem<BatchNormTrain> problem;
  BatchNormTrain& op = problem.op;
  const View x = spread_image(operands, c.shape, c.mean, dtype, layout);
  op.x = x;
  op.weight = by_channel(operands, c.shape, -1, 2);
  op.bias = by_channel(operands, c.shape, -1, 1);
  if (c.residual) op.residual = operands.input(dtype, c.shape, layout);
  op.y = c.in_place ? x : operands.output(dtype, c.shape, layout);
  op.relu_mask = mask_output(operands, c);
  op.relu = c.relu;
  op.momentum = 0.25f;

  const Shared xs = shared(operands.read(x));
  const Statistics s = statistics_of(c.shape, *xs);
  const Numbers weight = operands.read(op.weight);
  Numbers scale = expect_statistics(operands, c.shape, s, !c.given, problem);
  for (size_t k = 0; k < scale.size(); ++k) scale[k] *= weight[k];
  problem.expectations.push_back(
      output_expectation(operands, c, op.y, xs, op.residual,
                         {shared(s.mean), shared(scale), shared(operands.read(op.bias))}));
  if (c.relu) problem.expectations.push_back(mask_expectation(operands, op.relu_mask, op.y));
  if (c.counted) expect_count(operands, problem);
  problem.flops = 7 * static_cast<double>(numel(c.shape));
  problem.bytes = element_bytes(c, dtype) * (c.residual ? 3 : 2) + mask_bytes(c);
  return problem;
}

Problem<BatchNormInference> inference(Operands& operands, const BatchNormCase& c, DType dtype,
                                      Layout layout) {
  BatchNormInference op;
  const View x = spread_image(operands, c.shape, c.mean, dtype, layout);
  op.x = x;
  op.weight = by_channel(operands, c.shape, -1, 2);
  op.bias = by_channel(operands, c.shape, -1, 1);
  op.mean = by_channel(operands, c.shape, c.mean - 1, c.mean + 1);
  op.variance = by_channel(operands, c.shape, 0.25, 4);
  if (c.residual) op.residual = operands.input(dtype, c.shape, layout);
  op.y = c.in_place ? x : operands.output(dtype, c.shape, layout);
  op.relu_mask = mask_output(operands, c);
  op.relu = c.relu;

  const Shared xs = shared(operands.read(x));
  const Numbers weight = operands.read(op.weight), variance = operands.read(op.variance);
  Numbers scale;
  for (size_t k = 0; k < weight.size(); ++k) {
    scale.push_back(weight[k] / std::sqrt(variance[k] + static_cast<double>(op.epsilon)));
  }
  Problem<BatchNormInference> problem;
  problem.expectations = {output_expectation(
      operands, c, op.y, xs, op.residual,
      {shared(operands.read(op.mean)), shared(scale), shared(operands.read(op.bias))})};
  if (c.relu) problem.expectations.push_back(mask_expectation(operands, op.relu_mask, op.y));
  problem.op = op;
  problem.flops = 3 * static_cast<double>(numel(c.shape));
  problem.bytes = element_bytes(c, dtype) * (c.residual ? 3 : 2) + mask_bytes(c);
  return problem;
}

/// What a forward pass kept: any mask does, whatever x.
View kept_mask(Operands& operands, const BatchNormCase& c) {
  if (!c.relu) return {};
  const int64_t bytes = (numel(c.shape) + 7) / 8;
  const int64_t used = numel(c.shape) - 8 * (bytes - 1);  // bits of the last byte; the others are 0
  return operands.input(DType::u8, {bytes}, Layout::nchw, [=](int64_t i, uint32_t word) {
    return static_cast<double>(i == bytes - 1 ? word % (1u << used) : word % 256);
  });
}

/// dy where the mask lets it pass.
Numbers passed_gradient(Operands& operands, const ConstView& dy, const ConstView& mask) {
  Numbers g = operands.read(dy);
  if (!mask) return g;
  const Numbers bytes = operands.read(mask);
  for (int64_t i = 0; i < dy.numel(); ++i) {
    const int64_t at = offset_of(i, dy.shape, dy.strides);
    const auto byte = static_cast<unsigned>(bytes[static_cast<size_t>(at / 8)]);
    if ((byte >> at % 8 & 1) == 0) g[static_cast<size_t>(i)] = 0;
  }
  return g;
}

Problem<BatchNormBackward> backward(Operands& operands, const BatchNormCase& c, DType dtype,
                                    Layout layout) {
  Problem<BatchNormBackward> problem;
  BatchNormBackward& op = problem.op;
  op.x = spread_image(operands, c.shape, c.mean, dtype, layout);
  op.weight = by_channel(operands, c.shape, -1, 2);
  op.relu_mask = kept_mask(operands, c);
  op.batch_statistics = !c.given;
  const View dy = operands.input(dtype, c.shape, layout);
  op.dy = dy;
  op.dx = c.in_place ? dy : operands.output(dtype, c.shape, layout);
  if (c.residual) op.dresidual = operands.output(dtype, c.shape, layout);

  const Shared xs = shared(operands.read(op.x));
  give_statistics(operands, statistics_of(c.shape, *xs), op);
  const Numbers mean = operands.read(op.mean), inverse_std = operands.read(op.inverse_std);
  const Shared g = shared(passed_gradient(operands, dy, op.relu_mask));
  const auto gradient = [&](int64_t i, size_t) { return (*g)[static_cast<size_t>(i)]; };
  const auto product = [&](int64_t i, size_t k) {
    return gradient(i, k) * ((*xs)[static_cast<size_t>(i)] - mean[k]) * inverse_std[k];
  };
  const auto definition = std::make_shared<const BackwardDefinition>(BackwardDefinition{
      xs, g, g, operands.read(op.weight), mean, inverse_std, sum_by_channel(c.shape, gradient),
      sum_by_channel(c.shape, product), Channels(c.shape), op.batch_statistics});
  expect_gradients(operands, definition, problem);
  if (c.residual) {
    problem.expectations.push_back({"dresidual", op.dresidual, [g](int64_t i) {
                                      return Expected{(*g)[static_cast<size_t>(i)], 0};
                                    }});
  }
  problem.flops = 9 * static_cast<double>(numel(c.shape));
  problem.bytes = element_bytes(c, dtype) * (c.residual ? 4 : 3) + mask_bytes(c);
  return problem;
}

std::string describe(const BatchNormCase& c) {
  return str("x ", c.shape, c.relu ? " relu" : "", c.residual ? " residual" : "",
             c.in_place ? " in place" : "", c.given ? " given statistics" : "");
}

}  // namespace

void add_cases_batch_norm(Cases& list) {
  for (const BatchNormCase& c : cases) {
    for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
      for (const Layout layout : {Layout::nhwc, Layout::nchw}) {
        if (c.shape.rank() == 2 && layout == Layout::nhwc) continue;  // the same memory
        const CaseInfo info{c.why, describe(c), dtype, layout, c.large};
        list.add<BatchNormTrain>(info, [=](Operands& o) { return train(o, c, dtype, layout); });
        if (c.train_only) continue;
        list.add<BatchNormInference>(info,
                                     [=](Operands& o) { return inference(o, c, dtype, layout); });
        list.add<BatchNormBackward>(info,
                                    [=](Operands& o) { return backward(o, c, dtype, layout); });
      }
    }
  }
}

}  // namespace burin::checks
