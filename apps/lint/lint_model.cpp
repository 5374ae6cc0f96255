#include <algorithm>
#include <cmath>

#include "burin/apps/lint/finding.h"

namespace burin::apps {
namespace {

using Level = Finding::Level;

/// Whether the file ImageNet weights come with other statistics than these.
bool imagenet_like(const models::Preprocess& p) {
  const models::Preprocess imagenet;
  const auto near = [](const std::array<float, 3>& a, const std::array<float, 3>& b) {
    return std::abs(a[0] - b[0]) + std::abs(a[1] - b[1]) + std::abs(a[2] - b[2]) < 0.02f;
  };
  const std::array<float, 3> half = {0.5f, 0.5f, 0.5f};
  return (near(p.mean, imagenet.mean) && near(p.std, imagenet.std)) ||
         (near(p.mean, half) && near(p.std, half));
}

bool all_equal(const Tensor& tensor, float value) {
  const std::vector<float> values = tensor.to_vector<float>();
  return std::all_of(values.begin(), values.end(), [&](float v) { return v == value; });
}

void lint_outputs(models::Model& model, const std::vector<std::string>& classes,
                  Findings& findings) {
  if (model.classes == static_cast<int64_t>(classes.size())) return;
  findings.push_back({Level::fatal, "outputs are not as many as classes",
                      str("The model has ", model.classes, " outputs for ", classes.size(),
                          " classes. Outputs without a class get probability that belongs to the "
                          "others: the loss stays above what "
                          "it could be, and some answers mean nothing. The head must end in one "
                          "logit for each class.")});
}

void lint_values(models::Model& model, Findings& findings) {
  for (const nn::NamedTensor& entry : nn::state(model)) {
    if (entry.tensor.dtype() == DType::i64) continue;
    const std::vector<float> values = entry.tensor.to_vector<float>();
    if (std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) {
      continue;
    }
    findings.push_back({Level::fatal, "weights that are no numbers",
                        str(entry.name,
                            " holds NaN or infinity: the run that made this file "
                            "diverged. Train again with a smaller --lr, or --clip-grad 1.")});
    return;
  }
}

/// Batch norms whose running statistics are as they were made.
void lint_statistics(models::Model& model, Findings& findings) {
  int64_t norms = 0, untouched = 0;
  for (const nn::NamedTensor& buffer : nn::buffers(model)) {
    if (!buffer.name.ends_with("running_var")) continue;
    ++norms;
    if (all_equal(buffer.tensor, 1)) ++untouched;
  }
  if (untouched == 0) return;
  findings.push_back(
      {Level::warning, "batch norms without statistics",
       str(untouched, " of ", norms,
           " batch norms have a running variance of exactly 1 everywhere, as when they "
           "were made. A model that was only ever evaluated in training mode looks so: its answers "
           "then depend on "
           "which images share a batch, and one image alone gets another answer than among others. "
           "Evaluate in "
           "evaluation mode; burin always does. Or the file lacks these layers and they are "
           "fresh.")});
}

}  // namespace

Findings lint_model(models::Model& model, const std::vector<std::string>& classes) {
  Findings findings;
  lint_outputs(model, classes, findings);
  lint_values(model, findings);
  lint_statistics(model, findings);
  if (!imagenet_like(model.preprocess)) {
    const auto& [m, s] = std::pair{model.preprocess.mean, model.preprocess.std};
    findings.push_back(
        {Level::warning, "unusual normalisation",
         str("Pixels are normalised with mean ", m[0], ' ', m[1], ' ', m[2], " and std ", s[0], ' ',
             s[1], ' ', s[2],
             ". Published weights expect ImageNet's (0.485 0.456 0.406, 0.229 0.224 0.225) or 0.5 "
             "throughout (timm's ViT), of pixels between 0 and 1. Trained weights that get other "
             "numbers than they "
             "were trained with see washed-out pictures and lose much of their accuracy without "
             "any error message.")});
  }
  return findings;
}

}  // namespace burin::apps
