// A training loop of one's own: which of three arms of a spiral is a point on? See README.md.
#include <burin/nn/adam.h>
#include <burin/nn/linear.h>
#include <burin/nn/state_dict.h>
#include <burin/tensor/autograd.h>
#include <burin/tensor/ops/activation.h>
#include <burin/tensor/ops/cross_entropy.h>

#include <cmath>
#include <iostream>

using namespace burin;

/// Points [N, 2] → logits [N, 3].
struct Net final : nn::Module {
  explicit Net(Generator& generator)
      : first(2, 64, true, generator),
        second(64, 64, true, generator),
        last(64, 3, true, generator) {}
  Tensor forward(const Tensor& x) {
    return last.forward(relu(second.forward(relu(first.forward(x)))));
  }
  void visit(nn::Visitor& visitor) override {  // the names in the saved state
    visitor.child("first", first);
    visitor.child("second", second);
    visitor.child("last", last);
  }
  std::string describe() const override { return "Net"; }

  nn::Linear first, second, last;
};

void train() {
  std::vector<float> points;
  std::vector<int64_t> arms;
  for (int i = 0; i < 600; ++i) {
    const float along = static_cast<float>(i / 3) / 200, turn = 5 * along + 2.0944f * (i % 3);
    points.insert(points.end(), {along * std::cos(turn), along * std::sin(turn)});
    arms.push_back(i % 3);
  }
  const Tensor x = Tensor::from(points, {600, 2});
  const Tensor target = Tensor::from(arms, {600}, {.dtype = DType::i64});

  Generator generator(0);
  Net net(generator);
  nn::Adam adam({{.parameters = nn::parameters(net), .learning_rate = 0.01}});
  for (int step = 1; step <= 300; ++step) {
    adam.zero_grad();
    const Tensor loss = cross_entropy(net.forward(x), target);
    backward(loss);
    adam.step();
    if (step % 50 == 0) std::cout << "step " << step << ": loss " << loss.item() << '\n';
  }
  nn::save_state("spiral.pth", nn::state(net));
}

int main() {
  try {
    train();
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  return 0;
}
