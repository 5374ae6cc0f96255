#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "burin/apps/folder_lock.h"
#include "burin/apps/training/trainer.h"

namespace burin::apps {

/// Where a training run leaves its files: args.toml, env.json, results.csv, train.log, metrics.json
/// and weights/. Each file appears whole or not at all, but for train.log, which grows.
class RunFolder {
 public:
  /// Makes PROJECT/NAME; where that exists, PROJECT/NAME2, NAME3, …, or takes it with `exist_ok`.
  static RunFolder create(const std::string& project, const std::string& name, bool exist_ok);
  /// Opens the run that `path` names: the folder itself, or a checkpoint in its weights/.
  /// Throws Failure (bad input) if there is none. Both throw it where another process writes there.
  static RunFolder open(const std::string& path);

  const std::filesystem::path& path() const { return path_; }
  std::string weights() const { return (path_ / "weights").string(); }
  std::string best() const { return (path_ / "weights" / "best.safetensors").string(); }
  std::string checkpoint() const { return (path_ / "weights" / "last.ckpt").string(); }

  void write(const std::string& name, const std::string& content) const;
  /// All epochs so far, with a heading.
  void write_results(const std::vector<EpochResult>& epochs) const;
  /// Takes the folder back if nothing was written to it.
  void remove_unused();
  /// A line of train.log; escape sequences are left out.
  void log(const std::string& line);

 private:
  explicit RunFolder(std::filesystem::path path);

  std::filesystem::path path_;
  FolderLock lock_;
  std::ofstream log_;
};

/// The epochs that a run's results.csv tells of, `best` as it was decided. Throws Error for a file
/// that is none.
std::vector<EpochResult> read_results(const std::string& path);

/// Makes the folder PROJECT/NAME, or NAME2, NAME3, … where that exists, and returns it.
/// Throws Failure where it can't be made.
std::filesystem::path make_numbered_folder(const std::filesystem::path& project,
                                           const std::string& name);

/// A model file as -m names it: the file, or a run folder, whose best weights are taken.
std::string model_path(const std::string& given);

}  // namespace burin::apps
