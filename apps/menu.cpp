// A numbered menu over the commands, for who would rather answer questions than type options.
#include <algorithm>
#include <iostream>
#include <optional>

#include "burin/apps/commands.h"
#include "burin/apps/exit.h"
#include "burin/apps/stop.h"
#include "burin/apps/suggest.h"

namespace burin::apps {
namespace {

/// A question of the menu, and what its answer becomes on the command line.
struct Question {
  std::string text;
  std::string flag;      // "--epochs"; empty: the answer stands by itself
  std::string standard;  // taken for an empty answer; empty: an answer is needed
};

struct Choice {
  std::string title;
  std::string command;
  std::vector<Question> questions;
};

const std::vector<Choice>& choices() {
  static const Question model{"Which model (a run folder or a file)?", "-m", "runs/train/exp"};
  static const Question photos{"Which folder of images?", "", ""};
  static const std::vector<Choice> all = {
      {"Find bad images",
       "scan",
       {photos, {"Write the list to?", "--out", "list_of_bad_images.txt"}}},
      {"Prepare a data set (convert, resize, split)",
       "prepare",
       {photos,
        {"Into which new folder?", "", ""},
        {"Shorter side in pixels (0: as it is)?", "--size", "256"},
        {"Shares of train/val/test?", "--split", "70/15/15"}}},
      {"Show a sheet of images", "show", {photos, {"Write it to?", "--out", "batch.png"}}},
      {"Train a model",
       "train",
       {photos,
        {"Which architecture?", "--model", "resnet18"},
        {"Begin with which weights (imagenet, none, or a file)?", "--weights", "none"},
        {"How many epochs?", "--epochs", "3"}}},
      {"Find the learning rate to train with",
       "lr-find",
       {photos,
        {"Which architecture?", "--model", "resnet18"},
        {"Begin with which weights (imagenet, none, or a file)?", "--weights", "none"},
        {"Draw the curve to?", "--out", "lr_find.png"}}},
      {"Evaluate on the test images",
       "evaluate",
       {model, photos, {"Which part?", "--split", "test"}}},
      {"Evaluate on the training images",
       "evaluate",
       {model, photos, {"Which part?", "--split", "train"}}},
      {"Compare runs",
       "compare",
       {{"Which run?", "", "runs/train/exp"}, {"And which other?", "", "runs/train/exp2"}}},
      {"Compare models on the same images",
       "compare",
       {photos,
        {"Which model?", "-m", "runs/train/exp"},
        {"And which other?", "-m", "runs/train/exp2"}}},
      {"Classify images", "predict", {model, {"Which image or folder?", "", ""}}},
      {"Show where a model looks (Grad-CAM)",
       "gradcam",
       {model,
        {"Which image or folder?", "", ""},
        {"Write to which folder?", "--out", "runs/gradcam"}}},
      {"Serve a web page that classifies images (Ctrl-C comes back here)",
       "serve",
       {model, {"At which port?", "--port", "8000"}}},
      {"Look for mistakes in a data set or run", "lint", {{"Which folder?", "", ""}}},
      {"Say what this machine and program have", "info", {}},
      {"List the operators and their implementations", "kernels", {}},
      {"See it all on a real data set",
       "demo",
       {{"Where is Fashion-MNIST, or a folder of images?", "",
         "/usr/share/datasets/fashion-mnist"}}},
  };
  return all;
}

/// A line of stdin without the blanks around it; nothing at its end.
std::optional<std::string> read_answer(const std::string& prompt) {
  std::cout << prompt << std::flush;
  std::string line;
  if (!std::getline(std::cin, line)) return std::nullopt;
  const size_t begin = line.find_first_not_of(" \t\r");
  if (begin == std::string::npos) return "";
  return line.substr(begin, line.find_last_not_of(" \t\r") - begin + 1);
}

/// The words of the command that the answers make; nothing where stdin ends.
std::optional<std::vector<std::string>> ask(const Choice& choice) {
  std::vector<std::string> words = {choice.command};
  for (const Question& question : choice.questions) {
    const std::string hint = question.standard.empty() ? " " : " [" + question.standard + "] ";
    std::optional<std::string> answer = read_answer(question.text + hint);
    while (answer && answer->empty() && question.standard.empty()) {
      answer = read_answer("An answer is needed. " + question.text + hint);
    }
    if (!answer) return std::nullopt;
    if (!question.flag.empty()) words.push_back(question.flag);
    words.push_back(answer->empty() ? question.standard : *answer);
  }
  return words;
}

void run(const std::vector<std::string>& words) {
  std::cout << "\n$ burin";
  for (const std::string& word : words) {
    std::cout << ' ' << shell_word(word);
  }
  std::cout << "\n\n" << std::flush;
  std::string program;
  try {
    run_command_line(words, program);
  } catch (const std::exception& error) {
    report_error(error, program);
  }
  release_interrupts();  // Ctrl-C was for the command; the next one is for the menu
  std::cout << '\n';
}

int run_menu() {
  for (;;) {
    const std::vector<Choice>& all = choices();
    for (size_t i = 0; i < all.size(); ++i) {
      std::cout << (i < 9 ? " " : "") << i + 1 << ". " << all[i].title << '\n';
    }
    const std::optional<std::string> answer = read_answer(" 0. Leave\nWhat shall it be? ");
    if (!answer || *answer == "0" || *answer == "q") return exit_ok;
    const bool number = !answer->empty() && answer->size() <= 2 &&
                        answer->find_first_not_of("0123456789") == std::string::npos;
    const size_t chosen = number ? std::stoul(*answer) : 0;
    if (chosen < 1 || chosen > all.size()) {
      std::cout << "Please answer with a number from 0 to " << all.size() << ".\n\n";
      continue;
    }
    const std::optional<std::vector<std::string>> words = ask(all[chosen - 1]);
    if (!words) return exit_ok;
    run(*words);
  }
}

}  // namespace

Command menu_command() {
  Command command("menu", "Help", "a numbered menu over the commands");
  command.details = "Each choice asks what it needs and shows the command that it runs.";
  command.run = [](const Session&) { return run_menu(); };
  return command;
}

}  // namespace burin::apps
