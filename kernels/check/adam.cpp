#include "burin/kernels/adam.h"

#include <cmath>

#include "burin/kernels/check/case.h"

namespace burin::checks {
namespace {

struct AdamCase {
  const char* why;
  double learning_rate, beta1, beta2, epsilon, weight_decay;
  bool decoupled = false;
  double steps = 0;  // taken before
  double gradient_scale = 1;
  bool skip = false;
  DType copy = DType::f32;  // bf16 or f16: with a 16-bit copy
};

const AdamCase cases[] = {
    {"torch's Adam, first step", 1e-3, 0.9, 0.999, 1e-8, 0},
    {"torch's Adam, later, with L2 decay", 1e-3, 0.9, 0.999, 1e-8, 0.1, false, 6},
    {"AdamW", 1e-3, 0.9, 0.999, 1e-8, 0.01, true, 3},
    {"fastai's Adam", 2e-3, 0.87, 0.99, 1e-5, 0.01, true, 11},
    {"clipped gradients and a bf16 copy", 1e-2, 0.9, 0.999, 1e-8, 0, false, 2, 0.125, false,
     DType::bf16},
    {"a skipped step leaves everything", 1e-2, 0.9, 0.999, 1e-8, 0.1, false, 2, 1, true},
};

/// The definition, one element.
struct Element {
  double p, m, v;
};

Element adam(const AdamCase& c, Element before, double gradient) {
  if (c.skip) return before;
  const double t = c.steps + 1;
  double g = c.gradient_scale * gradient;
  double p = before.p;
  if (c.decoupled) {
    p *= 1 - c.learning_rate * c.weight_decay;
  } else {
    g += c.weight_decay * p;
  }
  const double m = c.beta1 * before.m + (1 - c.beta1) * g;
  const double v = c.beta2 * before.v + (1 - c.beta2) * g * g;
  p -= c.learning_rate / (1 - std::pow(c.beta1, t)) * m /
       (std::sqrt(v / (1 - std::pow(c.beta2, t))) + c.epsilon);
  return {p, m, v};
}

/// The constants as the op holds them, in f32.
AdamCase rounded(AdamCase c) {
  for (double* value :
       {&c.learning_rate, &c.beta1, &c.beta2, &c.epsilon, &c.weight_decay, &c.gradient_scale}) {
    *value = static_cast<double>(static_cast<float>(*value));
  }
  return c;
}

void add_slot(Operands& o, const AdamCase& c, const Shape& shape, Layout layout,
              Problem<AdamStep>& problem) {
  const View p = o.input(DType::f32, shape, layout);
  const View gradient = o.input(DType::f32, shape, layout);
  const View m = o.input(DType::f32, shape, layout, uniform_values(-0.5, 0.5));
  const View v = o.input(DType::f32, shape, layout, uniform_values(0.01, 0.5));
  AdamStep::Slot slot{p, gradient, m, v, {}};
  if (c.copy != DType::f32) slot.parameter_16 = o.output(c.copy, shape, layout);

  struct Before {
    std::vector<double> p, g, m, v;
  };
  const auto before =
      std::make_shared<Before>(Before{o.read(p), o.read(gradient), o.read(m), o.read(v)});
  const auto after = [=](int64_t index) {
    const auto i = static_cast<size_t>(index);
    return adam(c, {before->p[i], before->m[i], before->v[i]}, before->g[i]);
  };
  // The step is lr · m̂ / √v̂: its rounding errors are relative to its largest value beside p's own.
  const auto parameter = [=](int64_t i) {
    const Element e = after(i);
    return Expected{e.p, std::abs(before->p[static_cast<size_t>(i)]) + 100 * c.learning_rate};
  };
  problem.expectations.push_back({"parameter", p, parameter});
  problem.expectations.push_back({"first_moment", m, [=](int64_t i) {
                                    return Expected{after(i).m, 1};
                                  }});
  problem.expectations.push_back({"second_moment", v, [=](int64_t i) {
                                    return Expected{after(i).v, 1};
                                  }});
  if (slot.parameter_16) {
    problem.expectations.push_back({"parameter_16", slot.parameter_16, parameter});
  }
  problem.op.slots.push_back(slot);
}

Problem<AdamStep> make(Operands& o, const AdamCase& exact, const std::vector<Shape>& shapes,
                       Layout layout) {
  const AdamCase c = rounded(exact);
  Problem<AdamStep> problem;
  problem.op.scalars =
      o.input(DType::f32, {optimizer_scalar_count}, Layout::nchw, [&](int64_t i, uint32_t) {
        const double values[] = {c.learning_rate, c.beta1, c.steps, c.gradient_scale,
                                 c.skip ? 1.0 : 0.0};
        return values[i];
      });
  problem.op.beta2 = static_cast<float>(c.beta2);
  problem.op.epsilon = static_cast<float>(c.epsilon);
  problem.op.weight_decay = static_cast<float>(c.weight_decay);
  problem.op.decoupled_weight_decay = c.decoupled;
  double count = 0;
  for (const Shape& shape : shapes) {
    add_slot(o, c, shape, layout, problem);
    count += static_cast<double>(numel(shape));
  }
  problem.flops = 14 * count;
  problem.bytes = 28 * count;  // four operands read, three written
  return problem;
}

}  // namespace

void add_cases_adam(Cases& list) {
  const std::vector<Shape> small = {{5, 3, 3, 3}, {7}, {}, {2, 9}};
  for (const AdamCase& c : cases) {
    for (const Layout layout : {Layout::nhwc, Layout::nchw}) {
      const CaseInfo info{c.why, "4 parameters", DType::f32, layout};
      list.add<AdamStep>(info, [=](Operands& o) { return make(o, c, small, layout); });
    }
  }
  const std::vector<Shape> odd = {{1}, {10'003}, {3, 33}};  // chunks, and packets with a rest
  for (const AdamCase& c : cases) {
    const CaseInfo info{c.why, "3 parameters", DType::f32, Layout::nhwc};
    list.add<AdamStep>(info, [=](Operands& o) { return make(o, c, odd, Layout::nhwc); });
  }
  const std::vector<Shape> network = {
      {512, 512, 3, 3}, {512, 512, 3, 3}, {256, 256, 3, 3}, {1000, 512}};
  const CaseInfo info{"a network's parameters", "5.8 M parameters", DType::f32, Layout::nhwc, true};
  list.add<AdamStep>(info, [=](Operands& o) { return make(o, cases[0], network, Layout::nhwc); });
}

}  // namespace burin::checks
