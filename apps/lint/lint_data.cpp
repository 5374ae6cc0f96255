#include <algorithm>
#include <filesystem>
#include <map>

#include "burin/apps/lint/finding.h"
#include "burin/apps/preparation/convert.h"
#include "burin/apps/table.h"
#include "burin/data/cifar.h"
#include "burin/data/decode.h"
#include "burin/data/file.h"
#include "burin/data/idx.h"
#include "burin/data/image_folder.h"
#include "burin/kernels/base/parallel.h"

namespace burin::apps {
namespace {

namespace fs = std::filesystem;
using Level = Finding::Level;

struct Looked {
  SourceImage image;
  std::string appearance;  // "png 1024x1024"
  std::string error;
};

std::vector<Looked> look_at(const data::FolderSplits& parts) {
  std::vector<Looked> all;
  for (const auto& [name, part] :
       {std::pair{"train", parts.train}, {"val", parts.val}, {"test", parts.test}}) {
    for (int64_t i = 0; part && i < part->size(); ++i) {
      const std::string& class_name = part->classes()[static_cast<size_t>(part->label(i))];
      all.push_back({.image = {.path = part->name(i), .class_name = class_name, .part = name},
                     .appearance = {},
                     .error = {}});
    }
  }
  parallel_for(static_cast<int64_t>(all.size()), 1, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      try {
        const data::Decoded decoded =
            data::decode_with_info(data::read_file(all[i].image.path), all[i].image.path);
        all[i].appearance = str(decoded.source.format, ' ', decoded.source.mode, ' ',
                                decoded.image.width, 'x', decoded.image.height);
        fingerprint_image(all[i].image);
      } catch (const std::exception& error) {
        all[i].error = error.what();
      }
    }
  });
  return all;
}

/// Up to three examples of pairs.
std::string examples(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string text;
  for (size_t i = 0; i < std::min<size_t>(3, pairs.size()); ++i) {
    text += str(i == 0 ? "" : "; ", pairs[i].first, " = ", pairs[i].second);
  }
  return text + (pairs.size() > 3 ? "; …" : "");
}

/// Twins in two parts, and twins in two classes.
void lint_duplicates(const std::vector<Looked>& all, Findings& findings) {
  std::vector<SourceImage> images;
  for (const Looked& one : all) {
    if (one.error.empty()) images.push_back(one.image);
  }
  group_duplicates(images, 3);
  std::map<int64_t, const SourceImage*> first;
  std::vector<std::pair<std::string, std::string>> leaks, contradictions;
  for (const SourceImage& image : images) {
    if (image.group < 0) continue;
    const SourceImage* const twin = first.try_emplace(image.group, &image).first->second;
    if (twin->part != image.part) leaks.emplace_back(twin->path, image.path);
    if (twin->class_name != image.class_name) contradictions.emplace_back(twin->path, image.path);
  }
  if (!leaks.empty()) {
    findings.push_back({Level::fatal, "the same picture in two parts",
                        str(leaks.size(), leaks.size() == 1 ? " picture stands" : " pictures stand",
                            " in more than one of train, val and test, or nearly "
                            "the same ones do: ",
                            examples(leaks),
                            ". The model is then tested on what it has learnt by heart, and the "
                            "result is better than "
                            "it will ever be on new images. `burin prepare SRC DST --split "
                            "70/15/15 --dedupe` divides anew and keeps "
                            "twins together.")});
  }
  if (!contradictions.empty()) {
    findings.push_back(
        {Level::warning, "the same picture in two classes",
         str(contradictions.size(), " pictures have two labels: ", examples(contradictions),
             ". At least one is wrong, and the model is punished whatever it answers.")});
  }
}

void lint_counts(const std::vector<Looked>& all, Findings& findings) {
  std::map<std::string, int> counts;
  std::vector<std::string> broken;
  for (const Looked& one : all) {
    if (one.image.part == "train") ++counts[one.image.class_name];
    if (!one.error.empty()) broken.push_back(one.error);
  }
  if (!broken.empty()) {
    findings.push_back({Level::warning, "files that can't be decoded",
                        str(broken.size(), " files, such as ", broken.front(),
                            ". Training stops at the first of them; `burin scan DIR --move-to bad` "
                            "moves them away.")});
  }
  if (counts.empty()) return;
  const auto less = [](const auto& a, const auto& b) { return a.second < b.second; };
  const auto smallest = *std::min_element(counts.begin(), counts.end(), less);
  const auto largest = *std::max_element(counts.begin(), counts.end(), less);
  if (smallest.second < 10) {
    findings.push_back({Level::warning, "a class with hardly any images",
                        str("“", smallest.first, "” has ", smallest.second,
                            " training images. Whatever comes out for it is mostly chance; some "
                            "hundred are a start.")});
  }
  if (largest.second > 5 * smallest.second) {
    findings.push_back(
        {Level::warning, "uneven classes",
         str("“", largest.first, "” has ", largest.second, " training images, “", smallest.first,
             "” ", smallest.second, ". Always answering the larger one is right ",
             fixed(100.0 * largest.second / (largest.second + smallest.second), 0),
             " % of the time between the two, so look at recall and F1 of each class, not at "
             "accuracy; --class-weights or "
             "`burin prepare --balance` even them out.")});
  }
}

/// How often the commonest class of each kind of file would be the right answer.
void lint_giveaway(const std::vector<Looked>& all, Findings& findings) {
  std::map<std::string, std::map<std::string, int>> counts;
  std::map<std::string, int> totals;
  int images = 0;
  for (const Looked& one : all) {
    if (!one.error.empty()) continue;
    ++counts[one.appearance][one.image.class_name];
    ++totals[one.image.class_name];
    ++images;
  }
  const auto largest = [](const std::map<std::string, int>& by_class) {
    int most = 0;
    for (const auto& [name, count] : by_class) most = std::max(most, count);
    return most;
  };
  // Files of all sizes, each alone with its appearance, tell nothing.
  if (images == 0 || static_cast<int>(counts.size()) > images / 4) return;
  int right = 0;
  for (const auto& [appearance, by_class] : counts) right += largest(by_class);
  const double share = 1.0 * right / images, guessing = 1.0 * largest(totals) / images;
  if (share < 0.5 + guessing / 2) return;
  findings.push_back(
      {Level::warning, "the files give the class away",
       str("Format, colour mode and size of a file alone tell its class in ", fixed(100 * share, 0),
           " % of the images (", fixed(100 * guessing, 0),
           " % would be guessing). A model finds such a difference faster than the one you mean: "
           "the traces of other compression or scaling stay in the pixels. Bring all classes the "
           "same way to the same "
           "format and size: `burin prepare SRC DST --size 256 --format jpg`, from sources that "
           "were not compressed differently before.")});
}

}  // namespace

bool has_image_files(const std::string& directory) {
  return !data::is_idx_folder(directory) && !data::is_cifar_folder(directory);
}

Findings lint_data(const std::string& directory) {
  check(has_image_files(directory), directory,
        ": only folders of image files are looked into, not idx or CIFAR files");
  const std::vector<Looked> all = look_at(data::open_image_folders(directory));
  Findings findings;
  lint_duplicates(all, findings);
  lint_counts(all, findings);
  lint_giveaway(all, findings);
  return findings;
}

}  // namespace burin::apps
