#include "burin/kernels/sgd.h"

#include <cmath>
#include <limits>

#include "burin/kernels/check/case.h"

namespace burin::checks {
namespace {

struct SgdCase {
  const char* why;
  double learning_rate, momentum, weight_decay;
  bool nesterov = false;
  bool buffers = true;
  double steps = 0;  // taken before
  double gradient_scale = 1;
  bool skip = false;
  DType copy = DType::f32;  // bf16 or f16: with a 16-bit copy
  bool infinite = false;    // some gradients and some parameters
};

const SgdCase cases[] = {
    {"plain, no buffers", 0.1, 0, 0, false, false},
    {"plain with weight decay", 0.1, 0, 1e-2, false, false, 4},
    {"momentum, first step: what the buffer held is nothing", 0.1, 0.9, 0},
    {"momentum, later", 0.1, 0.9, 5e-4, false, true, 3},
    {"nesterov, first step", 0.1, 0.9, 5e-4, true},
    {"nesterov, later", 0.1, 0.9, 5e-4, true, true, 3},
    {"clipped gradients and a bf16 copy", 0.1, 0.9, 0, false, true, 2, 0.125, false, DType::bf16},
    {"a f16 copy, no buffers", 0.1, 0, 0, false, false, 2, 1, false, DType::f16},
    {"a skipped step leaves everything", 0.1, 0.9, 5e-4, false, true, 2, 1, true},
    {"infinite ones stay so", 0.1, 0.9, 0, false, true, 3, 1, false, DType::f32, true},
    {"infinite ones stay so with nesterov", 0.1, 0.9, 0, true, true, 3, 1, false, DType::f32, true},
};

/// normal_values(), and ±∞ in each fifth place from `first`.
Values with_infinite(int64_t first) {
  return [first, normal = normal_values()](int64_t index, uint32_t word) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    if (index % 5 != first) return normal(index, word);
    return index % 2 == 0 ? infinity : -infinity;
  };
}

/// The definition, one element.
struct Element {
  double p, b;
};

Element sgd(const SgdCase& c, Element before, double gradient) {
  if (c.skip) return before;
  const double decay = c.weight_decay == 0 ? 0 : c.weight_decay * before.p;
  const double g = c.gradient_scale * gradient + decay;
  if (!c.buffers) return {before.p - c.learning_rate * g, 0};
  const double b = c.steps == 0 ? g : c.momentum * before.b + g;
  const double d = c.nesterov ? g + c.momentum * b : b;
  return {before.p - c.learning_rate * d, b};
}

/// The constants as the op holds them, in f32.
SgdCase rounded(SgdCase c) {
  for (double* value : {&c.learning_rate, &c.momentum, &c.weight_decay, &c.gradient_scale}) {
    *value = static_cast<double>(static_cast<float>(*value));
  }
  return c;
}

void add_slot(Operands& o, const SgdCase& c, const Shape& shape, Layout layout,
              Problem<SgdStep>& problem) {
  const View p =
      o.input(DType::f32, shape, layout, c.infinite ? with_infinite(3) : normal_values());
  const View gradient =
      o.input(DType::f32, shape, layout, c.infinite ? with_infinite(1) : normal_values());
  SgdStep::Slot slot{p, gradient, {}, {}};
  struct Before {
    std::vector<double> p, g, b;
  };
  const auto before = std::make_shared<Before>(Before{o.read(p), o.read(gradient), {}});
  if (c.buffers) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    slot.momentum_buffer =
        o.input(DType::f32, shape, layout, c.steps == 0 ? constant_values(nan) : normal_values());
    before->b = o.read(slot.momentum_buffer);
  }
  const auto after = [=](int64_t index) {
    const auto i = static_cast<size_t>(index);
    return sgd(c, {before->p[i], c.buffers ? before->b[i] : 0}, before->g[i]);
  };
  // The sizes of what is added up: operands are about 1, seldom above 4.
  const auto parameter = [=](int64_t i) { return Expected{after(i).p, 4}; };
  problem.expectations.push_back({"parameter", p, parameter});
  if (c.buffers) {
    problem.expectations.push_back({"momentum_buffer", slot.momentum_buffer, [=](int64_t i) {
                                      return Expected{after(i).b, 4};
                                    }});
  }
  if (c.copy != DType::f32) {
    slot.parameter_16 = o.output(c.copy, shape, layout);
    problem.expectations.push_back({"parameter_16", slot.parameter_16, parameter});
  }
  problem.op.slots.push_back(slot);
}

Problem<SgdStep> make(Operands& o, const SgdCase& exact, const std::vector<Shape>& shapes,
                      Layout layout) {
  const SgdCase c = rounded(exact);
  const double scalars[] = {c.learning_rate, c.momentum, c.steps, c.gradient_scale,
                            c.skip ? 1.0 : 0.0};
  Problem<SgdStep> problem;
  problem.op.scalars = o.input(DType::f32, {optimizer_scalar_count}, Layout::nchw,
                               [&](int64_t i, uint32_t) { return scalars[i]; });
  problem.op.weight_decay = static_cast<float>(c.weight_decay);
  problem.op.nesterov = c.nesterov;
  double count = 0;
  for (const Shape& shape : shapes) {
    add_slot(o, c, shape, layout, problem);
    count += static_cast<double>(numel(shape));
  }
  problem.expectations.push_back({"scalars", problem.op.scalars, [=](int64_t i) {
                                    const double values[] = {c.learning_rate, c.momentum,
                                                             c.steps + (c.skip ? 0 : 1),
                                                             c.gradient_scale, c.skip ? 1.0 : 0.0};
                                    return Expected{values[i], 0};
                                  }});
  problem.flops = (c.buffers ? 7 : 4) * count;
  problem.bytes = (c.buffers ? 20 : 12) * count;
  return problem;
}

}  // namespace

void add_cases_sgd(Cases& list) {
  const std::vector<Shape> small = {{5, 3, 3, 3}, {7}, {}, {2, 9}};
  const std::vector<Shape> odd = {{1}, {40'003}, {3, 33}};  // the threads' border within a slot
  for (const SgdCase& c : cases) {
    for (const Layout layout : {Layout::nhwc, Layout::nchw}) {
      const CaseInfo info{c.why, "4 parameters", DType::f32, layout};
      list.add<SgdStep>(info, [=](Operands& o) { return make(o, c, small, layout); });
    }
    const CaseInfo info{str(c.why, ", enough for two threads"), "3 parameters", DType::f32,
                        Layout::nchw};
    list.add<SgdStep>(info, [=](Operands& o) { return make(o, c, odd, Layout::nchw); });
  }
  const std::vector<Shape> network = {
      {512, 512, 3, 3}, {512, 512, 3, 3}, {256, 256, 3, 3}, {1000, 512}};
  const CaseInfo info{"a network's parameters", "5.8 M parameters", DType::f32, Layout::nhwc, true};
  list.add<SgdStep>(info, [=](Operands& o) { return make(o, cases[3], network, Layout::nhwc); });
}

}  // namespace burin::checks
