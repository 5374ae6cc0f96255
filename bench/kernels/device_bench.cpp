// The kernels of a ResNet-18 training step on a GPU: every implementation of convolution (three
// directions), batch norm, max pooling, addition and Adam on the shapes of a batch, and ViT-B/16's
// attention, beside the device's copy bandwidth.
//
//   burin_device_bench [--device cuda] [--batch 256] [--image 224] [--op PREFIX] [--seconds 0.02]
//
// A line of JSON for each row: op, shape, implementation, microseconds, TFLOP/s and GB/s of the
// definition, and the largest difference from the first implementation's result, as a share of its
// largest element; where that is more than 16 bits round, the exit status is 1. Calls are recorded
// some at a time and replayed, so that what the host does for each does not show. What fits into
// the L2 cache is measured there, beside copies of such sizes.
#include <algorithm>
#include <cmath>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "burin/kernels/adam.h"
#include "burin/kernels/attention.h"
#include "burin/kernels/batch_norm.h"
#include "burin/kernels/batch_norm_max_pool.h"
#include "burin/kernels/check/case.h"
#include "burin/kernels/conv2d.h"
#include "burin/kernels/elementwise.h"
#include "burin/kernels/pool2d.h"
#include "burin/models/catalog.h"
#include "burin/nn/module.h"
#include "burin/tensor/context.h"
#include "burin/tensor/random.h"
#include "burin/tensor/step_graph.h"

namespace burin {
namespace {

struct Options {
  Device device = Device::cuda();
  int64_t batch = 256;
  int64_t image = 224;
  std::string op;
  double seconds = 0.02;
};

/// What an op computes, and what that costs by its definition.
struct Work {
  std::string shape;
  double flops = 0;
  double bytes = 0;
  Tensor result;  // one output, for comparing implementations; or undefined
};

class DeviceBench {
 public:
  explicit DeviceBench(Options options)
      : options_(std::move(options)), generator_(1, options_.device) {}

  /// Whether all implementations agreed.
  bool run();

 private:
  Tensor random(const Shape& shape, DType dtype = DType::bf16, double low = -1, double high = 1) {
    Tensor x = empty(shape, {dtype, options_.device, Layout::nhwc});
    uniform_(x, low, high, generator_);
    return x;
  }
  Tensor room(const Shape& shape, DType dtype) {
    return empty(shape, {dtype, options_.device, Layout::nhwc});
  }
  template <class Op>
  void time_all(const Op& op, const Work& work);
  void row(std::string_view op, const std::string& implementation, const Work& work, double seconds,
           double difference) const;

  double seconds_of(const std::function<void()>& queue) const;
  void copy_bandwidth(int64_t bytes);
  void convolution(int64_t C, int64_t K, int64_t extent, int64_t filter, int64_t stride);
  void batch_norm(int64_t C, int64_t extent, bool residual);
  void max_pool(int64_t C, int64_t extent);
  void batch_norm_max_pool(int64_t C, int64_t extent);
  void addition(int64_t C, int64_t extent);
  void attention();
  void adam();

  Options options_;
  Generator generator_;
  bool agreed_ = true;
};

double bytes_of(const std::vector<Tensor>& tensors) {
  double sum = 0;
  for (const Tensor& t : tensors) {
    if (t.defined())
      sum += static_cast<double>(t.numel()) * static_cast<double>(size_of(t.dtype()));
  }
  return sum;
}

/// The largest difference, as a share of the largest element of `expected`.
double difference(const std::vector<float>& actual, const std::vector<float>& expected) {
  double apart = 0;
  double largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double one = std::abs(static_cast<double>(actual[i]) - static_cast<double>(expected[i]));
    apart = one <= apart ? apart : one;  // NaN stays
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
  }
  return largest > 0 ? apart / largest : apart;
}

constexpr double most_apart = 1e-2;  // 16 bits of two results round to 2⁻⁸ of their largest

/// Some thousand elements spread over a result.
std::vector<float> sample(const Tensor& result) {
  if (!result.defined()) return {};
  const int64_t step = std::max<int64_t>(result.numel() / 4099, 1);
  const int64_t count = result.numel() / step;
  const Tensor some = result.alias({count}, {step});
  return some.to_vector<float>();
}

void DeviceBench::row(std::string_view op, const std::string& implementation, const Work& work,
                      double seconds, double apart) const {
  std::cout << R"({"op": ")" << op << R"(", "shape": ")" << work.shape
            << R"(", "implementation": ")" << implementation << R"(", "us": )" << seconds * 1e6
            << R"(, "tflops": )" << work.flops / seconds * 1e-12 << R"(, "gbs": )"
            << work.bytes / seconds * 1e-9 << R"(, "difference": )"
            << (std::isfinite(apart) ? str(apart) : "null") << "}" << std::endl;
}

/// Of one call, in a recording of several where the device can record.
double DeviceBench::seconds_of(const std::function<void()>& queue) const {
  const auto wait = [&] { synchronize(options_.device); };
  if (!StepGraph::is_possible(options_.device)) {
    return checks::median_seconds(queue, wait, options_.seconds);
  }
  constexpr int calls = 20;
  StepGraph graph(options_.device, [&] {
    for (int i = 0; i < calls; ++i) queue();
  });
  return checks::median_seconds([&] { graph.replay(); }, wait, options_.seconds) / calls;
}

template <class Op>
void DeviceBench::time_all(const Op& op, const Work& work) {
  if (!Op::name.starts_with(options_.op)) return;
  Stream& stream = current_stream(options_.device);
  const Context context{stream};
  std::vector<float> expected;
  for (const Candidate& candidate : candidates(op, context)) {
    if (!candidate.refusal.empty()) continue;
    const auto& implementation =
        checks::find_implementation<Op>(candidate.name, options_.device.kind);
    if (implementation.place == place::plain) continue;  // takes minutes
    try {
      const size_t bytes = implementation.workspace_bytes(op, context);
      const Storage scratch((bytes + 127) / 64 * 64, options_.device);
      const auto queue = [&] { implementation.run(op, {scratch.data(), scratch.bytes()}, stream); };
      queue();
      const std::vector<float> actual = sample(work.result);
      if (expected.empty()) expected = actual;
      const double apart = difference(actual, expected);
      agreed_ = agreed_ && apart <= most_apart;
      row(Op::name, candidate.name, work, seconds_of(queue), apart);
    } catch (const Error& error) {
      std::cerr << Op::name << ' ' << work.shape << ' ' << candidate.name << ": " << error.what()
                << std::endl;
    }
  }
}

void DeviceBench::copy_bandwidth(int64_t bytes) {
  const Tensor from = random({bytes / 2});
  Tensor to = empty_like(from);
  DeviceRuntime& runtime = runtime_of(options_.device);
  Stream& stream = current_stream(options_.device);
  const double seconds = seconds_of([&] {
    runtime.copy(stream, to.writable().data, options_.device, from.view().data, options_.device,
                 static_cast<size_t>(bytes));
  });
  row("copy", "device to device", {str(bytes, " bytes"), 0, bytes_of({from, to}), {}}, seconds, 0);
}

void DeviceBench::convolution(int64_t C, int64_t K, int64_t extent, int64_t filter,
                              int64_t stride) {
  const Conv2dParams params = {
      .stride_h = stride, .stride_w = stride, .pad_h = filter / 2, .pad_w = filter / 2};
  const int64_t out = params.output_h(extent, filter), N = options_.batch;
  const Tensor x = random({N, C, extent, extent}), w = random({K, C, filter, filter});
  const Tensor dy = random({N, K, out, out});
  Tensor y = room(dy.shape(), DType::bf16), dx = room(x.shape(), DType::bf16);
  const double flops = 2.0 * static_cast<double>(N * K * out * out * C * filter * filter);
  const std::string shape = str(x.shape(), " * ", w.shape(), " stride ", stride);
  time_all(Conv2dForward{x.view(), w.view(), y.writable(), params, {}},
           {shape, flops, bytes_of({x, w, y}), y});
  if (C > 3) {  // nobody asks for the images' gradient
    time_all(Conv2dBackwardData{dy.view(), w.view(), dx.writable(), params},
             {shape, flops, bytes_of({dy, w, dx}), dx});
    time_all(Conv2dBackwardData{dy.view(), w.view(), dx.writable(), params, x.view()},
             {str(shape, " + residual"), flops, bytes_of({dy, w, x, dx}), dx});
  }
  for (const DType dtype : {DType::f32, DType::bf16}) {  // training's; and what cuDNN has, too
    Tensor dw = room(w.shape(), dtype);
    time_all(Conv2dBackwardWeight{dy.view(), x.view(), dw.writable(), params},
             {str(shape, " -> ", dtype), flops, bytes_of({dy, x, dw}), dw});
  }
}

void DeviceBench::batch_norm(int64_t C, int64_t extent, bool with_residual) {
  const Shape shape = {options_.batch, C, extent, extent};
  const Tensor x = random(shape), dy = random(shape), weight = random({C}, DType::f32, 0.5, 1.5);
  const Tensor bias = random({C}, DType::f32);
  const Tensor residual = with_residual ? random(shape) : Tensor();
  Tensor y = room(shape, DType::bf16), dx = room(shape, DType::bf16);
  Tensor dresidual = with_residual ? room(shape, DType::bf16) : Tensor();
  Tensor mean = room({C}, DType::f32), inverse_std = room({C}, DType::f32);
  Tensor running_mean = zeros({C}, mean.options()), running_variance = full({C}, 1, mean.options());
  Tensor dweight = room({C}, DType::f32), dbias = room({C}, DType::f32);
  Tensor mask = empty({(x.numel() + 7) / 8}, {DType::u8, options_.device});
  const auto view = [](Tensor& t) { return t.defined() ? t.writable() : View(); };
  const std::string text = str(shape, " relu", with_residual ? " residual" : "");
  // Statistics need a first reading of x, and gradients one of x, dy and the mask.
  time_all(BatchNormTrain{x.view(), weight.view(), bias.view(),
                          with_residual ? residual.view() : ConstView(), y.writable(),
                          mean.writable(), inverse_std.writable(), running_mean.writable(),
                          running_variance.writable(), View(), mask.writable(), true, 0.1f, 1e-5f},
           {text, 0, bytes_of({x, x, residual, y, mask}), y});
  time_all(BatchNormBackward{dy.view(), x.view(), weight.view(), mean.view(), inverse_std.view(),
                             mask.view(), dx.writable(), view(dresidual), dweight.writable(),
                             dbias.writable()},
           {text, 0, bytes_of({x, dy, mask, x, dy, mask, dx, dresidual}), dx});
}

void DeviceBench::max_pool(int64_t C, int64_t extent) {
  const Pool2dParams params = {3, 3, 2, 2, 1, 1};
  const int64_t out = params.output_h(extent), N = options_.batch;
  const Tensor x = random({N, C, extent, extent}), dy = random({N, C, out, out});
  Tensor y = room(dy.shape(), DType::bf16), index = room(dy.shape(), DType::i32);
  Tensor dx = room(x.shape(), DType::bf16);
  const std::string text = str(x.shape(), " 3x3 stride 2");
  time_all(MaxPool2dForward{x.view(), y.writable(), index.writable(), params},
           {text, 0, bytes_of({x, y, index}), y});
  time_all(MaxPool2dBackward{dy.view(), index.view(), dx.writable(), params},
           {text, 0, bytes_of({dy, index, dx}), dx});
}

void DeviceBench::batch_norm_max_pool(int64_t C, int64_t extent) {
  const Pool2dParams params = {3, 3, 2, 2, 1, 1};
  const int64_t out = params.output_h(extent), N = options_.batch;
  const Tensor x = random({N, C, extent, extent}), dy = random({N, C, out, out});
  const Tensor weight = random({C}, DType::f32, 0.5, 1.5), bias = random({C}, DType::f32);
  Tensor y = room(dy.shape(), DType::bf16), chosen = room(dy.shape(), DType::bf16);
  Tensor index = room(dy.shape(), DType::u8), dx = room(x.shape(), DType::bf16);
  Tensor mean = room({C}, DType::f32), inverse_std = room({C}, DType::f32);
  Tensor running_mean = zeros({C}, mean.options()), running_variance = full({C}, 1, mean.options());
  Tensor dweight = room({C}, DType::f32), dbias = room({C}, DType::f32);
  const std::string text = str(x.shape(), " 3x3 stride 2");
  // Statistics need a first reading of x, and gradients one of what was pooled.
  time_all(
      BatchNormMaxPoolTrain{x.view(), weight.view(), bias.view(), y.writable(), index.writable(),
                            chosen.writable(), mean.writable(), inverse_std.writable(),
                            running_mean.writable(), running_variance.writable(), View(), params},
      {text, 0, bytes_of({x, x, y, index, chosen}), y});
  time_all(BatchNormMaxPoolBackward{dy.view(), index.view(), chosen.view(), x.view(), weight.view(),
                                    mean.view(), inverse_std.view(), dx.writable(),
                                    dweight.writable(), dbias.writable(), params},
           {text, 0, bytes_of({dy, index, chosen, x, dy, index, dx}), dx});
}

void DeviceBench::addition(int64_t C, int64_t extent) {
  const Shape shape = {options_.batch, C, extent, extent};
  const Tensor a = random(shape), b = random(shape);
  Tensor y = room(shape, DType::bf16);
  time_all(ElementwiseBinary{a.view(), b.view(), y.writable(), BinaryKind::add},
           {str(shape), 0, bytes_of({a, b, y}), y});
}

/// 64 images of a ViT-B/16 at 224×224: q, k and v are views of what one layer wrote.
void DeviceBench::attention() {
  const int64_t N = 64, H = 12, T = 197, D = 64;
  const Tensor qkv = random({N, T, 3 * H * D}), dy = random({N, T, H * D});
  const Tensor y = room(dy.shape(), DType::bf16), dqkv = room(qkv.shape(), DType::bf16);
  Tensor log_sum_exp = room({N, H, T}, DType::f32);
  const auto heads = [&](const Tensor& packed, int64_t part) {
    const int64_t token = packed.dim(2);
    return packed.alias({N, H, T, D}, {T * token, D, token, 1}, part * H * D);
  };
  const auto q = [&](const Tensor& packed) { return heads(packed, 0); };
  const auto k = [&](const Tensor& packed) { return heads(packed, 1); };
  const auto v = [&](const Tensor& packed) { return heads(packed, 2); };
  const float scale = 1 / std::sqrt(static_cast<float>(D));
  const std::string text = str(Shape{N, H, T, D}, " packed");
  const double product = 2 * static_cast<double>(N * H * T * T * D);  // of the two or five each
  time_all(AttentionForward{q(qkv).view(), k(qkv).view(), v(qkv).view(), q(y).writable(),
                            log_sum_exp.writable(), scale},
           {text, 2 * product, bytes_of({qkv, y, log_sum_exp}), y});
  time_all(AttentionBackward{q(dy).view(), q(qkv).view(), k(qkv).view(), v(qkv).view(), q(y).view(),
                             log_sum_exp.view(), q(dqkv).writable(), k(dqkv).writable(),
                             v(dqkv).writable(), scale},
           {text, 5 * product, bytes_of({dy, qkv, y, log_sum_exp, dqkv}), dqkv});
}

/// All parameters of a ResNet-18.
void DeviceBench::adam() {
  Generator init(0);
  const auto net = models::make_model("resnet18", 1000, init);
  std::vector<Tensor> tensors;
  AdamStep op;
  for (const nn::NamedTensor& p : nn::parameters(*net)) {
    Tensor parameter = random(p.tensor.shape(), DType::f32);
    const Tensor gradient = random(p.tensor.shape(), DType::f32);
    Tensor m = zeros(p.tensor.shape(), parameter.options()), v = zeros(m.shape(), m.options());
    op.slots.push_back({parameter.writable(), gradient.view(), m.writable(), v.writable(), {}});
    // Each of parameter, m and v is read and written.
    tensors.insert(tensors.end(), {parameter, gradient, m, v, parameter, m, v});
  }
  const Tensor first_values = tensors.front();
  Tensor scalars = Tensor::from(std::vector<float>{1e-3f, 0.9f, 0, 1, 0}, {optimizer_scalar_count},
                                {.device = options_.device});
  op.scalars = scalars.writable();
  time_all(op, {str(op.slots.size(), " parameters of resnet18"), 0, bytes_of(tensors), {}});
}

bool DeviceBench::run() {
  const auto wanted = [&](std::string_view ops) {
    return ops.starts_with(options_.op) || options_.op.starts_with(ops);
  };
  const int64_t quarter = options_.image / 4;  // behind stem and pooling
  if (wanted("copy")) copy_bandwidth(int64_t{1} << 31);
  if (wanted("batch_norm")) {
    batch_norm(64, options_.image / 2, false);
    for (int64_t C = 64, extent = quarter; C <= 512; C *= 2, extent /= 2) {
      copy_bandwidth(2 * options_.batch * C * extent * extent);
      batch_norm(C, extent, false);
      batch_norm(C, extent, true);
    }
  }
  if (wanted("max_pool2d")) max_pool(64, options_.image / 2);
  if (wanted("batch_norm_max_pool")) batch_norm_max_pool(64, options_.image / 2);
  if (wanted("elementwise")) addition(64, quarter);
  if (wanted("attention")) attention();
  if (wanted("adam")) adam();
  if (wanted("conv2d")) {  // the longest
    convolution(3, 64, options_.image, 7, 2);
    convolution(64, 64, quarter, 3, 1);
    for (int64_t C = 64, extent = quarter; C < 512; C *= 2, extent /= 2) {
      convolution(C, 2 * C, extent, 3, 2);
      convolution(C, 2 * C, extent, 1, 2);
      convolution(2 * C, 2 * C, extent / 2, 3, 1);
    }
  }
  return agreed_;
}

Options options_of(const std::vector<std::string>& words) {
  Options options;
  for (size_t i = 0; i + 1 < words.size(); i += 2) {
    const std::string& name = words[i];
    const std::string& value = words[i + 1];
    if (name == "--device") {
      options.device = Device::parse(value);
    } else if (name == "--batch") {
      options.batch = std::stoll(value);
    } else if (name == "--image") {
      options.image = std::stoll(value);
    } else if (name == "--op") {
      options.op = value;
    } else if (name == "--seconds") {
      options.seconds = std::stod(value);
    } else {
      fail("unknown option ", name);
    }
  }
  check(words.size() % 2 == 0, "every option has a value");
  return options;
}

}  // namespace
}  // namespace burin

int main(int argc, char** argv) {
  try {
    return burin::DeviceBench(burin::options_of({argv + 1, argv + argc})).run() ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "burin_device_bench: error: " << error.what() << '\n';
    return 1;
  }
}
