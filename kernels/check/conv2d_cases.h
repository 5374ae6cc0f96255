#pragma once

#include "burin/kernels/check/sum_of_products.h"
#include "burin/kernels/conv2d.h"

namespace burin::checks {

// The geometries that conv2d.cpp holds the convolutions to, each with the reason it is there.

struct Conv2dCase {
  const char* why;
  Shape x;  // [N, C, H, W]
  Shape w;  // [K, C / groups, R, S]
  Conv2dParams params = {};
  bool large = false;

  Shape y() const { return {x[0], w[0], params.output_h(x[2], w[2]), params.output_w(x[3], w[3])}; }
};

constexpr Conv2dParams stride_pad(int64_t stride, int64_t pad) {
  return {.stride_h = stride, .stride_w = stride, .pad_h = pad, .pad_w = pad};
}

inline const Conv2dCase small_cases[] = {
    {"3×3, the middle of every ResNet", {2, 8, 7, 9}, {8, 8, 3, 3}, stride_pad(1, 1)},
    {"3×3 with odd C and K and no pad", {2, 5, 8, 7}, {7, 5, 3, 3}},
    {"3×3 over several tiles with tails", {1, 16, 13, 18}, {24, 16, 3, 3}, stride_pad(1, 1)},
    {"3×3 with pad 2: the output is larger", {1, 3, 5, 4}, {5, 3, 3, 3}, stride_pad(1, 2)},
    {"the same over channels and pixels enough for Winograd, odd C and K",
     {1, 33, 12, 13},
     {35, 33, 3, 3},
     stride_pad(1, 2)},
    {"3×3 with stride 2, a ResNet stage's first", {2, 8, 9, 8}, {12, 8, 3, 3}, stride_pad(2, 1)},
    {"ResNet stem", {2, 3, 32, 31}, {8, 3, 7, 7}, stride_pad(2, 3)},
    {"ResNet stem, an even width: pixels can go in pairs",
     {2, 3, 33, 32},
     {24, 3, 7, 7},
     stride_pad(2, 3)},
    {"the same with a pad of whole pairs, and four channels",
     {2, 4, 11, 18},
     {8, 4, 5, 5},
     stride_pad(2, 2)},
    {"a stem of one channel, pad 1, the filter wider than high",
     {2, 1, 12, 10},
     {16, 1, 2, 5},
     {.stride_h = 1, .stride_w = 2, .pad_h = 0, .pad_w = 1}},
    {"1×1", {2, 8, 5, 7}, {16, 8, 1, 1}},
    {"1×1 projection", {2, 8, 9, 9}, {16, 8, 1, 1}, stride_pad(2, 0)},
    {"1×1 with a pad", {1, 3, 4, 4}, {5, 3, 1, 1}, stride_pad(1, 1)},
    {"depthwise, ConvNeXt", {1, 12, 14, 14}, {12, 1, 7, 7}, {.pad_h = 3, .pad_w = 3, .groups = 12}},
    {"depthwise, ConvNeXt, whole vectors of channels, a tail behind seven columns",
     {2, 32, 9, 17},
     {32, 1, 7, 7},
     {.pad_h = 3, .pad_w = 3, .groups = 32}},
    {"depthwise, ConvNeXt's last stage: every window hangs over an edge",
     {1, 16, 7, 7},
     {16, 1, 7, 7},
     {.pad_h = 3, .pad_w = 3, .groups = 16}},
    {"depthwise of seven columns on an image of four, one-sided pad",
     {1, 16, 5, 4},
     {16, 1, 3, 7},
     {.pad_h = 0, .pad_w = 4, .groups = 16}},
    {"depthwise with two filters a channel and stride",
     {2, 5, 9, 8},
     {10, 1, 3, 3},
     {.stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1, .groups = 5}},
    {"groups", {2, 6, 7, 7}, {9, 2, 3, 3}, {.pad_h = 1, .pad_w = 1, .groups = 3}},
    {"1×1 in groups", {2, 6, 5, 5}, {4, 3, 1, 1}, {.groups = 2}},
    {"dilation",
     {1, 4, 11, 12},
     {6, 4, 3, 3},
     {.pad_h = 2, .pad_w = 2, .dilation_h = 2, .dilation_w = 2}},
    {"stride, pad, dilation and filter differ by direction",
     {2, 3, 13, 10},
     {4, 3, 3, 5},
     {.stride_h = 1, .stride_w = 2, .pad_h = 0, .pad_w = 2, .dilation_h = 3, .dilation_w = 1}},
    {"filter larger than image, only padding makes it fit",
     {1, 1, 2, 2},
     {1, 1, 5, 5},
     stride_pad(1, 2)},
    {"stride skips the last column", {1, 1, 6, 6}, {1, 1, 3, 3}, stride_pad(2, 0)},
    {"stride larger than the filter leaves pixels unread",
     {1, 2, 8, 8},
     {3, 2, 2, 2},
     stride_pad(3, 0)},
    {"images of one pixel: only the centre tap counts",
     {3, 9, 1, 1},
     {5, 9, 3, 3},
     stride_pad(1, 1)},
    {"over several tiles of tensor cores, tails everywhere",
     {1, 40, 11, 13},
     {72, 40, 3, 3},
     stride_pad(1, 1)},
    {"the same with a stride and narrow", {1, 72, 13, 12}, {40, 72, 3, 3}, stride_pad(2, 1)},
    {"channels of two tiles of tensor cores", {1, 128, 5, 7}, {128, 128, 3, 3}, stride_pad(2, 1)},
    {"a long sum and few of them, one image at a network's end",
     {1, 512, 3, 4},
     {16, 512, 3, 3},
     stride_pad(1, 1)},
    {"1×1 over many blocks of tensor cores: a short sum forward", {1, 72, 24, 21}, {136, 72, 1, 1}},
    {"the same backward, three of four classes of pixels without a tap",
     {1, 136, 41, 37},
     {72, 136, 1, 1},
     stride_pad(2, 0)},
    {"enough pixels that a weight gradient is split",
     {3, 8, 20, 19},
     {8, 8, 3, 3},
     stride_pad(1, 1)},
    {"depthwise over several blocks of channels",
     {1, 72, 9, 11},
     {72, 1, 7, 7},
     {.pad_h = 3, .pad_w = 3, .groups = 72}},
    {"depthwise with a stride",
     {2, 16, 9, 11},
     {16, 1, 3, 3},
     {.stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1, .groups = 16}},
    {"images of two pixels and a stride", {3, 4, 2, 2}, {6, 4, 3, 3}, stride_pad(2, 1)},
    {"pad wider than the filter: some outputs see no pixel",
     {1, 2, 2, 3},
     {3, 2, 2, 2},
     stride_pad(1, 3)},
};

struct EpilogueCase {
  const char* why;
  EpilogueParts parts;
};

inline const EpilogueCase epilogues[] = {
    {"bias", {.bias = true}},
    {"a folded BatchNorm and relu", {.bias = true, .activation = Activation::relu}},
    {"the end of a residual block",
     {.bias = true, .residual = true, .activation = Activation::relu}},
    {"a residual alone", {.residual = true}},
    {"gelu", {.bias = true, .activation = Activation::gelu}},
    {"gelu_tanh", {.activation = Activation::gelu_tanh}},
    {"sigmoid", {.bias = true, .activation = Activation::sigmoid}},
};

/// Geometries that every epilogue is tried behind: one for each kind of algorithm.
inline const Conv2dCase epilogue_cases[] = {
    {"behind 3×3", {2, 8, 7, 9}, {11, 8, 3, 3}, stride_pad(1, 1)},
    {"behind 3×3 over channels enough for Winograd",
     {1, 32, 5, 6},
     {9, 32, 3, 3},
     stride_pad(1, 1)},
    {"behind a strided 3×3", {2, 8, 7, 9}, {11, 8, 3, 3}, stride_pad(2, 1)},
    {"behind 1×1", {2, 8, 5, 7}, {11, 8, 1, 1}},
    {"behind 1×1 with a pad: some outputs see no pixel",
     {1, 3, 4, 4},
     {5, 3, 1, 1},
     stride_pad(1, 1)},
    {"behind depthwise", {2, 6, 7, 7}, {6, 1, 3, 3}, {.pad_h = 1, .pad_w = 1, .groups = 6}},
};

/// Geometries whose gradient is added to another: one for each kind of algorithm, and its tails.
inline const Conv2dCase residual_cases[] = {
    {"3×3 with odd C and K", {2, 5, 8, 7}, {7, 5, 3, 3}, stride_pad(1, 1)},
    {"3×3 over several tiles of tensor cores, tails everywhere",
     {1, 40, 11, 13},
     {72, 40, 3, 3},
     stride_pad(1, 1)},
    {"the same with a stride", {1, 72, 13, 12}, {40, 72, 3, 3}, stride_pad(2, 1)},
    {"1×1", {2, 16, 5, 7}, {24, 16, 1, 1}},
    {"1×1 projection over many blocks: most of dx is the other gradient",
     {1, 136, 41, 37},
     {72, 136, 1, 1},
     stride_pad(2, 0)},
    {"depthwise, ConvNeXt", {1, 16, 7, 9}, {16, 1, 7, 7}, {.pad_h = 3, .pad_w = 3, .groups = 16}},
    {"depthwise with a stride",
     {2, 6, 9, 11},
     {6, 1, 3, 3},
     {.stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1, .groups = 6}},
    {"groups", {2, 6, 7, 7}, {9, 2, 3, 3}, {.pad_h = 1, .pad_w = 1, .groups = 3}},
    {"images of one pixel", {3, 9, 1, 1}, {5, 9, 3, 3}, stride_pad(1, 1)},
};

/// The convolutions of ResNet18 at 224×224, batch 16, and those of ViT-B/16 and ConvNeXt V2 tiny,
/// batch 8.
inline const Conv2dCase network_cases[] = {
    {"ResNet18 stem", {16, 3, 224, 224}, {64, 3, 7, 7}, stride_pad(2, 3), true},
    {"ResNet18 layer1", {16, 64, 56, 56}, {64, 64, 3, 3}, stride_pad(1, 1), true},
    {"ResNet18 layer2.0", {16, 64, 56, 56}, {128, 64, 3, 3}, stride_pad(2, 1), true},
    {"ResNet18 layer2 projection", {16, 64, 56, 56}, {128, 64, 1, 1}, stride_pad(2, 0), true},
    {"ResNet18 layer2", {16, 128, 28, 28}, {128, 128, 3, 3}, stride_pad(1, 1), true},
    {"ResNet18 layer3.0", {16, 128, 28, 28}, {256, 128, 3, 3}, stride_pad(2, 1), true},
    {"ResNet18 layer3 projection", {16, 128, 28, 28}, {256, 128, 1, 1}, stride_pad(2, 0), true},
    {"ResNet18 layer3", {16, 256, 14, 14}, {256, 256, 3, 3}, stride_pad(1, 1), true},
    {"ResNet18 layer4.0", {16, 256, 14, 14}, {512, 256, 3, 3}, stride_pad(2, 1), true},
    {"ResNet18 layer4 projection", {16, 256, 14, 14}, {512, 256, 1, 1}, stride_pad(2, 0), true},
    {"ResNet18 layer4", {16, 512, 7, 7}, {512, 512, 3, 3}, stride_pad(1, 1), true},
    {"ResNet18 on 28×28, layer3", {64, 256, 2, 2}, {256, 256, 3, 3}, stride_pad(1, 1), true},
    {"ResNet18 on 28×28, layer4", {64, 512, 1, 1}, {512, 512, 3, 3}, stride_pad(1, 1), true},
    {"ViT-B/16's patches", {8, 3, 224, 224}, {768, 3, 16, 16}, stride_pad(16, 0), true},
    {"ConvNeXt tiny stem", {8, 3, 224, 224}, {96, 3, 4, 4}, stride_pad(4, 0), true},
    {"ConvNeXt tiny stage 1 depthwise",
     {8, 96, 56, 56},
     {96, 1, 7, 7},
     {.pad_h = 3, .pad_w = 3, .groups = 96},
     true},
    {"ConvNeXt tiny downsample", {8, 96, 56, 56}, {192, 96, 2, 2}, stride_pad(2, 0), true},
    {"ConvNeXt tiny stage 3 depthwise",
     {8, 384, 14, 14},
     {384, 1, 7, 7},
     {.pad_h = 3, .pad_w = 3, .groups = 384},
     true},
};

}  // namespace burin::checks
