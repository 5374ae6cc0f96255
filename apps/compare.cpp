#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <set>
#include <thread>

#include "burin/apps/commands.h"
#include "burin/apps/csv.h"
#include "burin/apps/exit.h"
#include "burin/apps/json.h"
#include "burin/apps/metrics_report.h"
#include "burin/apps/model_options.h"
#include "burin/apps/output.h"
#include "burin/apps/printable.h"
#include "burin/apps/progress.h"
#include "burin/apps/run_folder.h"
#include "burin/apps/stop.h"
#include "burin/apps/suggest.h"
#include "burin/apps/table.h"
#include "burin/apps/training/datasets.h"
#include "burin/data/file.h"
#include "burin/data/image_folder.h"
#include "burin/tensor/files/atomic_file.h"

namespace burin::apps {
namespace {

namespace fs = std::filesystem;

struct CompareOptions {
  std::vector<std::string> runs, models;
  ModelOptions common;  // but for the file
  std::string split = "auto";
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
  return Json::parse(data::read_text(path), path.string());
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

/// Throws Failure (usage) for what was given as a run and is none.
void expect_runs(const std::vector<std::string>& runs) {
  for (const std::string& run : runs) {
    if (fs::exists(fs::path(run) / "metrics.json")) continue;
    std::string words;
    for (const std::string& word : runs) words += ' ' + shell_word(word);
    const bool data = run == runs.back() && fs::is_directory(run) && runs.size() > 1;
    throw Failure(
        exit_usage,
        str(run, fs::exists(run) ? ": is no folder of a finished run: it has no metrics.json"
                                 : ": is not there"),
        data ? str("burin compare -m", words, "   evaluates the others on its images")
             : "burin compare -m MODEL MODEL… DIR evaluates models on the images of DIR");
  }
}

std::vector<Row> rows_of_runs(const CompareOptions& options, const Session& session) {
  std::vector<Row> rows;
  std::set<std::string> data;
  const std::vector<std::string> names = short_names(options.runs);
  const ModelHints hints = hints_of(options.common);
  for (size_t i = 0; i < options.runs.size(); ++i) {
    const std::string& run = options.runs[i];
    const fs::path folder = run;
    const ModelCard card = load_model(model_path(run), hints);
    print_notes(card, session);
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
  ModelOptions model = options.common;
  model.file = file;
  const LoadedModel loaded = load_model(model, session);
  const std::shared_ptr<const data::Dataset> dataset = open_evaluation_data(
      directory, evaluation_part(options.split, directory), loaded.card.classes);
  Progress progress(make_terminal(session.globals), 10);
  ProgressState state{.title = name, .total = dataset->size()};
  const int workers = std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, 8);
  const Evaluation evaluation = evaluate(loaded.model(), dataset,
                                         {.batch_size = options.batch_size,
                                          .workers = workers,
                                          .dtype = loaded.dtype,
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

/// One number of every model.
struct Column {
  std::string heading, place;  // in metrics.json
  int decimals = 4;
  bool opens = false;                      // a block may begin here
  std::string label = {}, taken_for = {};  // instead of a place: a confusion
};

/// Where a row counts images of one label that were taken for another: models differ in the order
/// of their labels. Empty where it has no such label.
std::string confusion_place(const Json& metrics, const std::string& label,
                            const std::string& taken_for) {
  const std::vector<std::string> labels = metrics.strings("/labels");
  const auto from = std::find(labels.begin(), labels.end(), label);
  const auto to = std::find(labels.begin(), labels.end(), taken_for);
  if (from == labels.end() || to == labels.end()) return {};
  return str("/confusion/", from - labels.begin(), '/', to - labels.begin());
}

/// Workflow W4's layout: accuracy, then precision, recall and F1 of each class.
std::vector<Column> columns_for(const Json& metrics) {
  constexpr size_t most_classes = 4;  // of more the averages are shown
  const std::vector<std::string> classes = metrics.strings("/labels");
  const bool two = classes.size() == 2;
  const bool each = classes.size() <= most_classes;
  std::vector<Column> columns = {{"accuracy", "/accuracy"}, {"error", "/error_rate"}};
  const auto add_scores = [&](const std::string& name, const std::string& place) {
    columns.insert(columns.end(), {{name + " P", place + "/precision", 4, true},
                                   {name + " R", place + "/recall"},
                                   {name + " F1", place + "/f1"}});
  };
  for (const std::string& name : classes) {
    if (each) add_scores(name, "/classes" + json_place(name));
  }
  if (!each) add_scores("macro", "/macro");
  columns.push_back({"ECE", "/calibration_error", 4, true});
  if (two) columns.push_back({"AUC", "/classes" + json_place(classes[0]) + "/auc"});
  if (metrics.number("/images_per_second")) {
    columns.push_back({"images/s", "/images_per_second", 1});
  }
  if (two) {
    for (const auto& [label, taken_for] :
         {std::pair(classes[0], classes[1]), std::pair(classes[1], classes[0])}) {
      columns.push_back({str(label, "→", taken_for), "", 0, false, label, taken_for});
    }
  }
  return columns;
}

/// A model a row, below the headings.
std::vector<std::vector<std::string>> table_of(const std::vector<Row>& rows,
                                               const std::vector<Column>& columns) {
  std::vector<std::vector<std::string>> table = {{"model", "M params"}};
  for (const Column& column : columns) table[0].push_back(column.heading);
  for (const Row& row : rows) {
    std::vector<std::string> cells = {row.name, row.parameters};
    for (const Column& column : columns) {
      const std::string place = column.label.empty()
                                    ? column.place
                                    : confusion_place(row.metrics, column.label, column.taken_for);
      const std::optional<double> value = row.metrics.number(place);
      cells.push_back(value ? fixed(*value, column.decimals) : "-");
    }
    table.push_back(std::move(cells));
  }
  return table;
}

void print_table(const std::vector<std::vector<std::string>>& cells,
                 const std::vector<Column>& columns) {
  constexpr int most_columns = 100;  // of a line
  std::vector<std::string> headings = {"model", ">M params"};
  for (const Column& column : columns) {
    headings.push_back((column.opens ? "|>" : ">") + column.heading);
  }
  Table table(headings);
  for (size_t r = 1; r < cells.size(); ++r) table.add(cells[r]);
  table.print(std::cout, most_columns);
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
  if (options.models.empty()) {
    expect_runs(options.runs);
  } else {
    data::expect_folder(options.runs.front());
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
  if (rows.empty()) rows = rows_of_runs(options, session);  // without -m
  const std::vector<Column> columns = columns_for(rows.front().metrics);
  const std::vector<std::vector<std::string>> cells = table_of(rows, columns);
  print_table(cells, columns);
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
  add_inference_options(command, options->common);
  command.add("-b,--batch-size", &options->batch_size, "images at once", at_least(1));
  command.add("--csv", &options->csv, "write the table to a file");
  command.run = [options](const Session& session) {
    return failing_with(exit_bad_input, [&] { return run_compare(*options, session); });
  };
  return command;
}

}  // namespace burin::apps
