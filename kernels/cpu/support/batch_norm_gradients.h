#pragma once

#include <algorithm>
#include <vector>

#include "burin/kernels/cpu/support/channel_moments.h"
#include "burin/kernels/cpu/support/relu_mask.h"

namespace burin::cpu {

/// Per channel: Σ g and Σ g · (x − mean).
struct GradientSums {
  double g = 0;
  double g_centred = 0;
};

/// What is summed. Passed gives stretches of g as floats, as PassedGradient does.
template <class T, class Passed>
struct GradientTerms {
  Passed passed;
  const T* x;
  const float* mean;
};

/// What one thread needs of scratch memory.
struct BackwardScratch {
  BackwardScratch(Workspace& workspace, int64_t C, int64_t chunk)
      : sums(workspace.take<GradientSums>(C)),
        g(workspace.take<float>(C)),
        g_centred(workspace.take<float>(C)),
        buffer(workspace.take<float>(PassedGradient<float>::room_for(chunk))) {}
  static size_t bytes(int64_t C, int64_t chunk) {
    return Workspace::room_for<GradientSums>(C) + 2 * Workspace::room_for<float>(C) +
           Workspace::room_for<float>(PassedGradient<float>::room_for(chunk));
  }
  GradientSums* sums;
  float* g;
  float* g_centred;
  float* buffer;
};

/// dx = scale · g − from_bias − (x − mean) · from_weight: the last pass, its factors by channel.
struct GradientFactors {
  const float* mean;
  float* scale;        // weight · inverse_std
  float* from_bias;    // scale · dbias / n
  float* from_weight;  // scale · inverse_std · dweight / n
};

struct BackwardWorkspace {
  /// For sums over `chunks` of an image like `g`.
  BackwardWorkspace(const float* mean, const Geometry& g, const Chunks& chunks, Workspace workspace)
      : factors{mean, workspace.take<float>(g.channels), workspace.take<float>(g.channels),
                workspace.take<float>(g.channels)} {
    for (int64_t part = 0; part < chunks.parts; ++part) {
      threads.emplace_back(workspace, g.channels, chunks.length);
    }
  }
  static size_t bytes(const Geometry& g, const Chunks& chunks) {
    return 3 * Workspace::room_for<float>(g.channels) +
           chunks.parts * BackwardScratch::bytes(g.channels, chunks.length);
  }
  GradientFactors factors;
  std::vector<BackwardScratch> threads;
};

/// Adds the sums of the chunk [begin, end) of whole rows: in float within the chunk, then in
/// double.
template <class T, class Passed>
void add_row_sums(const GradientTerms<T, Passed>& terms, int64_t C, int64_t begin, int64_t end,
                  const BackwardScratch& s) {
  const T* const x = terms.x;
  const float* const mean = terms.mean;
  const float* const g = terms.passed.load(begin, end, s.buffer);
  std::fill_n(s.g, C, 0.0f);
  std::fill_n(s.g_centred, C, 0.0f);
  for (int64_t row = begin; row < end; row += C) {
    const float* const g_row = g + (row - begin);
#pragma omp simd
    for (int64_t c = 0; c < C; ++c) {
      s.g[c] += g_row[c];
      s.g_centred[c] += g_row[c] * (static_cast<float>(x[row + c]) - mean[c]);
    }
  }
  for (int64_t c = 0; c < C; ++c) {
    s.sums[c].g += static_cast<double>(s.g[c]);
    s.sums[c].g_centred += static_cast<double>(s.g_centred[c]);
  }
}

/// The sums of one channel of an nchw image.
template <class T, class Passed>
GradientSums plane_sums(const GradientTerms<T, Passed>& terms, const Geometry& g, int64_t c,
                        float* buffer) {
  const float mean = terms.mean[c];
  GradientSums total;
  for (int64_t n = 0; n < g.outer; ++n) {
    const int64_t plane = (n * g.channels + c) * g.inner;
    for (int64_t at = plane; at < plane + g.inner; at += block_values) {
      const int64_t end = std::min(at + block_values, plane + g.inner);
      const float* const dy = terms.passed.load(at, end, buffer);
      float sums[chains] = {}, sums_centred[chains] = {};
      in_chains(end - at, [&](int64_t k, int64_t i) {
        sums[k] += dy[i];
        sums_centred[k] += dy[i] * (static_cast<float>(terms.x[at + i]) - mean);
      });
      total.g += static_cast<double>(sum_of_chains(sums));
      total.g_centred += static_cast<double>(sum_of_chains(sums_centred));
    }
  }
  return total;
}

/// Sums over an image like `g`. Writes those of all threads to the first one's.
template <class T, class Passed>
void sum_gradients(const GradientTerms<T, Passed>& terms, const Geometry& g, const Chunks& chunks,
                   const BackwardWorkspace& workspace) {
  GradientSums* const total = workspace.threads[0].sums;
  if (g.inner > 1) {
    for_each_part(g.channels, chunks.parts, [&](int64_t part, int64_t first, int64_t last) {
      for (int64_t c = first; c < last; ++c) {
        total[c] = plane_sums(terms, g, c, workspace.threads[part].buffer);
      }
    });
    return;
  }
  for_each_part(chunks.count, chunks.parts, [&](int64_t part, int64_t first, int64_t last) {
    const BackwardScratch& scratch = workspace.threads[part];
    std::fill_n(scratch.sums, g.channels, GradientSums{});
    for (int64_t chunk = first; chunk < last; ++chunk) {
      add_row_sums(terms, g.channels, chunks.begin(chunk), chunks.end(chunk), scratch);
    }
  });
  for (int64_t part = 1; part < chunks.parts; ++part) {
    for (int64_t c = 0; c < g.channels; ++c) {
      total[c].g += workspace.threads[part].sums[c].g;
      total[c].g_centred += workspace.threads[part].sums[c].g_centred;
    }
  }
}

/// Writes op.dweight, op.dbias and the factors. n: elements of x that a channel has.
template <class Op>
void write_parameter_gradients(const Op& op, int64_t n, const GradientSums* sums,
                               const GradientFactors& factors) {
  const double count = static_cast<double>(n);
  for (int64_t c = 0; c < op.weight.dim(0); ++c) {
    const double inverse_std = static_cast<double>(op.inverse_std.template as<float>()[c]);
    const double scale = static_cast<double>(op.weight.template as<float>()[c]) * inverse_std;
    const double dweight = sums[c].g_centred * inverse_std;
    op.dweight.template as<float>()[c] = static_cast<float>(dweight);
    op.dbias.template as<float>()[c] = static_cast<float>(sums[c].g);
    factors.scale[c] = static_cast<float>(scale);
    factors.from_bias[c] = static_cast<float>(scale * sums[c].g / count);
    factors.from_weight[c] = static_cast<float>(scale * inverse_std * dweight / count);
  }
}

}  // namespace burin::cpu
