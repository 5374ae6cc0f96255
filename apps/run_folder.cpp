#include "burin/apps/run_folder.h"

#include <algorithm>
#include <optional>
#include <sstream>

#include "burin/apps/exit.h"
#include "burin/apps/table.h"
#include "burin/apps/training/epoch_line.h"
#include "burin/data/file.h"
#include "burin/tensor/files/atomic_file.h"

namespace burin::apps {

namespace fs = std::filesystem;
namespace {

/// The folder with what a run needs in it, made where it is missing.
fs::path made(fs::path path) {
  fs::create_directories(path / "weights");
  return path;
}

}  // namespace

RunFolder::RunFolder(fs::path path)
    : path_(made(std::move(path))), lock_((path_ / "train.log").string()) {
  // A run that was killed while it wrote: as large as its checkpoint, and hidden.
  remove_leftovers(path_.string());
  remove_leftovers(weights());
  log_.open(path_ / "train.log", std::ios::app);
  check(log_.good(), path_.string(), ": cannot write train.log");
}

RunFolder RunFolder::create(const std::string& project, const std::string& name, bool exist_ok) {
  if (exist_ok) return RunFolder(fs::path(project) / name);
  return RunFolder(make_numbered_folder(project, name));
}

RunFolder RunFolder::open(const std::string& path) {
  fs::path folder = path;
  if (fs::is_regular_file(folder)) folder = fs::absolute(folder).parent_path().parent_path();
  if (!fs::is_regular_file(folder / "weights" / "last.ckpt")) {
    throw Failure(exit_bad_input, str("--resume ", path, ": there is no weights/last.ckpt"),
                  "give a run folder, such as runs/train/exp, or its weights/last.ckpt");
  }
  return RunFolder(folder);
}

void RunFolder::write(const std::string& name, const std::string& content) const {
  write_file((path_ / name).string(), content);
}

void RunFolder::write_results(const std::vector<EpochResult>& epochs) const {
  std::string text = "epoch,time,train_loss,val_loss,accuracy,precision,recall,f1,lr,img_per_s\n";
  for (const EpochResult& e : epochs) {
    text += str(e.epoch, ',', fixed(e.seconds, 2), ',', fixed(e.train_loss, 6), ',',
                fixed(e.val_loss, 6), ',', fixed(e.accuracy, 6), ',', fixed(e.precision, 6), ',',
                fixed(e.recall, 6), ',', fixed(e.f1, 6), ',', e.learning_rate, ',',
                fixed(e.images_per_second, 1), '\n');
  }
  write("results.csv", text);
}

void RunFolder::remove_unused() {
  std::error_code error;
  if (fs::file_size(path_ / "train.log", error) > 0 || error) return;
  for (const fs::path& file : {path_ / "train.log", path_ / "weights", path_}) {
    fs::remove(file, error);  // a folder only where it is empty
  }
}

void RunFolder::log(const std::string& line) {
  log_ << line << std::endl;
}

std::vector<EpochResult> read_results(const std::string& path) {
  std::istringstream in(data::read_text(path));
  std::string line;
  check(std::getline(in, line) && line.starts_with("epoch,time,train_loss,val_loss,"), path,
        ": is no results.csv");
  std::vector<EpochResult> epochs;
  for (double best = -1; std::getline(in, line);) {
    if (line.ends_with('\r')) line.pop_back();  // of a spreadsheet
    std::optional<EpochResult> epoch = read_epoch(line, ',');
    check(epoch.has_value(), path, ": '", line, "' is no line of results");
    epoch->best = epoch->accuracy > best;
    best = std::max(best, epoch->accuracy);
    epochs.push_back(*epoch);
  }
  return epochs;
}

fs::path make_numbered_folder(const fs::path& project, const std::string& name) {
  try {
    if (!project.empty()) fs::create_directories(project);
    for (int number = 1;; ++number) {
      fs::path path = project / (number == 1 ? name : str(name, number));
      // What is no folder takes a name too; create_directory would throw.
      std::error_code leads_nowhere;
      if (fs::exists(fs::symlink_status(path)) && !fs::is_directory(path, leads_nowhere)) continue;
      // It answers whether it was this process that made it: two runs that start together get two
      // folders.
      if (fs::create_directory(path)) return path;
    }
  } catch (const fs::filesystem_error& error) {
    throw Failure(exit_failed, "no folder can be made here: " + words_of(error),
                  "--project DIR, or --out DIR, puts it elsewhere");
  }
}

std::string model_path(const std::string& given) {
  const fs::path path = given;
  if (!fs::is_directory(path)) return given;
  const fs::path best = path / "weights" / "best.safetensors";
  if (!fs::is_regular_file(best)) {
    throw Failure(exit_bad_input, str(given, ": is a folder without weights/best.safetensors"),
                  "give a model file, or the folder of a finished run");
  }
  return best.string();
}

}  // namespace burin::apps
