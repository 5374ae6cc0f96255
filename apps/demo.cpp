#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <set>

#include "burin/apps/commands.h"
#include "burin/apps/exit.h"
#include "burin/apps/image_file.h"
#include "burin/apps/printable.h"
#include "burin/apps/suggest.h"
#include "burin/apps/training/datasets.h"
#include "burin/data/idx.h"

namespace burin::apps {
namespace {

namespace fs = std::filesystem;

constexpr const char* fashion_mnist = "/usr/share/datasets/fashion-mnist";

struct DemoOptions {
  std::string data = fashion_mnist;
  std::string out = "runs/demo";
  int epochs = 1;  // with the build in six minutes on two cores; a second one gives another percent
  double subset = 1;
};

/// The first of OUT, OUT2, OUT3, … that is free.
fs::path free_folder(const fs::path& out) {
  fs::path path = out;
  for (int number = 2; fs::exists(path); ++number) path = str(out.string(), number);
  return path;
}

/// How to call this program from here: its name where the shell finds it, else a path.
std::string own_name() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  if (error) return "burin";
  const char* const path = std::getenv("PATH");
  const std::string folders = path == nullptr ? "" : str(':', path, ':');
  if (folders.find(":" + self.parent_path().string() + ":") != std::string::npos) return "burin";
  return fs::proximate(self, error).string();
}

/// The demonstration: what the user could have typed, shown and done.
class Demo {
 public:
  explicit Demo(const Globals& globals) : globals_(globals), name_(own_name()) {}

  /// True unless the command failed; then `code` says how.
  bool run(const std::vector<std::string>& words) {
    std::cout << "\n$ " << name_;
    for (const std::string& word : words) std::cout << ' ' << shell_word(word);
    std::cout << std::endl;
    std::vector<std::string> arguments = {"--color", globals_.color, "--progress",
                                          globals_.progress};
    if (globals_.quiet) arguments.emplace_back("--quiet");
    arguments.insert(arguments.end(), words.begin(), words.end());
    std::string program;
    try {
      code = run_command_line(arguments, program);
    } catch (const std::exception& error) {
      code = report_error(error, program);
    }
    return code == exit_ok;
  }
  const std::string& name() const { return name_; }

  int code = exit_ok;

 private:
  const Globals& globals_;
  std::string name_;
};

std::vector<std::string> train_words(const DemoOptions& options, const fs::path& folder) {
  std::vector<std::string> words = {"train", options.data, "--model", "resnet18"};
  if (data::is_idx_folder(options.data)) {
    // From scratch, so that the demonstration is the same whatever lies in a cache. Clothes are
    // upright and centred: augmentation would need more epochs than there is time for.
    const std::vector<std::string> more = {"--weights",    "none", "--aug",      "none",
                                           "--batch-size", "64",   "--val-frac", "0.05"};
    words.insert(words.end(), more.begin(), more.end());
  }
  const std::vector<std::string> more = {"--opt",     "adam",
                                         "--sched",   "onecycle",
                                         "--epochs",  str(options.epochs),
                                         "--project", folder.parent_path().string(),
                                         "--name",    folder.filename().string()};
  words.insert(words.end(), more.begin(), more.end());
  if (options.subset < 1) words.insert(words.end(), {"--subset", str(options.subset)});
  return words;
}

/// One picture of each of some classes, as files: of idx images, which are none, PNGs are written.
std::vector<std::string> pictures(const DemoOptions& options, const fs::path& folder) {
  constexpr size_t enough = 5;
  const bool idx = data::is_idx_folder(options.data);
  TrainOptions train;
  train.data = {options.data};
  const std::shared_ptr<const data::Dataset> dataset =
      idx ? data::open_idx_folder(options.data, "t10k") : open_training_data(train).val;
  std::vector<std::string> files;
  std::set<int64_t> seen;
  for (int64_t i = 0; i < dataset->size() && files.size() < enough; ++i) {
    if (!seen.insert(dataset->label(i)).second) continue;
    if (!idx) {
      files.push_back(dataset->name(i));
      continue;
    }
    std::string name = dataset->classes()[static_cast<size_t>(dataset->label(i))];
    for (char& c : name) {
      if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '-';
    }
    fs::create_directories(folder / "pictures");
    files.push_back((folder / "pictures" / (name + ".png")).string());
    write_image(files.back(), *dataset->load(i));
  }
  return files;
}

void print_what_next(const DemoOptions& options, const std::string& name, const fs::path& folder) {
  std::cout << "\nrun folder  " << printable(folder.string())
            << "  (args.toml, results.csv, metrics.json, train.log)\nmodel       "
            << printable((folder / "weights" / "best.safetensors").string())
            << "\n\nwhat to type next\n  " << name << " predict -m " << shell_word(folder.string())
            << " photo.jpg\n  " << name;
  if (data::is_idx_folder(options.data)) {
    std::cout << " train YOUR_FOLDER        # YOUR_FOLDER/<class>/*.jpg\n  ";
  } else {
    // An epoch of some dozen pictures is a few steps, after which a network answers anything.
    std::cout << " train " << shell_word(options.data)
              << " --weights imagenet   # from published weights: better with few pictures\n  ";
  }
  std::cout << name << " --help\n";
}

int run_demo(const DemoOptions& options, const Session& session) {
  if (!fs::is_directory(options.data)) {
    throw Failure(exit_bad_input,
                  str(options.data,
                      fs::exists(options.data) ? ": is a file, not a folder" : ": no such folder"),
                  options.data == fashion_mnist
                      ? "apt-get install dataset-fashion-mnist, or burin demo YOUR_FOLDER"
                      : "burin demo DIR, with DIR/<class>/*.jpg");
  }
  const fs::path folder = free_folder(options.out);
  Demo demo(session.globals);
  if (!demo.run(train_words(options, folder))) return demo.code;
  if (!demo.run({"evaluate", "-m", folder.string(), options.data, "--out",
                 (folder / "evaluation").string()})) {
    return demo.code;
  }
  if (!data::is_idx_folder(options.data) && evaluation_part("auto", options.data) == "all") {
    std::cout
        << "\nThe folder has no test part: these are all its pictures, those it was trained on "
           "among them.\nThe accuracy that train printed is that of pictures it had not seen.\n";
  }
  std::vector<std::string> predict = {"predict", "-m", folder.string()};
  for (std::string& file : pictures(options, folder)) predict.push_back(std::move(file));
  if (!demo.run(predict)) return demo.code;

  print_what_next(options, demo.name(), folder);
  return exit_ok;
}

}  // namespace

Command demo_command() {
  const auto options = std::make_shared<DemoOptions>();
  Command command("demo", "Help", "train, evaluate and predict on a real data set, in minutes");
  command.add("dir", &options->data, "Fashion-MNIST, or your own DIR/<class>/*.jpg");
  command.add("--out", &options->out, "run folder; numbered where it exists");
  command.add("-e,--epochs", &options->epochs, "times through the training set", at_least(1));
  command.add("--subset", &options->subset, "share of the training set to use", between(1e-6, 1));
  command.run = [options](const Session& session) { return run_demo(*options, session); };
  return command;
}

}  // namespace burin::apps
