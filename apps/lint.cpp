#include <filesystem>
#include <iostream>
#include <memory>
#include <sstream>

#include "burin/apps/commands.h"
#include "burin/apps/exit.h"
#include "burin/apps/lint/finding.h"
#include "burin/apps/model_options.h"
#include "burin/apps/printable.h"
#include "burin/apps/run_folder.h"
#include "burin/apps/table.h"
#include "burin/apps/toml.h"
#include "burin/data/file.h"

namespace burin::apps {
namespace {

namespace fs = std::filesystem;
using Level = Finding::Level;

struct LintOptions {
  std::vector<std::string> paths;
  ModelOptions model;  // of files that do not say
  bool fail = false;
};

void append(Findings& all, Findings more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

/// Sets what [train] of an args.toml says of the options that lint looks at.
TrainOptions read_arguments(const fs::path& file) {
  TrainOptions options;
  std::error_code error;
  if (!fs::exists(file, error)) return options;
  for (const TomlEntry& entry : parse_toml(data::read_text(file), file.string())) {
    if (entry.section != "train" || entry.values.empty()) continue;
    const std::string& value = entry.values.front();
    const auto read = [&](const char* key, auto& target) {
      if (entry.key != key) return;
      std::istringstream words(value);
      words >> target;
    };
    read("head", options.head);
    read("recipe", options.recipe);
    read("model", options.model);
    read("opt", options.opt);
    read("lr", options.lr);
    read("epochs", options.epochs);
    read("batch-size", options.batch_size);
    read("label-smoothing", options.label_smoothing);
    if (entry.key == "data") options.data = entry.values;
  }
  return options;
}

Findings lint_run(const fs::path& run, const ModelHints& hints, const Session& session) {
  Findings findings;
  const ModelCard card = load_model(model_path(run.string()), hints);
  print_notes(card, session);
  const auto classes = static_cast<int64_t>(card.classes.size());
  TrainOptions options = read_arguments(run / "args.toml");
  append(findings, lint_options(options, classes));
  append(findings, lint_epochs(read_results((run / "results.csv").string()), classes));
  append(findings, lint_model(*card.model, card.classes));
  for (const std::string& data : options.data) {
    if (fs::is_directory(data) && has_image_files(data)) append(findings, lint_data(data));
  }
  return findings;
}

Findings lint_path(const std::string& path, const ModelHints& hints, const Session& session) {
  if (fs::is_directory(fs::path(path) / "weights")) return lint_run(path, hints, session);
  if (fs::is_directory(path)) return lint_data(path);
  const ModelCard card = load_model(path, hints);
  print_notes(card, session);
  return lint_model(*card.model, card.classes);
}

int run_lint(const LintOptions& options, const Session& session) {
  if (options.paths.empty()) {
    throw Failure(exit_usage, "nothing to look at",
                  "burin lint runs/train/exp, DIR, or a model file");
  }
  const ModelHints hints = hints_of(options.model);
  int fatal = 0, total = 0;
  for (const std::string& path : options.paths) {
    const Findings findings = lint_path(path, hints, session);
    std::cout << printable(path) << '\n';
    for (const Finding& finding : findings) {
      static constexpr const char* names[] = {"FATAL", "warning", "note"};
      std::cout << "\n  " << names[static_cast<size_t>(finding.level)] << ": "
                << printable(finding.title) << '\n'
                << wrapped(printable_lines(finding.explanation), 78, "    ") << '\n';
      if (finding.level == Level::fatal) ++fatal;
      if (finding.level != Level::note) ++total;
    }
    std::cout << (findings.empty() ? "  nothing looks wrong\n\n" : "\n");
  }
  return fatal > 0 || (options.fail && total > 0) ? exit_bad_input : exit_ok;
}

}  // namespace

Command lint_command() {
  const auto options = std::make_shared<LintOptions>();
  Command command("lint", "Engine", "what looks wrong in a data set, a run or a model, explained");
  command.details = "burin lint photos\nburin lint runs/train/exp";
  command.add("paths", &options->paths, "run folders, data folders, model files");
  add_hint_options(command, options->model);
  command.add("--fail", &options->fail, "exit with 3 for warnings too, not only for what is fatal");
  command.run = [options](const Session& session) {
    return failing_with(exit_bad_input, [&] { return run_lint(*options, session); });
  };
  return command;
}

}  // namespace burin::apps
