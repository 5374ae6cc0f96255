#include "burin/kernels/conv2d.h"

#include "burin/kernels/check/conv2d_cases.h"

namespace burin::checks {
namespace {

/// Gradients have mean 0: with a mean, a large batch's sum would measure the size of the sum, not
/// its rounding.
Values gradient_values() {
  const Values normal = normal_values();
  return [normal](int64_t i, uint32_t word) { return normal(i, word) - 0.25; };
}

/// The geometry with its extents by name, for the definitions.
struct Geometry {
  int64_t N, C, H, W, K, R, S, P, Q;
  int64_t group_c, group_k;  // channels of x and of y in a group
  Conv2dParams params;

  explicit Geometry(const Conv2dCase& c)
      : N(c.x[0]),
        C(c.x[1]),
        H(c.x[2]),
        W(c.x[3]),
        K(c.w[0]),
        R(c.w[2]),
        S(c.w[3]),
        P(c.y()[2]),
        Q(c.y()[3]),
        group_c(c.w[1]),
        group_k(c.w[0] / c.params.groups),
        params(c.params) {}

  int64_t x_at(int64_t n, int64_t c, int64_t h, int64_t w) const {
    return ((n * C + c) * H + h) * W + w;
  }
  int64_t w_at(int64_t k, int64_t c, int64_t r, int64_t s) const {
    return ((k * group_c + c) * R + r) * S + s;
  }
  int64_t y_at(int64_t n, int64_t k, int64_t p, int64_t q) const {
    return ((n * K + k) * P + p) * Q + q;
  }
  /// The row and column of x under tap (r, s) of output (p, q); outside the image where padded.
  int64_t row(int64_t p, int64_t r) const {
    return p * params.stride_h - params.pad_h + r * params.dilation_h;
  }
  int64_t column(int64_t q, int64_t s) const {
    return q * params.stride_w - params.pad_w + s * params.dilation_w;
  }
  bool inside(int64_t h, int64_t w) const { return h >= 0 && h < H && w >= 0 && w < W; }

  double flops() const {
    return 2 * static_cast<double>(N * K * P * Q) * static_cast<double>(group_c * R * S);
  }
};

double bytes_of(const ConstView& a, const ConstView& b, const ConstView& c) {
  double bytes = 0;
  for (const ConstView* view : {&a, &b, &c}) {
    bytes += static_cast<double>(view->numel()) * static_cast<double>(size_of(view->dtype));
  }
  return bytes;
}

struct Storage {
  DType dtype;
  Layout layout;
  bool keyed = false;
};

Problem<Conv2dForward> forward(Operands& operands, const Conv2dCase& c, const Storage& storage,
                               const EpilogueParts& parts) {
  const View x = operands.input(storage.dtype, c.x, storage.layout);
  View w = operands.input(storage.dtype, c.w, storage.layout);
  if (storage.keyed) operands.name_content(w);
  const View y = operands.output(storage.dtype, c.y(), storage.layout);
  const Epilogue epilogue = make_epilogue(operands, parts, y, c.w[0]);

  const Geometry g(c);
  const LazyValues xs(operands, x), ws(operands, w);
  const EpilogueDefinition finish(operands, epilogue);
  const auto expected = [=, shape = c.y()](int64_t i) {
    const Dims at = coordinates_of(i, shape);
    const int64_t n = at[0], k = at[1], p = at[2], q = at[3];
    Sum sum;
    for (int64_t cc = 0; cc < g.group_c; ++cc) {
      for (int64_t r = 0; r < g.R; ++r) {
        for (int64_t s = 0; s < g.S; ++s) {
          const int64_t h = g.row(p, r), v = g.column(q, s);
          if (!g.inside(h, v)) {
            sum.skip();
            continue;
          }
          const int64_t channel = k / g.group_k * g.group_c + cc;
          sum.add(xs[g.x_at(n, channel, h, v)] * ws[g.w_at(k, cc, r, s)]);
        }
      }
    }
    return finish(sum, i, k);
  };
  return {{x, w, y, c.params, epilogue}, {{"y", y, expected}}, g.flops(), bytes_of(x, w, y)};
}

Problem<Conv2dBackwardData> backward_data(Operands& operands, const Conv2dCase& c,
                                          const Storage& storage, bool adds) {
  const View dy = operands.input(storage.dtype, c.y(), storage.layout, gradient_values());
  View w = operands.input(storage.dtype, c.w, storage.layout);
  if (storage.keyed) operands.name_content(w);
  const View dx = operands.output(storage.dtype, c.x, storage.layout);
  const Epilogue epilogue = make_epilogue(operands, {.residual = adds}, dx, c.x[1]);

  const Geometry g(c);
  const LazyValues dys(operands, dy), ws(operands, w);
  const EpilogueDefinition finish(operands, epilogue);
  const auto expected = [=, shape = c.x](int64_t i) {
    const Dims at = coordinates_of(i, shape);
    const int64_t n = at[0], channel = at[1], h = at[2], v = at[3];
    const int64_t group = channel / g.group_c;
    Sum sum;
    for (int64_t r = 0; r < g.R; ++r) {
      for (int64_t s = 0; s < g.S; ++s) {
        // The output (p, q) whose tap (r, s) lies on (h, v), if there is one.
        const int64_t down = h + g.params.pad_h - r * g.params.dilation_h;
        const int64_t right = v + g.params.pad_w - s * g.params.dilation_w;
        if (down % g.params.stride_h != 0 || right % g.params.stride_w != 0) continue;
        const int64_t p = down / g.params.stride_h, q = right / g.params.stride_w;
        const bool there = down >= 0 && p < g.P && right >= 0 && q < g.Q;
        for (int64_t k = group * g.group_k; k < (group + 1) * g.group_k; ++k) {
          if (!there) {
            sum.skip();
            continue;
          }
          sum.add(dys[g.y_at(n, k, p, q)] * ws[g.w_at(k, channel % g.group_c, r, s)]);
        }
      }
    }
    return finish(sum, i, channel);
  };
  return {{dy, w, dx, c.params, epilogue.residual},
          {{"dx", dx, expected}},
          g.flops(),
          bytes_of(dy, w, dx)};
}

Problem<Conv2dBackwardWeight> backward_weight(Operands& operands, const Conv2dCase& c,
                                              const Storage& storage, DType dw_dtype) {
  const View dy = operands.input(storage.dtype, c.y(), storage.layout, gradient_values());
  const View x = operands.input(storage.dtype, c.x, storage.layout);
  const View dw = operands.output(dw_dtype, c.w, storage.layout);

  const Geometry g(c);
  const LazyValues dys(operands, dy), xs(operands, x);
  const auto expected = [=, shape = c.w](int64_t i) {
    const Dims at = coordinates_of(i, shape);
    const int64_t k = at[0], cc = at[1], r = at[2], s = at[3];
    const int64_t channel = k / g.group_k * g.group_c + cc;
    Sum sum;
    for (int64_t n = 0; n < g.N; ++n) {
      for (int64_t p = 0; p < g.P; ++p) {
        for (int64_t q = 0; q < g.Q; ++q) {
          const int64_t h = g.row(p, r), v = g.column(q, s);
          if (!g.inside(h, v)) {
            sum.skip();
            continue;
          }
          sum.add(dys[g.y_at(n, k, p, q)] * xs[g.x_at(n, channel, h, v)]);
        }
      }
    }
    return sum.expected();
  };
  Expectation expectation{"dw", dw, expected};
  // Few elements, but of a real network's size each is a sum over up to 200,000 pixels.
  if (c.large) expectation.all_up_to = 2'000;
  return {{dy, x, dw, c.params}, {expectation}, g.flops(), bytes_of(dy, x, dw)};
}

std::string describe(const Conv2dCase& c) {
  const auto pair = [](const char* name, int64_t h, int64_t w, int64_t usual) {
    if (h == usual && w == usual) return std::string();
    return h == w ? str(' ', name, ' ', h) : str(' ', name, ' ', h, 'x', w);
  };
  const Conv2dParams& p = c.params;
  return str("x ", c.x, " w ", c.w, pair("stride", p.stride_h, p.stride_w, 1),
             pair("pad", p.pad_h, p.pad_w, 0), pair("dilation", p.dilation_h, p.dilation_w, 1),
             p.groups == 1 ? "" : str(" groups ", p.groups));
}

/// The three directions of one geometry.
void add_directions(Cases& list, const Conv2dCase& c, const Storage& storage) {
  const std::string keyed = storage.keyed ? " keyed" : "";
  const CaseInfo info{c.why, describe(c) + keyed, storage.dtype, storage.layout, c.large};
  list.add<Conv2dForward>(info, [=](Operands& o) { return forward(o, c, storage, {}); });
  list.add<Conv2dBackwardData>(info,
                               [=](Operands& o) { return backward_data(o, c, storage, false); });
  if (storage.keyed && !c.large) return;  // the weight gradient has no weight to keep
  for (const DType dw_dtype : {storage.dtype, DType::f32}) {
    CaseInfo weight_info = info;
    weight_info.problem = str(describe(c), " -> ", dw_dtype);
    list.add<Conv2dBackwardWeight>(
        weight_info, [=](Operands& o) { return backward_weight(o, c, storage, dw_dtype); });
    if (storage.dtype == DType::f32) break;
  }
}

}  // namespace

void add_cases_conv2d(Cases& list) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    for (const Layout layout : {Layout::nhwc, Layout::nchw}) {
      for (const Conv2dCase& c : small_cases) add_directions(list, c, {dtype, layout});
      add_directions(list, small_cases[0], {dtype, layout, true});
      for (const Conv2dCase& c : epilogue_cases) {
        for (const EpilogueCase& e : epilogues) {
          const CaseInfo info{str(e.why, ", ", c.why), describe(c) + describe(e.parts), dtype,
                              layout};
          list.add<Conv2dForward>(info, [=, parts = e.parts](Operands& o) {
            return forward(o, c, {dtype, layout}, parts);
          });
        }
      }
      for (const Conv2dCase& c : residual_cases) {
        list.add<Conv2dBackwardData>({c.why, describe(c) + " residual", dtype, layout},
                                     [=](Operands& o) {
                                       return backward_data(o, c, {dtype, layout}, true);
                                     });
      }
    }
  }
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const Conv2dCase& c : network_cases) {
      add_directions(list, c, {dtype, Layout::nhwc, true});
    }
  }
}

}  // namespace burin::checks
