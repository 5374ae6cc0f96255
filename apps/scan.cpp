#include "burin/data/scan.h"
#include "burin/apps/printable.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <system_error>
#include <thread>

#include "burin/apps/commands.h"
#include "burin/apps/exit.h"
#include "burin/apps/json.h"
#include "burin/apps/output.h"
#include "burin/apps/progress.h"
#include "burin/apps/table.h"
#include "burin/tensor/files/atomic_file.h"
#include "burin/tensor/files/mapped_file.h"

namespace burin::apps {
namespace {

namespace fs = std::filesystem;
using data::ScanResult;
using data::Verdict;

struct ScanFlags {
  std::string directory;
  std::string out;
  std::string move_to;
  std::string json;
  int near = data::ScanOptions{}.near_distance;
  int workers = 0;
  bool fail = false;
};

std::vector<ScanResult> run_scan_over(const ScanFlags& flags, const Session& session) {
  const std::vector<fs::path> files =
      failing_with(exit_bad_input, [&] { return data::files_below(flags.directory); });
  Progress progress(make_terminal(session.globals), 10);
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  ProgressState state{.title = "scan"};
  data::ScanOptions options;
  options.workers = flags.workers > 0 ? flags.workers : std::clamp(cores, 1, 8);
  options.near_distance = flags.near;
  options.progress = [&](int64_t done, int64_t total) {
    state.done = state.items = done;
    state.total = total;
    progress.update(state);
  };
  return data::scan(files, options);
}

bool worth_a_line(const ScanResult& result) {
  return result.verdict != Verdict::ok && result.verdict != Verdict::other &&
         result.verdict != Verdict::not_rgb;
}

/// A line for everything that wants a decision, then how many there are of each kind.
void print_results(const std::vector<ScanResult>& results, bool all) {
  Table lines({"verdict", "file", "reason"});
  std::map<Verdict, int> counts;
  int bad = 0;
  for (const ScanResult& result : results) {
    ++counts[result.verdict];
    if (data::is_bad(result.verdict)) ++bad;
    if (worth_a_line(result) || (all && result.verdict != Verdict::ok)) {
      lines.add({str(result.verdict), result.file.string(), result.reason});
    }
  }
  if (!lines.empty()) {
    lines.print(std::cout);
    std::cout << '\n';
  }
  std::cout << results.size() << (results.empty() ? " files" : " files:");
  for (const auto& [verdict, count] : counts) {
    std::cout << (verdict == counts.begin()->first ? " " : ", ") << count << ' ' << verdict;
  }
  std::cout << "\n" << bad << " can't be used\n";
}

/// A name with a line end is left out: its second half would be another file's path to whatever
/// removes what is listed.
void write_list(const std::string& path, const std::vector<ScanResult>& results) {
  std::string text;
  for (const ScanResult& result : results) {
    if (!data::is_bad(result.verdict)) continue;
    const std::string file = result.file.string();
    if (file.find('\n') == std::string::npos) {
      text += file + "\n";
    } else {
      std::cout << printable(file) << " is not in " << printable(path)
                << ": a list of lines can't hold its name\n";
    }
  }
  write_file(path, text);
}

void write_json(const std::string& path, const std::vector<ScanResult>& results) {
  Json list = Json::array();
  for (const ScanResult& result : results) {
    Json one = Json::object();
    one.set("file", Json::of(result.file.string()));
    one.set("verdict", Json::of(data::name_of(result.verdict)));
    one.set("bad", Json::of(data::is_bad(result.verdict)));
    if (!result.reason.empty()) one.set("reason", Json::of(result.reason));
    if (!result.twin.empty()) one.set("twin", Json::of(result.twin.string()));
    list.push(std::move(one));
  }
  write_file(path, list.text(1) + "\n");
}

/// Also to another disk, where the file appears whole or not at all.
void move_file(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error == std::errc::cross_device_link) {
    AtomicFile copy(to.string());
    copy.write(MappedFile(from.string()).bytes());
    copy.commit();
    if (fs::remove(from, error); error) fs::remove(to);
  }
  if (error) throw WriteError(str(from.string(), ": can't be moved: ", error.message()));
}

/// Moves what can't be used, keeping its place below the folder; nothing is overwritten.
void move_bad(const ScanFlags& flags, const std::vector<ScanResult>& results) {
  int moved = 0;
  for (const ScanResult& result : results) {
    if (!data::is_bad(result.verdict)) continue;
    const fs::path target = fs::path(flags.move_to) / fs::relative(result.file, flags.directory);
    check(!fs::exists(target), "--move-to: ", target.string(), " is there already");
    fs::create_directories(target.parent_path());
    move_file(result.file, target);
    ++moved;
  }
  std::cout << moved << " moved to " << printable(flags.move_to) << '\n';
}

int run_scan(const ScanFlags& flags, const Session& session) {
  if (flags.directory.empty()) throw Failure(exit_usage, "no folder given", "burin scan DIR");
  expect_writable(flags.out);
  expect_writable(flags.json);
  const std::vector<ScanResult> results = run_scan_over(flags, session);
  print_results(results, session.globals.verbose);
  if (!flags.out.empty()) write_list(flags.out, results);
  if (!flags.json.empty()) write_json(flags.json, results);
  if (!flags.move_to.empty()) move_bad(flags, results);
  const bool bad = std::any_of(results.begin(), results.end(),
                               [](const ScanResult& one) { return data::is_bad(one.verdict); });
  return bad && flags.fail ? exit_bad_input : exit_ok;
}

}  // namespace

Command scan_command() {
  const auto flags = std::make_shared<ScanFlags>();
  Command command("scan", "Data", "find images that training would stumble over");
  command.details = "burin scan photos --out list_of_bad_images.txt --move-to bad";
  command.add("dir", &flags->directory, "the folder, with all below it");
  command.add("--out", &flags->out, "write the paths of what can't be used, one a line");
  command.add("--move-to", &flags->move_to, "move what can't be used to this folder");
  command.add("--json", &flags->json, "write every verdict to a file");
  command.add("--near", &flags->near, "bits by which near duplicates may differ; -1: don't look",
              between(-1, 32));
  command.add("-j,--workers", &flags->workers, "threads; 0: the cores, at most 8",
              between(0, 1024));
  command.add("--fail", &flags->fail, "exit with 3 if anything can't be used");
  command.run = [flags](const Session& session) { return run_scan(*flags, session); };
  return command;
}

}  // namespace burin::apps
