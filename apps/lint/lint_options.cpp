#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <sstream>

#include "burin/apps/lint/finding.h"
#include "burin/apps/table.h"

namespace burin::apps {
namespace {

using Level = Finding::Level;

std::vector<std::string> words_of(const std::string& head) {
  std::vector<std::string> words;
  std::istringstream in(head);
  for (std::string word; std::getline(in, word, ',');) {
    std::transform(word.begin(), word.end(), word.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    words.push_back(word);
  }
  return words;
}

/// The last layer width that a head names; 0: none.
int64_t last_width(const std::vector<std::string>& words) {
  int64_t width = 0;
  for (const std::string& word : words) {
    int64_t number = 0;
    const char* const end = word.data() + word.size();
    const auto [rest, error] = std::from_chars(word.data(), end, number);
    if (error == std::errc() && rest == end) width = number;
  }
  return width;
}

void lint_head(const TrainOptions& options, int64_t classes, Findings& findings) {
  const std::vector<std::string> words = words_of(options.head);
  if (std::find(words.begin(), words.end(), "softmax") == words.end()) return;
  const int64_t outputs = std::max<int64_t>(last_width(words), std::max<int64_t>(classes, 2));
  findings.push_back({Level::fatal, "softmax before cross-entropy",
                      str("--head ", options.head,
                          " ends in a softmax, and the loss applies another. What the first one "
                          "gives lies between 0 and 1, so the second can never be sure: with ",
                          outputs, " outputs the loss cannot fall below ",
                          fixed(lowest_loss_after_softmax(outputs), 3),
                          " however good the model is, and its gradients nearly vanish. "
                          "Cross-entropy takes logits: leave the "
                          "softmax out. Probabilities are made when the model is used.")});
}

void lint_learning_rate(const TrainOptions& options, Findings& findings) {
  const bool sgd = options.opt == "sgd";
  const double high = sgd ? 1.0 : 0.03, low = sgd ? 1e-5 : 1e-6;
  if (options.lr > high) {
    findings.push_back({options.lr > 30 * high ? Level::fatal : Level::warning,
                        "learning rate off scale",
                        str("--lr ", options.lr, " is far above what ", options.opt,
                            " works with (", sgd ? "about 0.01 to 0.5" : "about 1e-5 to 1e-2",
                            "). Steps of that size throw the weights out of the region where the "
                            "loss falls: it grows, "
                            "becomes no number at all, or every image gets the same answer. `burin "
                            "lr-find` draws the "
                            "curve to choose from.")});
  }
  if (options.lr > 0 && options.lr < low) {  // 0: the recipe's own, not settled yet
    findings.push_back({Level::warning, "learning rate off scale",
                        str("--lr ", options.lr, " is so small that ", options.opt,
                            " will hardly move the weights in ", options.epochs,
                            " epochs: the loss will seem to stand still. Begin with ",
                            sgd ? "0.01" : "1e-3", '.')});
  }
}

}  // namespace

double lowest_loss_after_softmax(int64_t outputs) {
  return std::log(std::exp(1.0) + static_cast<double>(outputs - 1)) - 1;
}

Findings lint_options(const TrainOptions& options, int64_t classes) {
  Findings findings;
  lint_head(options, classes, findings);
  lint_learning_rate(options, findings);
  const bool transformer = options.model.starts_with("vit") ||
                           options.model.starts_with("convnext") ||
                           options.model.starts_with("squeezenet");
  if (options.batch_size == 1 && !transformer && options.recipe != "last-layer") {
    findings.push_back(
        {Level::fatal, "batches of one with batch norm",
         str(options.model,
             " has batch norms, which in training subtract the mean of the batch. Of a "
             "single image that mean is the image itself: what tells it from others is taken away, "
             "and "
             "where only one pixel is left the result is 0 whatever the image. Use --batch-size 8 "
             "or more; "
             "if memory is short, a smaller --img-size.")});
  }
  if (options.label_smoothing > 0.4) {
    findings.push_back({Level::warning, "labels smoothed away",
                        str("--label-smoothing ", options.label_smoothing,
                            " spreads most of the truth over the other classes; 0.1 is usual.")});
  }
  return findings;
}

void refuse_fatal(const Findings& findings, ExitCode code) {
  std::string text;
  for (const Finding& finding : findings) {
    if (finding.level == Level::fatal) {
      text += (text.empty() ? "" : "\n") + finding.title + ": " + finding.explanation;
    }
  }
  if (!text.empty()) throw Failure(code, text, "burin lint explains all it finds");
}

}  // namespace burin::apps
