#include "burin/kernels/ema.h"

#include "burin/kernels/check/case.h"

namespace burin::checks {
namespace {

struct EmaCase {
  const char* why;
  double decay;
};

const EmaCase cases[] = {
    {"no memory: the value itself", 0},
    {"half of each", 0.5},
    {"as late in a training", 0.9999},
};

void add_slot(Operands& o, double decay, const Shape& shape, Layout layout,
              Problem<EmaStep>& problem) {
  const View average = o.input(DType::f32, shape, layout);
  const View value = o.input(DType::f32, shape, layout);
  const auto before = std::make_shared<std::vector<double>>(o.read(average));
  const auto values = std::make_shared<std::vector<double>>(o.read(value));
  problem.op.slots.push_back({average, value});
  problem.expectations.push_back(
      {"average", average, [=](int64_t index) {
         const auto i = static_cast<size_t>(index);
         // The sizes of what is added up: operands are about 1, seldom above 4.
         return Expected{decay * (*before)[i] + (1 - decay) * (*values)[i], 4};
       }});
}

Problem<EmaStep> make(Operands& o, const EmaCase& c, const std::vector<Shape>& shapes,
                      Layout layout) {
  const auto decay = static_cast<double>(static_cast<float>(c.decay));
  Problem<EmaStep> problem;
  problem.op.decay = o.input(DType::f32, {1}, Layout::nchw, constant_values(decay));
  double count = 0;
  for (const Shape& shape : shapes) {
    add_slot(o, decay, shape, layout, problem);
    count += static_cast<double>(numel(shape));
  }
  problem.flops = 3 * count;
  problem.bytes = 12 * count;
  return problem;
}

}  // namespace

void add_cases_ema(Cases& list) {
  const std::vector<Shape> small = {{5, 3, 3, 3}, {7}, {}, {2, 9}};
  const std::vector<Shape> odd = {{1}, {40'003}, {3, 33}};  // the threads' border within a slot
  for (const EmaCase& c : cases) {
    for (const Layout layout : {Layout::nhwc, Layout::nchw}) {
      const CaseInfo info{c.why, "4 tensors", DType::f32, layout};
      list.add<EmaStep>(info, [=](Operands& o) { return make(o, c, small, layout); });
    }
    const CaseInfo info{str(c.why, ", enough for two threads"), "3 tensors", DType::f32,
                        Layout::nchw};
    list.add<EmaStep>(info, [=](Operands& o) { return make(o, c, odd, Layout::nchw); });
  }
  const std::vector<Shape> many(300, Shape{9});
  const CaseInfo tables{"more tensors than one table holds", "300 tensors", DType::f32,
                        Layout::nchw};
  list.add<EmaStep>(tables, [=](Operands& o) { return make(o, cases[1], many, Layout::nchw); });
  const std::vector<Shape> network = {
      {512, 512, 3, 3}, {512, 512, 3, 3}, {256, 256, 3, 3}, {1000, 512}};
  const CaseInfo info{"a network's parameters", "5.8 M parameters", DType::f32, Layout::nhwc, true};
  list.add<EmaStep>(info, [=](Operands& o) { return make(o, cases[2], network, Layout::nhwc); });
}

}  // namespace burin::checks
