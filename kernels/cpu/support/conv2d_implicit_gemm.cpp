#include "burin/kernels/cpu/support/conv2d_implicit_gemm.h"

#include <algorithm>
#include <vector>

#include "burin/kernels/base/parallel.h"
#include "burin/kernels/cpu/support/convert.h"
#include "burin/kernels/cpu/support/epilogue.h"
#include "burin/kernels/cpu/support/kept_filters.h"
#include "burin/kernels/cpu/support/micro_gemm.h"

namespace burin::cpu {
namespace {

/// Rows of an image, of the filter or of all outputs.
struct Rows {
  int64_t begin, end;

  int64_t count() const { return end - begin; }
};

/// The problem's extents by name.
struct Extents {
  int64_t N, C, H, W, K, R, S, P, Q;
  int64_t run;     // inputs under a row of the filter
  int64_t panels;  // of filters
  Conv2dParams params;

  explicit Extents(const Conv2dForward& op)
      : N(op.x.dim(0)),
        C(op.x.dim(1)),
        H(op.x.dim(2)),
        W(op.x.dim(3)),
        K(op.w.dim(0)),
        R(op.w.dim(2)),
        S(op.w.dim(3)),
        P(op.y.dim(2)),
        Q(op.y.dim(3)),
        run(S * C),
        panels(ceil_div(K, panel_width)),
        params(op.params) {}

  /// The row of x under row r of the filter, at output row p.
  int64_t image_row(int64_t p, int64_t r) const {
    return p * params.stride_h - params.pad_h + r * params.dilation_h;
  }
  /// The filter's rows that lie inside the image at output row p.
  Rows inside(int64_t p) const {
    const int64_t top = image_row(p, 0), step = params.dilation_h;
    const int64_t begin = std::min(R, ceil_div(std::max<int64_t>(-top, 0), step));
    const int64_t end = ceil_div(std::max<int64_t>(H - top, 0), step);
    return {begin, std::clamp(end, begin, R)};
  }
  /// Of a panel of filters, [R · S · C, panel_width].
  int64_t panel_floats() const { return R * run * panel_width; }
  size_t filter_floats() const { return static_cast<size_t>(panels * panel_floats()); }
  /// Of a row of x with its padding: the columns that filters read.
  int64_t padded_row() const { return ((Q - 1) * params.stride_w + S) * C; }
  size_t padded_floats() const { return static_cast<size_t>(N * H * padded_row()); }
};

constexpr std::string_view form = "implicit_gemm";  // of kept filters

// -- operands -------------------------------------------------------------------------------------

/// Images as floats, as wide as filters read them.
struct Images {
  const float* data;
  int64_t row;  // floats from one row to the next

  const float* at(int64_t row_of_all) const { return data + row_of_all * row; }
};

bool reads_in_place(const Conv2dForward& op) {
  return op.x.dtype == DType::f32 && op.params.pad_w == 0;
}

template <class T>
Images pad_rows(const Conv2dForward& op, const Extents& e, float* to) {
  const int64_t row = e.padded_row(), left = std::min(e.params.pad_w * e.C, row);
  const int64_t inside = std::min(e.W * e.C, row - left);
  parallel_for(e.N * e.H, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float* const padded = to + i * row;
      std::fill(padded, padded + left, 0.0f);
      copy_channels(op.x.as<T>() + i * e.W * e.C, 1, padded + left, inside);
      std::fill(padded + left + inside, padded + row, 0.0f);
    }
  });
  return {to, row};
}

/// Writes the filters of a panel at one tap as rows of the panel, a channel each. Each filter's
/// channels are read together: they are neighbours, while the filters compete for the same sets of
/// the cache.
template <class T>
void pack_tap(const Extents& e, const T* from, int64_t filters, const Strides& strides,
              float* panel) {
  if (filters < panel_width) std::fill(panel, panel + e.C * panel_width, 0.0f);
  for (int64_t k = 0; k < filters; ++k, from += strides[0]) {
    for (int64_t c = 0; c < e.C; ++c) {
      panel[c * panel_width + k] = static_cast<float>(from[c * strides[1]]);
    }
  }
}

template <class T>
void pack_filters(const Conv2dForward& op, const Extents& e, float* to) {
  const Strides& strides = op.w.strides;
  const int64_t taps = e.R * e.S;
  parallel_for(e.panels * taps, 1, [&](int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t first = unit / taps * panel_width, tap = unit % taps;
      pack_tap(e,
               op.w.as<T>() + first * strides[0] + tap / e.S * strides[2] + tap % e.S * strides[3],
               std::min<int64_t>(panel_width, e.K - first), strides, to + unit * e.C * panel_width);
    }
  });
}

/// The filters' panels, kept from call to call or in `workspace`.
template <class T>
const float* filters_of(const Conv2dForward& op, const Extents& e, Workspace& workspace,
                        KeptFilters& all_kept) {
  if (const float* const kept = all_kept.find(op.w, form)) return kept;
  float* to = all_kept.keep(op.w, form, e.filter_floats());
  if (to == nullptr) to = workspace.take<float>(e.filter_floats());
  pack_filters<T>(op, e, to);
  return to;
}

// -- products -------------------------------------------------------------------------------------

/// A part of a panel that is multiplied by all pixels of a block while it stays in the first-level
/// cache: of each of some rows of the filter the inputs [first, first + depth). Sums begin anew
/// with each, before their rounding errors grow.
struct Stretch {
  Rows rows;
  int64_t first, depth;
};

std::vector<Stretch> stretches(const Extents& e) {
  constexpr int64_t longest = 192;
  if (e.R * e.run <= longest) return {{{0, e.R}, 0, e.run}};
  std::vector<Stretch> all;
  const int64_t pieces = ceil_div(e.run, longest);
  for (int64_t r = 0; r < e.R; ++r) {
    for (int64_t i = 0; i < pieces; ++i) {
      const int64_t first = e.run * i / pieces;
      all.push_back({{r, r + 1}, first, e.run * (i + 1) / pieces - first});
    }
  }
  return all;
}

/// The work is cut into panels and, of each, blocks of output rows whose sums stay in the cache.
/// Threads take whole panels where they can: each then reads its own filters, once.
struct Schedule {
  int64_t workers, rows_per_block, blocks;

  explicit Schedule(const Extents& e) : workers(compute_threads()) {
    constexpr int64_t pixels = 256;
    const int64_t rows = e.N * e.P;
    const int64_t most = std::max<int64_t>(pixels / e.Q, 1);
    const int64_t wanted = std::max(ceil_div(rows, most), ceil_div(workers, e.panels));
    rows_per_block = ceil_div(rows, std::min(wanted, rows));
    blocks = ceil_div(rows, rows_per_block);
  }
  size_t sums(const Extents& e) const {
    return static_cast<size_t>(rows_per_block * e.Q * panel_width);
  }
};

struct Operands {
  Images x;
  const float* filters;
  std::vector<Stretch> stretches;
};

/// sums[i, q, k] for the output rows `rows`, counted through all images, and the filters of a
/// panel.
void multiply(const Extents& e, const Operands& operands, int64_t panel, const Rows& rows,
              float* sums) {
  const float* const filters = operands.filters + panel * e.panel_floats();
  for (const Stretch& part : operands.stretches) {
    const int64_t steps = part.rows.count() * part.depth;
    const float* const next =
        filters + (part.rows.begin * e.run + part.first + steps) * panel_width;
    Ahead ahead{next, next + steps * panel_width};
    for (int64_t i = rows.begin; i < rows.end; ++i) {
      const int64_t n = i / e.P, p = i % e.P;
      const Rows inside = e.inside(p);
      const int64_t r = std::max(inside.begin, part.rows.begin);
      const int64_t end = std::min(inside.end, part.rows.end);
      float* const y = sums + (i - rows.begin) * e.Q * panel_width;
      if (inside.count() == 0) std::fill(y, y + e.Q * panel_width, 0.0f);
      if (r >= end) continue;
      multiply_rows({.a = operands.x.at(n * e.H + e.image_row(p, r)) + part.first,
                     .a_row = e.params.stride_w * e.C,
                     .a_step = 1,
                     .b = filters + (r * e.run + part.first) * panel_width,
                     .b_step = panel_width,
                     .depth = part.depth,
                     .y = y,
                     .y_row = panel_width,
                     .accumulate = r > inside.begin || part.first > 0,
                     .segments = end - r,
                     .a_segment = e.params.dilation_h * operands.x.row},
                    e.Q, ahead);
    }
  }
}

template <class T>
void finish(const Conv2dForward& op, const Extents& e, int64_t panel, const Rows& rows,
            const float* sums) {
  const int64_t first = panel * panel_width;
  const int64_t filters = std::min<int64_t>(panel_width, e.K - first);
  for (int64_t pixel = rows.begin * e.Q; pixel < rows.end * e.Q; ++pixel, sums += panel_width) {
    const int64_t offset = pixel * e.K + first;
    finish_channels(sums, EpilogueAt<T>::from(op.epilogue, offset, first), op.y.as<T>() + offset,
                    filters);
  }
}

template <class T>
void run_as(const Conv2dForward& op, Workspace workspace, Stream& stream) {
  const Extents e(op);
  const Schedule schedule(e);
  Operands operands{{}, nullptr, stretches(e)};
  operands.filters = filters_of<T>(op, e, workspace, stream.state<KeptFilters>());
  operands.x = reads_in_place(op) ? Images{op.x.as<float>(), e.W * e.C}
                                  : pad_rows<T>(op, e, workspace.take<float>(e.padded_floats()));
  const size_t share = schedule.sums(e);
  float* const memory = workspace.take<float>(static_cast<size_t>(schedule.workers) * share);
  const int64_t units = e.panels * schedule.blocks;
  parallel_for(schedule.workers, 1, [&](int64_t begin, int64_t end) {
    for (int64_t worker = begin; worker < end; ++worker) {
      float* const sums = memory + static_cast<size_t>(worker) * share;
      for (int64_t unit = units * worker / schedule.workers;
           unit < units * (worker + 1) / schedule.workers; ++unit) {
        const int64_t panel = unit / schedule.blocks;
        const int64_t first = unit % schedule.blocks * schedule.rows_per_block;
        const Rows rows{first, std::min(first + schedule.rows_per_block, e.N * e.P)};
        multiply(e, operands, panel, rows, sums);
        finish<T>(op, e, panel, rows, sums);
      }
    }
  });
}

}  // namespace

Refusal implicit_gemm_accepts(const Conv2dForward& op, const Context& /*context*/) {
  if (!is_floating(op.x.dtype)) return str("dtype ", op.x.dtype);
  if (op.w.dtype != op.x.dtype) return str("x is ", op.x.dtype, ", w is ", op.w.dtype);
  if (op.y.dtype != op.x.dtype) return str("x is ", op.x.dtype, ", y is ", op.y.dtype);
  if (op.params.groups != 1) return str(op.params.groups, " groups");
  if (op.params.dilation_w != 1) return "dilation along a row is not 1";
  if (!op.x.is_dense(Layout::nhwc) || !op.y.is_dense(Layout::nhwc)) return "images are not nhwc";
  if (op.x.numel() == 0 || op.y.numel() == 0) return "nothing to multiply";
  return {};
}

bool implicit_gemm_prefers(const Conv2dForward& op, const Context& /*context*/) {
  return op.x.dtype == DType::f32 && op.w.numel() > 4 * (op.x.numel() + op.y.numel());
}

size_t implicit_gemm_workspace(const Conv2dForward& op, const Context& context) {
  const Extents e(op);
  const Schedule schedule(e);
  const bool kept = context.stream.state<KeptFilters>().find(op.w, form) != nullptr;
  return (kept ? 0 : Workspace::room_for<float>(e.filter_floats())) +
         (reads_in_place(op) ? 0 : Workspace::room_for<float>(e.padded_floats())) +
         Workspace::room_for<float>(static_cast<size_t>(schedule.workers) * schedule.sums(e));
}

void implicit_gemm_run(const Conv2dForward& op, Workspace workspace, Stream& stream) {
  visit_floating(op.x.dtype,
                 [&](auto tag) { run_as<typename decltype(tag)::type>(op, workspace, stream); });
}

}  // namespace burin::cpu
