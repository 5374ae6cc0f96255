#include "burin/apps/weights_option.h"

#include "burin/apps/exit.h"
#include "burin/apps/run_folder.h"
#include "burin/models/pretrained.h"

namespace burin::apps {
namespace {

std::string download(const models::PretrainedWeights& weights, Progress& progress) {
  progress.say(str("downloading ", models::address_of(weights)));
  return models::download_pretrained(
      weights, [&](int64_t bytes) { progress.note(str("  ", bytes >> 20, " MiB")); });
}

}  // namespace

std::string resolve_weights(const std::string& given, const std::string& model,
                            Progress& progress) {
  const bool asked = given == "imagenet";
  if (given == "none") return given;
  if (!asked && !given.empty()) return model_path(given);
  const models::PretrainedWeights* const published = models::find_pretrained(model);
  if (published == nullptr) {
    if (asked) {
      throw Failure(exit_usage, str("--weights imagenet: there are none published for ", model),
                    "give a file, or --weights none");
    }
    return "none";
  }
  if (const auto cached = models::cached_file(*published)) {
    progress.say(str("weights: ", *cached, " (published, from the cache)"));
    return *cached;
  }
  if (asked) {
    return failing_with(exit_failed, [&] { return download(*published, progress); });
  }
  progress.say("weights: none, a fresh start; --weights imagenet would fetch the published ones");
  return "none";
}

}  // namespace burin::apps
