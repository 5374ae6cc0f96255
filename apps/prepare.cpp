#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "burin/apps/commands.h"
#include "burin/apps/exit.h"
#include "burin/apps/preparation/convert.h"
#include "burin/apps/preparation/manifest.h"
#include "burin/apps/printable.h"
#include "burin/apps/progress.h"
#include "burin/apps/suggest.h"
#include "burin/apps/table.h"
#include "burin/data/image_folder.h"
#include "burin/data/scan.h"
#include "burin/kernels/base/parallel.h"
#include "burin/tensor/files/atomic_file.h"

namespace burin::apps {
namespace {

namespace fs = std::filesystem;

struct PrepareOptions {
  std::string source, target;
  std::string split, splitter = "class", order;
  uint64_t seed = 42;
  double subset = 1;
  bool balance = false, dedupe = false;
  int near = 3;
  int size = 0;
  std::string format = "keep", background;
  int quality = 95;
  bool copy = false, link = false;
};

/// All images of SRC/<class> or SRC/{train,val,test}/<class>, sorted; `part` is set where SRC has
/// parts and is not to be split anew.
std::vector<SourceImage> find_sources(const PrepareOptions& options) {
  const data::FolderSplits parts = data::open_image_folders(options.source);
  std::vector<SourceImage> images;
  const bool has_parts =
      parts.val || parts.test || fs::is_directory(fs::path(options.source) / "train");
  for (const auto& [name, part] :
       {std::pair{"train", parts.train}, {"val", parts.val}, {"test", parts.test}}) {
    for (int64_t i = 0; part && i < part->size(); ++i) {
      SourceImage image{.path = part->name(i),
                        .class_name = part->classes()[static_cast<size_t>(part->label(i))],
                        .part = {}};
      if (has_parts && options.split.empty()) image.part = name;
      images.push_back(std::move(image));
    }
  }
  return images;
}

/// Runs f for every index on all threads; images that can't be read are left out and reported. What
/// is no image's fault, a full disk or too little memory, ends it.
template <class F>
void for_each_image(std::vector<SourceImage>& images, const char* title, const Session& session,
                    const F& f) {
  Progress progress(make_terminal(session.globals), 10);
  ProgressState state{.title = title, .total = static_cast<int64_t>(images.size())};
  std::mutex mutex;  // guards what follows
  std::vector<bool> bad(images.size(), false);
  std::vector<std::string> messages;
  parallel_for(static_cast<int64_t>(images.size()), 1, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      std::optional<std::string> message;
      try {
        failing_with(exit_bad_input, [&] { f(i); });
      } catch (const Failure& failure) {
        message = failure.what();
      }
      const std::lock_guard lock(mutex);
      if (message) {
        bad[i] = true;
        messages.push_back(*message);
      }
      state.done = ++state.items;
      progress.update(state);
    }
  });
  progress.clear();
  std::sort(messages.begin(), messages.end());
  for (const std::string& message : messages) {
    std::cerr << "left out: " << printable_lines(message) << '\n';
  }
  size_t at = 0;
  std::erase_if(images, [&](const SourceImage&) { return bad[at++]; });
}

/// Where an image goes, without extension: unique within its class and part.
fs::path place_of(const SourceImage& image, std::set<std::string>& taken) {
  const fs::path folder = fs::path(image.part) / image.class_name;
  const std::string stem = fs::path(image.path).stem().string();
  fs::path place = folder / stem;
  for (int number = 2; !taken.insert(place.string()).second; ++number) {
    place = folder / str(stem, '-', number);
  }
  return place;
}

std::vector<ManifestLine> write_images(const PrepareOptions& options,
                                       std::vector<SourceImage>& images, const Session& session) {
  Conversion conversion{.size = options.size,
                        .format = options.format,
                        .quality = options.quality,
                        .link = options.link};
  if (!options.background.empty()) {
    conversion.background =
        failing_with(exit_usage, [&] { return parse_color(options.background); });
  }
  std::set<std::string> taken;
  std::vector<ManifestLine> lines(images.size());
  for (size_t i = 0; i < images.size(); ++i) {
    const fs::path place = place_of(images[i], taken);
    fs::create_directories(fs::path(options.target) / place.parent_path());
    lines[i] = {images[i].part, images[i].class_name, place.string(),
                fs::path(images[i].path).lexically_relative(options.source).string()};
  }
  for_each_image(images, "prepare", session, [&](size_t i) {
    const std::string path = (fs::path(options.target) / lines[i].file).string();
    const Converted converted = convert_image(images[i].path, path, conversion);
    lines[i].file += fs::path(converted.path).extension().string();
  });
  std::erase_if(lines, [&](const ManifestLine& line) {
    return !fs::exists(fs::symlink_status(fs::path(options.target) / line.file));
  });
  return lines;
}

void print_counts(const std::vector<ManifestLine>& lines) {
  std::map<std::string, std::map<std::string, int>> counts;
  std::set<std::string> classes;
  for (const ManifestLine& line : lines) {
    ++counts[line.part.empty() ? "all" : line.part][line.class_name];
    classes.insert(line.class_name);
  }
  std::vector<std::string> headings = {"part"};
  for (const std::string& name : classes) headings.push_back(">" + name);
  Table table(headings);
  for (const char* const part : {"train", "val", "test", "all"}) {
    if (!counts.contains(part)) continue;
    std::vector<std::string> row = {part};
    for (const std::string& name : classes) row.push_back(std::to_string(counts[part][name]));
    table.add(row);
  }
  table.print(std::cout);
}

std::string words_of(const PrepareOptions& o) {
  return str("burin prepare ", o.source, ' ', o.target,
             o.split.empty() ? "" : " --split " + o.split, " --splitter ", o.splitter, " --seed ",
             o.seed, " --subset ", o.subset, o.balance ? " --balance" : "",
             o.dedupe ? " --dedupe" : "", " --near ", o.near, " --size ", o.size, " --format ",
             o.format, " --quality ", o.quality,
             o.background.empty() ? "" : " --background " + o.background, o.link ? " --link" : "");
}

/// A new folder, and none that would be found among the images the next time.
void check_target(const PrepareOptions& options) {
  const fs::path target = options.target;
  check(!fs::exists(target) || fs::is_directory(target), options.target,
        ": is a file, not a folder");
  check(!fs::exists(target) || fs::is_empty(target), options.target,
        ": is there already and is not empty");
  const fs::path within =
      fs::weakly_canonical(target).lexically_relative(fs::weakly_canonical(options.source));
  if (!within.empty() && *within.begin() != "..") {
    throw Failure(exit_usage, str(options.target, ": lies within ", options.source),
                  "a folder beside it is no class of it");
  }
}

int run_prepare(const PrepareOptions& options, const Session& session) {
  if (options.source.empty() || options.target.empty()) {
    throw Failure(exit_usage, "a source and a target folder are needed",
                  "burin prepare photos prepared --split 70/15/15");
  }
  if (options.copy && options.link) {
    throw Failure(exit_usage, "--copy and --link exclude each other");
  }
  check_target(options);
  SplitPlan plan{.shares = {},
                 .fastai = options.splitter == "fastai",
                 .seed = options.seed,
                 .subset = options.subset,
                 .balance = options.balance};
  if (!options.split.empty()) {
    plan.shares = failing_with(exit_usage, [&] { return parse_shares(options.split); });
  }

  std::vector<SourceImage> images = find_sources(options);
  if (!options.order.empty()) images = read_list(options.order, options.source, images);
  const size_t found = images.size();
  for_each_image(images, "look", session, [&](size_t i) { fingerprint_image(images[i]); });
  const int64_t twins = group_duplicates(images, options.near);
  if (options.dedupe) drop_duplicates(images);
  divide(images, plan);
  const std::vector<ManifestLine> lines = write_images(options, images, session);
  write_file((fs::path(options.target) / "manifest.tsv").string(),
             manifest_text(lines, words_of(options)));

  print_counts(lines);
  std::cout << '\n'
            << lines.size() << " of " << found << " images; " << twins
            << (twins == 1 ? " duplicate" : " duplicates")
            << (options.dedupe ? " dropped\n"
                : plan.fastai  ? " kept, wherever fastai's shuffle puts them\n"
                               : " kept, each in the part of its twin\n")
            << "manifest: " << printable((fs::path(options.target) / "manifest.tsv").string())
            << "\nnext: burin train " << shell_word(options.target) << '\n';
  return exit_ok;
}

}  // namespace

Command prepare_command() {
  const auto options = std::make_shared<PrepareOptions>();
  Command command("prepare", "Data", "convert, resize and split images into a data set");
  command.details =
      "burin prepare photos prepared --split 70/15/15 --size 256 --format jpg\n"
      "burin prepare photos again --order prepared/manifest.tsv   likewise\n"
      "burin prepare photos w1 --split 80/20 --splitter fastai --order files.txt";
  command.add("source", &options->source, "SRC/<class>/*, or SRC/{train,val,test}/<class>/*");
  command.add("target", &options->target, "a new folder");
  command.heading("Division");
  command.add("--split", &options->split, "shares of train/val/test: 70/15/15, or 80/20");
  command.add("--splitter", &options->splitter,
              "class: each class by itself; fastai: RandomSplitter", one_of({"class", "fastai"}));
  command.add("--order", &options->order, "a manifest, or a list of files: these, in this order");
  command.add("--seed", &options->seed, "of the division");
  command.add("--subset", &options->subset, "share of each class that is used", between(1e-6, 1));
  command.add("--balance", &options->balance, "as many of each class as of the smallest");
  command.add("--dedupe", &options->dedupe, "of duplicates only the first");
  command.add("--near", &options->near,
              "bits by which near duplicates may differ; -1: exact ones only", between(-1, 32));
  command.heading("Images");
  command.add("--size", &options->size, "shorter side, never enlarged; 0: as it is",
              between(0, 16384));
  command.add("--format", &options->format, "RGB files of this kind; keep: JPEG and PNG stay",
              one_of({"keep", "jpg", "png"}));
  command.add("--quality", &options->quality, "of JPEGs that are written", between(1, 100));
  command.add("--background", &options->background,
              "behind transparent pixels: white, black, grey, #rrggbb; else alpha is dropped");
  command.add("--copy", &options->copy, "copies where a file stays as it is: what is done anyway");
  command.add("--link", &options->link, "symbolic links there instead");
  command.run = [options](const Session& session) {
    return failing_with(exit_bad_input, [&] { return run_prepare(*options, session); });
  };
  return command;
}

}  // namespace burin::apps
