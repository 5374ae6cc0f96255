#include "burin/kernels/concat.h"

#include "burin/kernels/check/case.h"

namespace burin::checks {
namespace {

struct ConcatCase {
  const char* why;
  std::vector<Shape> inputs;
  int axis;
  bool large = false;
};

const ConcatCase cases[] = {
    {"one input", {{2, 5, 7, 3}}, 1},
    {"channels, as in a fire module", {{2, 5, 7, 3}, {2, 9, 7, 3}}, 1},
    {"three inputs of channels", {{2, 1, 7, 3}, {2, 33, 7, 3}, {2, 8, 7, 3}}, 1},
    {"batches", {{2, 5, 7, 3}, {3, 5, 7, 3}}, 0},
    {"the last axis", {{2, 5, 7, 3}, {2, 5, 7, 4}}, 3},
    {"rows of a matrix", {{3, 17}, {5, 17}}, 0},
    {"columns of a matrix, as two poolings side by side", {{5, 17}, {5, 19}}, 1},
    {"vectors, enough for two threads", {{30'001}, {50'003}}, 0},
    {"an empty input between others", {{4, 3}, {4, 0}, {4, 2}}, 1},
    {"SqueezeNet's first fire module", {{16, 64, 55, 55}, {16, 64, 55, 55}}, 1, true},
};

/// The definition: where along the axis the element lies tells which input it comes from.
double concatenated(const std::vector<std::vector<double>>& values,
                    const std::vector<Shape>& shapes, int axis, Dims at) {
  size_t input = 0;
  while (at[axis] >= shapes[input][axis]) at[axis] -= shapes[input++][axis];
  int64_t index = 0;
  for (int d = 0; d < at.rank(); ++d) index = index * shapes[input][d] + at[d];
  return values[input][static_cast<size_t>(index)];
}

/// The second input lies in `other`: implementations may not assume that all lie alike.
Problem<Concat> problem(Operands& operands, const ConcatCase& c, DType dtype, Layout layout,
                        Layout other) {
  Shape y_shape = c.inputs[0];
  y_shape[c.axis] = 0;
  Concat op{{}, {}, c.axis};
  const auto values = std::make_shared<std::vector<std::vector<double>>>();
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    op.inputs.push_back(operands.input(dtype, c.inputs[i], i == 1 ? other : layout,
                                       dtype == DType::u8 ? index_values(256) : normal_values()));
    values->push_back(operands.read(op.inputs.back()));
    y_shape[c.axis] += c.inputs[i][c.axis];
  }
  op.y = operands.output(dtype, y_shape, layout);
  const auto expected = [=, shapes = c.inputs, axis = c.axis](int64_t i) {
    return Expected{concatenated(*values, shapes, axis, coordinates_of(i, y_shape)), 0};
  };
  const double bytes =
      2.0 * static_cast<double>(op.y.numel()) * static_cast<double>(size_of(dtype));
  return {op, {{"y", op.y, expected}}, 0, bytes};
}

}  // namespace

void add_cases_concat(Cases& list) {
  for (const ConcatCase& c : cases) {
    for (const DType dtype : all_dtypes) {
      for (const Layout layout : {Layout::nhwc, Layout::nchw}) {
        if (layout == Layout::nhwc && c.inputs[0].rank() != 4) continue;
        if (c.large && dtype != DType::f32 && dtype != DType::bf16) continue;
        const CaseInfo info{c.why,
                            str("axis ", c.axis, " of ", c.inputs.size(), " from ", c.inputs[0]),
                            dtype, layout, c.large};
        list.add<Concat>(info,
                         [=, &c](Operands& o) { return problem(o, c, dtype, layout, layout); });
        if (c.inputs.size() < 2 || c.inputs[0].rank() != 4 || c.large) continue;
        const Layout other = layout == Layout::nhwc ? Layout::nchw : Layout::nhwc;
        list.add<Concat>({str(c.why, ", layouts mixed"), info.problem, dtype, layout},
                         [=, &c](Operands& o) { return problem(o, c, dtype, layout, other); });
      }
    }
  }
}

}  // namespace burin::checks
