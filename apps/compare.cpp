#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <set>
#include <sstream>
#include <thread>

#include "burin/apps/commands.h"
#include "burin/apps/csv.h"
#include "burin/apps/exit.h"
#include "burin/apps/json.h"
#include "burin/apps/metrics_report.h"
#include "burin/apps/model_options.h"
#include "burin/apps/output.h"
#include "burin/apps/progress.h"
#include "burin/apps/run_folder.h"
#include "burin/apps/stop.h"
#include "burin/apps/table.h"
#include "burin/apps/training/datasets.h"
#include "burin/tensor/files/atomic_file.h"

namespace burin::apps {
namespace {

namespace fs = std::filesystem;

struct CompareOptions {
  std::vector<std::string> runs, models;
  std::string split = "auto";
  std::string device = "auto";
  std::string csv;
  int batch_size = 32;
};

/// One row: a model, and its metrics as metrics.json has them.
struct Row {
  std::string name;
  std::string parameters;
  Json metrics;
};

Json read_json(const fs::path& path) {
  std::ifstream in(path);
  check(in.good(), path.string(), ": cannot be read");
  std::ostringstream text;
  text << in.rdbuf();
  return Json::parse(text.str(), path.string());
}

/// What tells a run's validation images from others: the second half of the fingerprint in
/// env.json.
std::string validated_on(const fs::path& run) {
  const std::string both = read_json(run / "env.json").string("/data_fingerprint").value_or("");
  return both.substr(std::min(both.find('-'), both.size()));
}

/// The last `words` names of a path: "exp" of runs/train/exp/weights/best.safetensors.
std::string short_name(const std::string& path, size_t words) {
  fs::path p = fs::path(path).lexically_normal();
  if (p.filename() == "best.safetensors") p = p.parent_path().parent_path();
  if (p.filename().empty()) p = p.parent_path();
  fs::path name = p.filename();
  for (; words > 1 && p.has_parent_path() && p != p.parent_path(); --words) {
    p = p.parent_path();
    name = p.filename() / name;
  }
  return name.string();
}

/// As many names of each path as tell it from the others.
std::vector<std::string> short_names(const std::vector<std::string>& paths) {
  constexpr size_t most_words = 8;  // the same model may be named twice
  std::vector<std::string> names;
  std::set<std::string> distinct;
  for (size_t words = 1; words <= most_words && distinct.size() < paths.size(); ++words) {
    names.clear();
    for (const std::string& path : paths) names.push_back(short_name(path, words));
    distinct = {names.begin(), names.end()};
  }
  return names;
}

std::string millions(models::Model& model) {
  return fixed(static_cast<double>(nn::parameter_count(model)) * 1e-6, 2);
}

std::vector<Row> rows_of_runs(const CompareOptions& options, const Session& session) {
  std::vector<Row> rows;
  std::set<std::string> data;
  const std::vector<std::string> names = short_names(options.runs);
  for (size_t i = 0; i < options.runs.size(); ++i) {
    const std::string& run = options.runs[i];
    const fs::path folder = run;
    const ModelCard card = load_model(model_path(run));
    rows.push_back({names[i] + " (" + card.model->architecture + ")", millions(*card.model),
                    read_json(folder / "metrics.json")});
    data.insert(validated_on(folder));
  }
  if (data.size() > 1 && !session.globals.quiet) {
    std::cerr << "these runs were validated on different images: their numbers are not comparable\n"
                 "  hint: burin compare -m RUN… DIR evaluates all of them on one set\n";
  }
  return rows;
}

Row evaluate_model(const CompareOptions& options, const std::string& file, const std::string& name,
                   const std::string& directory, const Session& session) {
  ModelOptions model;
  model.file = file;
  model.device = options.device;
  const LoadedModel loaded = load_model(model, session);
  const std::shared_ptr<const data::Dataset> dataset = open_evaluation_data(
      directory, evaluation_part(options.split, directory), loaded.card.classes);
  Progress progress(make_terminal(session.globals), 10);
  ProgressState state{.title = name, .total = dataset->size()};
  const int workers = std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, 8);
  const Evaluation evaluation = evaluate(loaded.model(), dataset,
                                         {.batch_size = options.batch_size,
                                          .workers = workers,
                                          .device = loaded.device,
                                          .on_progress = [&](int64_t done) {
                                            state.done = state.items = done;
                                            progress.update(state);
                                            return !stop_requested();
                                          }});
  progress.clear();
  Row row{name + " (" + loaded.model().architecture + ")", millions(loaded.model()),
          metrics_json(evaluation, *dataset, analyse(evaluation, *dataset))};
  row.metrics.set("images_per_second", Json::of(evaluation.images_per_second, 1));
  return row;
}

/// Workflow W4's layout: a model a row; accuracy, then precision, recall and F1 of each class.
std::vector<std::vector<std::string>> table_of(const std::vector<Row>& rows) {
  constexpr size_t most_classes = 4;  // of more the averages are shown
  std::vector<std::string> classes = rows.front().metrics.strings("/labels");
  const bool two = classes.size() == 2;
  const bool each = classes.size() <= most_classes;
  std::vector<std::pair<std::string, std::string>> columns = {// heading, place
                                                              {"accuracy", "/accuracy"},
                                                              {"error", "/error_rate"}};
  const auto add_scores = [&](const std::string& name, const std::string& place) {
    columns.insert(columns.end(), {{name + " P", place + "/precision"},
                                   {name + " R", place + "/recall"},
                                   {name + " F1", place + "/f1"}});
  };
  for (const std::string& name : classes) {
    if (each) add_scores(name, "/classes" + json_place(name));
  }
  if (!each) add_scores("macro", "/macro");
  if (two) columns.emplace_back("AUC", "/classes" + json_place(classes[0]) + "/auc");
  columns.emplace_back("ECE", "/calibration_error");
  if (rows.front().metrics.number("/images_per_second")) {
    columns.emplace_back("images/s", "/images_per_second");
  }

  std::vector<std::vector<std::string>> table(1);
  table[0] = {"model", "M params"};
  for (const auto& [heading, place] : columns) table[0].push_back(heading);
  if (two) {
    table[0].insert(table[0].end(), {classes[0] + "→" + classes[1], classes[1] + "→" + classes[0]});
  }
  for (const Row& row : rows) {
    std::vector<std::string> cells = {row.name, row.parameters};
    for (const auto& [heading, place] : columns) {
      const std::optional<double> value = row.metrics.number(place);
      cells.push_back(value ? fixed(*value, heading == "images/s" ? 1 : 4) : "-");
    }
    for (const char* const place : {"/confusion/0/1", "/confusion/1/0"}) {
      if (two) cells.push_back(fixed(row.metrics.number(place).value_or(0), 0));
    }
    table.push_back(std::move(cells));
  }
  return table;
}

std::string csv_of(const std::vector<std::vector<std::string>>& table) {
  std::string text;
  for (const std::vector<std::string>& row : table) {
    for (size_t i = 0; i < row.size(); ++i) text += (i == 0 ? "" : ",") + csv_field(row[i]);
    text += '\n';
  }
  return text;
}

int run_compare(CompareOptions options, const Session& session) {
  // -m takes every word behind it: the last one is the data folder.
  if (!options.models.empty() && options.runs.empty()) {
    options.runs = {options.models.back()};
    options.models.pop_back();
  }
  if (options.runs.empty() || (options.models.empty() && options.runs.size() < 2)) {
    throw Failure(exit_usage, "there is nothing to compare",
                  "burin compare RUN RUN…, or -m MODEL MODEL… DIR");
  }
  expect_writable(options.csv);
  std::vector<Row> rows;
  catch_interrupts();
  try {
    const std::vector<std::string> names = short_names(options.models);
    for (size_t i = 0; i < options.models.size(); ++i) {
      rows.push_back(
          evaluate_model(options, options.models[i], names[i], options.runs.front(), session));
    }
  } catch (const Interrupted&) {
    return exit_interrupted;
  }
  if (rows.empty()) rows = rows_of_runs(options, session);
  const std::vector<std::vector<std::string>> cells = table_of(rows);
  std::vector<std::string> headings = {cells[0][0]};
  for (size_t i = 1; i < cells[0].size(); ++i) headings.push_back('>' + cells[0][i]);
  Table table(headings);
  for (size_t r = 1; r < cells.size(); ++r) table.add(cells[r]);
  table.print(std::cout);
  if (!options.csv.empty()) write_file(options.csv, csv_of(cells));
  return exit_ok;
}

}  // namespace

Command compare_command() {
  const auto options = std::make_shared<CompareOptions>();
  Command command("compare", "Results", "several runs or models in one table");
  command.details =
      "burin compare runs/train/exp runs/train/exp2      on their validation images\n"
      "burin compare -m runs/train/exp other.safetensors photos   on the same";
  command.add("runs", &options->runs, "run folders; with -m the data folder");
  command.add("-m,--model-files", &options->models,
              "model files or run folders to evaluate on DIR");
  command.add("--split", &options->split, "of DIR; auto: test, else val, else everything",
              one_of({"auto", "train", "val", "test", "all"}));
  command.add("--device", &options->device, "auto, cpu, cuda, cuda:N, emulator or emulator:N");
  command.add("-b,--batch-size", &options->batch_size, "images at once", at_least(1));
  command.add("--csv", &options->csv, "write the table to a file");
  command.run = [options](const Session& session) {
    return failing_with(exit_bad_input, [&] { return run_compare(*options, session); });
  };
  return command;
}

}  // namespace burin::apps
