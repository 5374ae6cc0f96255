#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>

#include "burin/apps/commands.h"
#include "burin/apps/exit.h"
#include "burin/apps/image_file.h"
#include "burin/apps/output.h"
#include "burin/apps/printable.h"
#include "burin/apps/report/contact_sheet.h"
#include "burin/data/open_dataset.h"
#include "burin/data/split.h"

namespace burin::apps {
namespace {

struct ShowOptions {
  std::string data;
  std::string split = "train";
  std::string out = "batch.png";
  int count = 9;
  int side = 176;
  uint64_t seed = 42;
};

std::shared_ptr<const data::Dataset> open_part(const ShowOptions& options) {
  const data::DatasetParts parts = data::open_dataset(options.data);
  std::shared_ptr<const data::Dataset> part = options.split == "train" ? parts.train
                                              : options.split == "val" ? parts.val
                                                                       : parts.test;
  check(part != nullptr, options.data, ": has no part '", options.split, "'");
  return part;
}

int run_show(const ShowOptions& options) {
  if (options.data.empty()) {
    throw Failure(exit_usage, "no data folder given", "burin show DIR --out batch.png");
  }
  expect_extension("--out", options.out, {".png", ".jpg"});
  expect_writable(options.out);
  const std::shared_ptr<const data::Dataset> dataset = open_part(options);
  const std::vector<int64_t> order = data::randperm(dataset->size(), options.seed);
  const auto count = std::min(static_cast<size_t>(options.count), order.size());
  std::vector<Tile> tiles;
  for (size_t k = 0; k < count; ++k) {
    const auto label = static_cast<size_t>(dataset->label(order[k]));
    const std::string file = std::filesystem::path(dataset->name(order[k])).filename().string();
    const auto image = reading_images([&] { return dataset->load(order[k]); });
    tiles.push_back({*image, {{dataset->classes()[label]}, {file, charts::Ink::muted}}});
  }
  write_image(options.out, contact_sheet(tiles, options.side));
  std::cout << count << " of " << dataset->size() << " images → " << printable(options.out) << '\n';
  return exit_ok;
}

}  // namespace

Command show_command() {
  const auto options = std::make_shared<ShowOptions>();
  Command command("show", "Data", "a sheet of images with their classes");
  command.details = "burin show photos -n 16 --out sheet.png";
  command.add("data,--data", &options->data, "as burin train takes it");
  command.add("-n,--count", &options->count, "how many images", between(1, 400));
  command.add("--split", &options->split, "which part", one_of({"train", "val", "test"}));
  command.add("--side", &options->side, "pixels of an image's longer side", between(32, 1024));
  command.add("--seed", &options->seed, "of the choice");
  command.add("--out", &options->out, "the file: .png or .jpg");
  command.run = [options](const Session&) {
    return failing_with(exit_bad_input, [&] { return run_show(*options); });
  };
  return command;
}

}  // namespace burin::apps
