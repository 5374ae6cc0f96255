#include "burin/kernels/cpu/support/attention_blocked.h"

#include <algorithm>
#include <cmath>

#include "burin/kernels/cpu/support/attention_factors.h"
#include "burin/kernels/cpu/support/exponential.h"
#include "burin/kernels/cpu/support/parts.h"

namespace burin::cpu {
namespace {

constexpr int64_t block = 64;  // queries: their scores over ViT's 197 keys take 57 KB

/// Row of scores → exp(scale · s − shift), in place; returns their sum. Zeros behind them.
double exponentiate(float* s, int64_t U, float scale, float shift) {
  std::fill(s + U, s + padded(U), 0.0f);
  return sum_of(U, [&](int64_t first, int64_t count) {
    const Vector p = exponential(load_or_lowest(s + first, count) * scale - shift);
    store_channels(s + first, p, count);
    return only_first(p, count);
  });
}

template <class T>
float dot(const T* a, const T* b, int64_t D) {
  return static_cast<float>(sum_of(D, [&](int64_t first, int64_t count) {
    return load_channels(a + first, count) * load_channels(b + first, count);
  }));
}

template <class T>
void write_row(const float* from, float factor, const Rows<T>& to, int64_t i) {
  for_stretches(0, to.D, [&](int64_t first, int64_t count) {
    store_channels(to.row(i) + first, load(from + first) * factor, count);
  });
}

/// Calls use(T, Factors) with the operands' element and with what is multiplied: pairs need rows
/// that begin and end with one.
template <class Use>
void with_factors(std::initializer_list<ConstView> views, const Use& use) {
  const bool pairs =
      multiplies_pairs() && std::all_of(views.begin(), views.end(), [](const ConstView& view) {
        const auto even = [](int64_t n) { return n % 2 == 0; };
        return view.dtype == DType::bf16 && even(view.dim(3)) && even(view.strides[0]) &&
               even(view.strides[1]) && even(view.strides[2]) &&
               reinterpret_cast<uintptr_t>(view.data) % sizeof(BfloatPair) == 0;
      });
  if (pairs) return use(TypeTag<bfloat16>(), Pairs());
  visit_floating(views.begin()->dtype, [&](auto tag) { use(tag, Floats()); });
}

/// Calls head(index, scratch) for all heads, on all threads.
template <class Head>
void for_each_head(const ConstView& q, size_t bytes, Workspace workspace, const Head& head) {
  const int64_t heads = q.dim(0) * q.dim(1);
  for_each_part(heads, parts_for(heads, 1), [&](int64_t part, int64_t begin, int64_t end) {
    const Workspace scratch{static_cast<std::byte*>(workspace.data) + part * bytes, bytes};
    for (int64_t i = begin; i < end; ++i) head(i, scratch);
  });
}

size_t in_all_parts(const ConstView& q, size_t bytes) {
  return static_cast<size_t>(parts_for(q.dim(0) * q.dim(1), 1)) * bytes;
}

/// Bytes of a matrix of words, and the matrix itself.
size_t room(int64_t rows, int64_t columns) {
  return Workspace::room_for<float>(static_cast<size_t>(rows * columns));
}
template <class Word>
Word* take(Workspace& scratch, int64_t rows, int64_t columns) {
  return scratch.take<Word>(static_cast<size_t>(rows * columns));
}

// -- forward --------------------------------------------------------------------------------------

/// Of one head, whatever the factors.
size_t scratch_bytes(const AttentionForward& op) {
  const int64_t U = op.k.dim(2), D = op.q.dim(3);
  return room(padded(U), D) + room(U, padded(D)) + room(block, D) + room(block, padded(U)) +
         room(block, padded(D)) + MadeFactor<Pairs>::room(block, U);
}

/// y = softmax(scale · q · kᵀ) · v, a block of queries at a time.
template <class T, class Factors>
void forward_head(const AttentionForward& op, int64_t head, Workspace scratch) {
  using Word = typename Factors::Word;
  const auto q = rows_of_head<const T>(op.q, head), k = rows_of_head<const T>(op.k, head);
  const auto v = rows_of_head<const T>(op.v, head);
  const auto to = rows_of_head<T>(op.y, head);
  const int64_t U = k.count, D = q.D;
  for (const auto& rows : {k, v, q.part(0, block)}) fetch(rows);
  const auto keys = pack_as_columns<Factors>(k, take<Word>(scratch, padded(U), D));
  const auto values = pack_as_steps<Factors>(v, take<Word>(scratch, U, padded(D)));
  float* const queries = take<float>(scratch, block, D);
  float* const scores = take<float>(scratch, block, padded(U));
  float* const sums = take<float>(scratch, block, padded(D));
  float* const log_sum_exp = op.log_sum_exp.as<float>() + head * q.count;
  for (int64_t first = 0; first < q.count; first += block) {
    const int64_t rows = std::min(block, q.count - first);
    fetch(q.part(first + block, block));
    multiply(rows_on_the_left<Factors>(q.part(first, rows), queries), keys, scores);
    float inverses[block];
    for (int64_t i = 0; i < rows; ++i) {
      float* const row = scores + i * padded(U);
      const float shift = op.scale * top_of(row, U);
      const double sum = exponentiate(row, U, op.scale, shift);
      log_sum_exp[first + i] = shift + static_cast<float>(std::log(sum));
      inverses[i] = static_cast<float>(1 / sum);
    }
    multiply(MadeFactor<Factors>(scores, rows, U, scratch).left(), values, sums);
    for (int64_t i = 0; i < rows; ++i) {
      write_row(sums + i * padded(D), inverses[i], to, first + i);
    }
  }
}

// -- backward -------------------------------------------------------------------------------------

size_t scratch_bytes(const AttentionBackward& op) {
  const int64_t U = op.k.dim(2), D = op.q.dim(3);
  return 2 * room(padded(U), D) + 3 * room(U, padded(D)) + 2 * room(block, D) +
         3 * room(block, padded(D)) + 2 * room(block, padded(U)) +
         MadeFactor<Pairs>::room(block, U);
}

/// One head: its keys and values packed, the sums of their gradients, and a block's buffers.
template <class T, class Factors>
class BackwardHead {
 public:
  BackwardHead(const AttentionBackward& op, int64_t head, Workspace scratch)
      : scale_(op.scale),
        q_(rows_of_head<const T>(op.q, head)),
        k_(rows_of_head<const T>(op.k, head)),
        v_(rows_of_head<const T>(op.v, head)),
        y_(rows_of_head<const T>(op.y, head)),
        dy_(rows_of_head<const T>(op.dy, head)),
        to_q_(rows_of_head<T>(op.dq, head)),
        to_k_(rows_of_head<T>(op.dk, head)),
        to_v_(rows_of_head<T>(op.dv, head)),
        log_sum_exp_(op.log_sum_exp.as<float>() + head * q_.count),
        dk_(take<float>(scratch, U_, padded(D_))),
        dv_(take<float>(scratch, U_, padded(D_))),
        q_left_(take<float>(scratch, block, D_)),
        dy_left_(take<float>(scratch, block, D_)),
        q_steps_(take<Word>(scratch, block, padded(D_))),
        dy_steps_(take<Word>(scratch, block, padded(D_))),
        dq_(take<float>(scratch, block, padded(D_))),
        p_(take<float>(scratch, block, padded(U_))),
        ds_(take<float>(scratch, block, padded(U_))) {
    for (const auto& rows : {k_, v_}) fetch(rows);
    for (const auto& rows : {q_, dy_, y_}) fetch(rows.part(0, block));
    keys_ = pack_as_columns<Factors>(k_, take<Word>(scratch, padded(U_), D_));
    values_ = pack_as_columns<Factors>(v_, take<Word>(scratch, padded(U_), D_));
    key_steps_ = pack_as_steps<Factors>(k_, take<Word>(scratch, U_, padded(D_)));
    scratch_ = scratch;
  }

  void run() {
    for (int64_t first = 0; first < q_.count; first += block) {
      for (const auto& next : {q_, dy_, y_}) fetch(next.part(first + block, block));
      add_block(first, std::min(block, q_.count - first));
    }
    for (int64_t u = 0; u < U_; ++u) {
      write_row(dk_ + u * padded(D_), 1, to_k_, u);
      write_row(dv_ + u * padded(D_), 1, to_v_, u);
    }
  }

 private:
  using Word = typename Factors::Word;

  /// Queries [first, first + rows): writes dq and adds to dk and dv.
  void add_block(int64_t first, int64_t rows) {
    const auto queries = q_.part(first, rows), dys = dy_.part(first, rows);
    multiply(rows_on_the_left<Factors>(queries, q_left_), keys_, p_);
    multiply(rows_on_the_left<Factors>(dys, dy_left_), values_, ds_);  // dp, so far
    for (int64_t i = 0; i < rows; ++i) {
      exponentiate(p_ + i * padded(U_), U_, scale_, log_sum_exp_[first + i]);
      finish_ds(i, dot(dys.row(i), y_.row(first + i), D_));
    }
    const MadeFactor<Factors> ds(ds_, rows, U_, scratch_);
    multiply(ds.left(), key_steps_, dq_);
    for (int64_t i = 0; i < rows; ++i) write_row(dq_ + i * padded(D_), 1, to_q_, first + i);
    multiply(ds.turned(), pack_as_steps<Factors>(queries, q_steps_), dk_, first > 0);
    multiply(MadeFactor<Factors>(p_, rows, U_, scratch_).turned(),
             pack_as_steps<Factors>(dys, dy_steps_), dv_, first > 0);
  }

  /// Row i of dp → scale · p · (dp − r), zeros behind it.
  void finish_ds(int64_t i, float r) {
    const float* const p = p_ + i * padded(U_);
    float* const ds = ds_ + i * padded(U_);
    for_stretches(0, U_, [&](int64_t first, int64_t count) {
      const Vector dp = load_channels(ds + first, count);
      store_channels(ds + first, scale_ * load_channels(p + first, count) * (dp - r), count);
    });
    std::fill(ds + U_, ds + padded(U_), 0.0f);
  }

  float scale_;
  Rows<const T> q_, k_, v_, y_, dy_;
  Rows<T> to_q_, to_k_, to_v_;
  int64_t U_ = k_.count, D_ = q_.D;
  const float* log_sum_exp_;
  float *dk_, *dv_;  // [U, padded D]
  float *q_left_, *dy_left_;
  Word *q_steps_, *dy_steps_;
  float *dq_, *p_, *ds_;  // of a block
  RightFactor<Word> keys_, values_, key_steps_;
  Workspace scratch_;  // what is left
};

}  // namespace

size_t blocked_workspace(const AttentionForward& op, const Context& /*context*/) {
  return in_all_parts(op.q, scratch_bytes(op));
}

size_t blocked_workspace(const AttentionBackward& op, const Context& /*context*/) {
  return in_all_parts(op.q, scratch_bytes(op));
}

void blocked_attention(const AttentionForward& op, Workspace workspace, Stream& /*stream*/) {
  with_factors({op.q, op.k, op.v}, [&](auto tag, auto factors) {
    using T = typename decltype(tag)::type;
    for_each_head(op.q, scratch_bytes(op), workspace, [&](int64_t head, Workspace scratch) {
      forward_head<T, decltype(factors)>(op, head, scratch);
    });
  });
}

void blocked_attention(const AttentionBackward& op, Workspace workspace, Stream& /*stream*/) {
  with_factors({op.q, op.k, op.v, op.dy}, [&](auto tag, auto factors) {
    using T = typename decltype(tag)::type;
    for_each_head(op.q, scratch_bytes(op), workspace, [&](int64_t head, Workspace scratch) {
      BackwardHead<T, decltype(factors)>(op, head, scratch).run();
    });
  });
}

}  // namespace burin::cpu
