#include <algorithm>
#include <cmath>

#include "burin/apps/lint/finding.h"
#include "burin/apps/table.h"

namespace burin::apps {
namespace {

using Level = Finding::Level;

/// A loss that stands still at the value a doubled softmax leaves.
void lint_floor(const std::vector<EpochResult>& epochs, Findings& findings) {
  const double last = epochs.back().train_loss;
  for (const int64_t outputs : {2, 10, 100, 128, 256, 512, 1000}) {
    const double floor = lowest_loss_after_softmax(outputs);
    if (outputs < 10 || std::abs(last - floor) > 0.01 || epochs.size() < 2) continue;
    findings.push_back({Level::warning, "the loss looks like softmax before cross-entropy",
                        str("The training loss ends at ", fixed(last, 3),
                            ". That is the least that cross-entropy over ", outputs,
                            " outputs can give when a softmax stands before it (", fixed(floor, 3),
                            "). The head should end in logits, as many as there are classes.")});
  }
}

/// Recall, averaged over the classes, is their share where all images get one answer or chance
/// ones.
void lint_answers(const std::vector<EpochResult>& epochs, int64_t classes, Findings& findings) {
  const auto kept = std::find_if(epochs.rbegin(), epochs.rend(),
                                 [](const EpochResult& epoch) { return epoch.best; });
  if (kept == epochs.rend() || classes < 2) return;
  const auto share = 1 / static_cast<double>(classes);
  constexpr double rounding = 2e-6;  // of results.csv
  constexpr double hardly = 0.1;     // of the way from chance to all right
  // Precision is then the accuracy for that class, and 0 for the others.
  const bool one_answer = std::abs(kept->recall - share) <= rounding &&
                          std::abs(kept->precision - share * kept->accuracy) <= rounding;
  if (one_answer) {
    findings.push_back({Level::warning, "every image gets the same answer",
                        str("After epoch ", kept->epoch,
                            ", whose weights were kept, the model gave all validation images one "
                            "class: its accuracy of ",
                            fixed(kept->accuracy, 3),
                            " is that class's share. It needs more --epochs, weights to start from "
                            "(--weights), another --lr, or, where that class is the largest, "
                            "--class-weights.")});
  } else if (kept->recall < share + hardly * (1 - share)) {
    findings.push_back({Level::warning, "hardly better than guessing",
                        str("After epoch ", kept->epoch,
                            ", whose weights were kept, the model found ", fixed(kept->recall, 3),
                            " of each class on average; answers by chance find ", fixed(share, 3),
                            ". It needs more --epochs, more images, weights to start from "
                            "(--weights) or another --lr.")});
  }
}

void lint_curves(const std::vector<EpochResult>& epochs, int64_t classes, Findings& findings) {
  const EpochResult& first = epochs.front();
  const EpochResult& last = epochs.back();
  const double guessing = std::log(static_cast<double>(classes));
  if (epochs.size() >= 3 && last.train_loss > 0.98 * std::min(first.train_loss, guessing)) {
    findings.push_back(
        {Level::warning, "nothing was learnt",
         str("The training loss is ", fixed(last.train_loss, 3), " after ", epochs.size(),
             " epochs, about what guessing among ", classes, " classes gives (", fixed(guessing, 3),
             "). The learning rate may be off scale, the labels may not belong to the images, or "
             "the part "
             "that is trained may be cut off from the rest. Can the model learn 32 images by "
             "heart? If it "
             "can't, something is broken.")});
  }
  const auto best =
      std::min_element(epochs.begin(), epochs.end(),
                       [](const auto& a, const auto& b) { return a.val_loss < b.val_loss; });
  if (last.val_loss > 1.3 * best->val_loss && last.train_loss < best->train_loss) {
    findings.push_back({Level::note, "overfitting",
                        str("The validation loss was lowest in epoch ", best->epoch, " (",
                            fixed(best->val_loss, 3), ") and rose to ", fixed(last.val_loss, 3),
                            " while the training loss went on falling: from there on the model "
                            "learnt its images by heart. "
                            "best.safetensors is chosen by accuracy and may come later. More or "
                            "augmented data, a smaller "
                            "learning rate, --wd, --label-smoothing or --patience help.")});
  }
  if (epochs.size() >= 3 && last.best && last.val_loss < epochs[epochs.size() - 2].val_loss) {
    findings.push_back({Level::note, "still getting better",
                        "The last epoch was the best one: more --epochs may give more."});
  }
}

/// Training ends by itself where its own loss is none; this one it goes on with.
void lint_numbers(const std::vector<EpochResult>& epochs, Findings& findings) {
  const auto first = std::find_if(epochs.begin(), epochs.end(),
                                  [](const EpochResult& e) { return !std::isfinite(e.val_loss); });
  if (first == epochs.end()) return;
  findings.push_back({Level::warning, "the validation loss is no number",
                      str("It is ", first->val_loss, " from epoch ", first->epoch,
                          " on, while the training loss is one: the outputs or batch norm's "
                          "running statistics have overflowed. A smaller --lr, or --clip-grad 1, "
                          "keeps them in range.")});
}

}  // namespace

Findings lint_epochs(const std::vector<EpochResult>& epochs, int64_t classes) {
  Findings findings;
  if (epochs.empty()) return findings;
  lint_numbers(epochs, findings);
  lint_floor(epochs, findings);
  lint_answers(epochs, classes, findings);
  lint_curves(epochs, classes, findings);
  return findings;
}

}  // namespace burin::apps
