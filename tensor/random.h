#pragma once

#include <cstdint>

#include "burin/tensor/tensor.h"

namespace burin {

/// A stream of random numbers: Philox 4x32-10 with its state {seed, offset} in device memory, so
/// that a captured step draws new numbers at each replay. Every op that draws advances the offset
/// by 1.
class Generator {
 public:
  explicit Generator(uint64_t seed, Device device = Device::cpu());

  /// [2] i64, for kernels.
  Tensor& state() { return state_; }
  /// What a checkpoint needs.
  std::pair<uint64_t, uint64_t> seed_and_offset() const;
  void set(uint64_t seed, uint64_t offset);
  /// Goes on with the same numbers on another device, for all that hold on to it.
  void move_to(Device device);
  /// False while a DrawNothing holds it.
  bool draws() const { return draws_; }

 private:
  friend class DrawNothing;
  Tensor state_;
  bool draws_ = true;
};

/// While it lives, drawing from `generator` leaves tensors as they are and the offset too. For a
/// model whose weights a file is about to fill: to draw them first takes longer than to predict.
class DrawNothing {
 public:
  explicit DrawNothing(Generator& generator) : generator_(generator), before_(generator.draws_) {
    generator.draws_ = false;
  }
  ~DrawNothing() { generator_.draws_ = before_; }
  DrawNothing(const DrawNothing&) = delete;
  DrawNothing& operator=(const DrawNothing&) = delete;

 private:
  Generator& generator_;
  bool before_;
};

/// In-place fills. Each draws with one generator call; equal seeds give equal tensors in any
/// layout.
void uniform_(Tensor& x, double low, double high, Generator& generator);
void normal_(Tensor& x, double mean, double std, Generator& generator);
/// Within ±2 standard deviations of the mean.
void truncated_normal_(Tensor& x, double mean, double std, Generator& generator);
/// 1 with probability p, else 0.
void bernoulli_(Tensor& x, double p, Generator& generator);
void fill_(Tensor& x, double value);

}  // namespace burin
