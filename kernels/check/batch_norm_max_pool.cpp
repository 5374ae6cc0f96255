#include "burin/kernels/batch_norm_max_pool.h"

#include <limits>

#include "burin/kernels/check/batch_norm.h"
#include "burin/kernels/check/pool2d.h"

namespace burin::checks {
namespace {

struct StemCase {
  const char* why;
  Shape shape;
  Pool2dParams params;
  double mean = 0.25;    // of x, in standard deviations
  int64_t distinct = 0;  // values of x, or 0 for normal ones
  bool running = true;
  bool large = false;
};

constexpr Pool2dParams square(int64_t kernel, int64_t stride, int64_t pad, bool ceil_mode = false) {
  return {kernel, kernel, stride, stride, pad, pad, ceil_mode};
}

const StemCase cases[] = {
    {.why = "a ResNet's stem on odd extents", .shape = {2, 5, 11, 13}, .params = square(3, 2, 1)},
    {.why = "a tail after every vector width", .shape = {2, 67, 7, 8}, .params = square(3, 2, 1)},
    {.why = "channels a multiple of every vector",
     .shape = {2, 64, 9, 10},
     .params = square(3, 2, 1)},
    {.why = "windows that meet without overlapping",
     .shape = {2, 8, 6, 8},
     .params = square(2, 2, 0)},
    {.why = "stride 1, every window overlaps", .shape = {1, 16, 7, 6}, .params = square(3, 1, 1)},
    {.why = "stride larger than the kernel: some elements in no window",
     .shape = {2, 8, 9, 8},
     .params = square(2, 3, 0)},
    {.why = "a different kernel, stride and pad on each axis",
     .shape = {2, 24, 9, 12},
     .params = {4, 3, 3, 2, 2, 1}},
    {.why = "ceil_mode adds a window that reaches past the edge",
     .shape = {2, 8, 8, 10},
     .params = square(3, 2, 0, true)},
    {.why = "kernel as large as the image", .shape = {3, 16, 5, 5}, .params = square(5, 5, 0)},
    {.why = "the largest window that an index can say",
     .shape = {1, 8, 16, 18},
     .params = {15, 17, 8, 7, 4, 5}},
    {.why = "one channel: both layouts are the same memory",
     .shape = {3, 1, 7, 9},
     .params = square(3, 2, 1)},
    {.why = "one position an image", .shape = {5, 8, 1, 1}, .params = square(3, 2, 1)},
    {.why = "few distinct values: any of equals may be chosen",
     .shape = {2, 16, 9, 7},
     .params = square(3, 2, 1),
     .distinct = 3},
    {.why = "one value: variance 0, y = bias where that is above 0",
     .shape = {2, 8, 5, 4},
     .params = square(3, 2, 1),
     .distinct = 1},
    {.why = "|mean| ≫ std: E[x²] − E[x]² has no digit left",
     .shape = {2, 8, 31, 33},
     .params = square(3, 2, 1),
     .mean = -300},
    {.why = "without running statistics",
     .shape = {2, 12, 7, 5},
     .params = square(3, 2, 1),
     .running = false},
    {.why = "more channels than a block is wide, the last block not full",
     .shape = {2, 264, 7, 6},
     .params = square(3, 2, 1)},
    {.why = "more rows than a block, several threads",
     .shape = {3, 24, 61, 67},
     .params = square(3, 2, 1)},
    {.why = "ResNet18 stem", .shape = {16, 64, 112, 112}, .params = square(3, 2, 1), .large = true},
};

View image_of(Operands& operands, const StemCase& c, DType dtype, Layout layout) {
  if (c.distinct == 0) return spread_image(operands, c.shape, c.mean, dtype, layout);
  return operands.input(dtype, c.shape, layout, index_values(c.distinct));
}

/// An element of x: where it lies in logical order, and the number that the index has for it.
struct Element {
  size_t at;
  int64_t number;
};

/// The elements of the window of output i.
std::vector<Element> elements_of(const StemCase& c, int64_t i) {
  const Pool2dParams& p = c.params;
  const Shape y = pooled_shape(c.shape, p);
  const int64_t W = c.shape[3];
  const auto at = over_outputs(
      c.shape, y, [&](int64_t row, int64_t column) { return window_of(c.shape, row, column, p); });
  const int64_t top = i / y[3] % y[2] * p.stride_h - p.pad_h;
  const int64_t left = i % y[3] * p.stride_w - p.pad_w;
  return at(i, [&](size_t plane, const Window& window) {
    std::vector<Element> elements;
    for (int64_t h = window.top; h < window.bottom; ++h) {
      for (int64_t w = window.left; w < window.right; ++w) {
        elements.push_back(
            {plane + static_cast<size_t>(h * W + w), (h - top) * p.kernel_w + w - left});
      }
    }
    return elements;
  });
}

/// What forward computes, before and after the maximum.
struct Definition {
  StemCase c;
  Shared x, mean, scale, bias;

  Expected normal(double value, int64_t output) const {
    const size_t k = Channels(pooled_shape(c.shape, c.params)).of(output);
    return normalised(value, (*mean)[k], (*scale)[k], (*bias)[k], 0, false);
  }
  Expected largest(int64_t output) const {
    Expected result{-std::numeric_limits<double>::infinity(), 0};
    for (const Element& element : elements_of(c, output)) {
      const Expected one = normal((*x)[element.at], output);
      result.value = std::max(result.value, one.value);
      result.scale = std::max(result.scale, one.scale);
    }
    return result;
  }
  Expected y(int64_t output) const {
    const Expected all = largest(output);
    return {std::max(all.value, 0.0), all.scale};
  }
  /// Whether an element of this value may have been taken for the largest.
  bool may_be_chosen(double value, int64_t output) const {
    const Expected all = largest(output);
    return normal(value, output).value >=
           all.value - 2 * tolerance(all, DType::f32, default_factor);
  }
};

/// What came out, read when it is first asked for.
class Outputs {
 public:
  Outputs(Operands& operands, const BatchNormMaxPoolTrain& op) : operands_(operands), op_(op) {}
  double y(int64_t i) { return read(y_, op_.y, i); }
  double index(int64_t i) { return read(index_, op_.index, i); }
  double chosen(int64_t i) { return read(chosen_, op_.chosen, i); }

 private:
  double read(Numbers& numbers, const View& view, int64_t i) {
    if (numbers.empty()) numbers = operands_.read(view);
    return numbers[static_cast<size_t>(i)];
  }
  Operands& operands_;
  BatchNormMaxPoolTrain op_;
  Numbers y_, index_, chosen_;
};

constexpr Expected wrong{-1, 0};  // no index is that, and no element of x by chance

/// Several elements may be the largest: the index is held to naming one of them, the ReLU to y as
/// it was written.
Expected index_expected(const Definition& definition, Outputs& out, int64_t i) {
  if (out.y(i) <= 0) return {stopped_by_relu, 0};
  for (const Element& element : elements_of(definition.c, i)) {
    if (static_cast<double>(element.number) != out.index(i)) continue;
    const bool largest = definition.may_be_chosen((*definition.x)[element.at], i);
    return largest ? Expected{out.index(i), 0} : wrong;
  }
  return wrong;
}

Expected chosen_expected(const Definition& definition, Outputs& out, int64_t i) {
  for (const Element& element : elements_of(definition.c, i)) {
    const double value = (*definition.x)[element.at];
    const bool is_it = out.index(i) == stopped_by_relu
                           ? value == out.chosen(i) && definition.may_be_chosen(value, i)
                           : static_cast<double>(element.number) == out.index(i);
    if (is_it) return {value, 0};
  }
  return {std::numeric_limits<double>::max(), 0};
}

double bytes_of(const Shape& shape, DType dtype) {
  return static_cast<double>(numel(shape)) * static_cast<double>(size_of(dtype));
}

Problem<BatchNormMaxPoolTrain> train(Operands& operands, const StemCase& c, DType dtype,
                                     Layout layout) {
  const Shape pooled = pooled_shape(c.shape, c.params);
  Problem<BatchNormMaxPoolTrain> problem;
  BatchNormMaxPoolTrain& op = problem.op;
  op.x = image_of(operands, c, dtype, layout);
  op.weight = by_channel(operands, c.shape, -1, 2);
  op.bias = by_channel(operands, c.shape, -1, 1);
  op.y = operands.output(dtype, pooled, layout);
  op.index = operands.output(DType::u8, pooled, layout);
  op.chosen = operands.output(dtype, pooled, layout);
  op.params = c.params;
  op.momentum = 0.25f;

  const Shared xs = shared(operands.read(op.x));
  const Statistics s = statistics_of(c.shape, *xs);
  const Numbers weight = operands.read(op.weight);
  Numbers scale = expect_statistics(operands, c.shape, s, c.running, problem);
  if (c.running) expect_count(operands, problem);
  for (size_t k = 0; k < scale.size(); ++k) scale[k] *= weight[k];
  const auto definition = std::make_shared<const Definition>(
      Definition{c, xs, shared(s.mean), shared(scale), shared(operands.read(op.bias))});
  const auto out = std::make_shared<Outputs>(operands, op);
  problem.expectations.push_back({"y", op.y, [=](int64_t i) { return definition->y(i); }});
  problem.expectations.push_back(
      {"index", op.index, [=](int64_t i) { return index_expected(*definition, *out, i); }});
  problem.expectations.push_back(
      {"chosen", op.chosen, [=](int64_t i) { return chosen_expected(*definition, *out, i); }});
  problem.flops = 7 * static_cast<double>(numel(c.shape));
  problem.bytes =
      bytes_of(c.shape, dtype) + 2 * bytes_of(pooled, dtype) + bytes_of(pooled, DType::u8);
  return problem;
}

/// What a forward pass kept: in each window any element, and some that the ReLU stopped.
struct Choice {
  Numbers index, chosen;   // by output
  std::vector<size_t> at;  // the chosen element of x
};

Choice any_choice(Operands& operands, const StemCase& c, const Numbers& x) {
  const Shape pooled = pooled_shape(c.shape, c.params);
  const Numbers words =
      operands.read(operands.input(DType::i32, pooled, Layout::nchw, index_values(1 << 20)));
  Choice choice;
  for (int64_t i = 0; i < numel(pooled); ++i) {
    const std::vector<Element> elements = elements_of(c, i);
    const auto word = static_cast<size_t>(words[static_cast<size_t>(i)]);
    const Element& element = elements[word / 4 % elements.size()];
    const bool stopped = word % 4 == 0;
    choice.index.push_back(stopped ? stopped_by_relu : static_cast<double>(element.number));
    choice.chosen.push_back(x[element.at]);
    choice.at.push_back(element.at);
  }
  return choice;
}

Values values_of(const Numbers& numbers) {
  return [&numbers](int64_t i, uint32_t) { return numbers[static_cast<size_t>(i)]; };
}

Problem<BatchNormMaxPoolBackward> backward(Operands& operands, const StemCase& c, DType dtype,
                                           Layout layout) {
  const Shape pooled = pooled_shape(c.shape, c.params);
  Problem<BatchNormMaxPoolBackward> problem;
  BatchNormMaxPoolBackward& op = problem.op;
  op.x = image_of(operands, c, dtype, layout);
  op.weight = by_channel(operands, c.shape, -1, 2);
  const Shared xs = shared(operands.read(op.x));
  const Choice choice = any_choice(operands, c, *xs);
  op.dy = operands.input(dtype, pooled, layout);
  op.index = operands.input(DType::u8, pooled, layout, values_of(choice.index));
  op.chosen = operands.input(dtype, pooled, layout, values_of(choice.chosen));
  op.dx = operands.output(dtype, c.shape, layout);
  op.params = c.params;
  give_statistics(operands, statistics_of(c.shape, *xs), op);

  Numbers passed = operands.read(op.dy), g(xs->size()), size(xs->size());
  for (size_t i = 0; i < passed.size(); ++i) {
    if (choice.index[i] == stopped_by_relu) passed[i] = 0;
    g[choice.at[i]] += passed[i];
    size[choice.at[i]] = std::hypot(size[choice.at[i]], passed[i]);
  }
  const Numbers mean = operands.read(op.mean), inverse_std = operands.read(op.inverse_std);
  const auto gradient = [&](int64_t i, size_t) { return passed[static_cast<size_t>(i)]; };
  const auto product = [&](int64_t i, size_t k) {
    return gradient(i, k) * (choice.chosen[static_cast<size_t>(i)] - mean[k]) * inverse_std[k];
  };
  const auto definition = std::make_shared<const BackwardDefinition>(BackwardDefinition{
      xs, shared(g), shared(size), operands.read(op.weight), mean, inverse_std,
      sum_by_channel(pooled, gradient), sum_by_channel(pooled, product), Channels(c.shape), true});
  expect_gradients(operands, definition, problem);
  problem.flops = 6 * static_cast<double>(numel(c.shape));
  problem.bytes =
      2 * bytes_of(c.shape, dtype) + 2 * bytes_of(pooled, dtype) + bytes_of(pooled, DType::u8);
  return problem;
}

std::string describe(const StemCase& c) {
  const Pool2dParams& p = c.params;
  return str("x ", c.shape, " kernel ", p.kernel_h, "×", p.kernel_w, " stride ", p.stride_h, "×",
             p.stride_w, " pad ", p.pad_h, "×", p.pad_w, p.ceil_mode ? " ceil" : "");
}

}  // namespace

void add_cases_batch_norm_max_pool(Cases& list) {
  for (const StemCase& c : cases) {
    for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
      for (const Layout layout : {Layout::nhwc, Layout::nchw}) {
        const CaseInfo info{c.why, describe(c), dtype, layout, c.large};
        list.add<BatchNormMaxPoolTrain>(info,
                                        [=](Operands& o) { return train(o, c, dtype, layout); });
        list.add<BatchNormMaxPoolBackward>(
            info, [=](Operands& o) { return backward(o, c, dtype, layout); });
      }
    }
  }
}

}  // namespace burin::checks
