// The only file that includes CLI11, which costs seconds to compile. CLI11 splits the arguments and
// writes the help; types, bounds, the environment and the config file are ours (options.cpp): CLI11
// puts the file before the environment, takes unknown keys in silence, and cuts a value at '#'.
#include "burin/apps/command_line.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <sstream>

#include "burin/apps/exit.h"
#include "burin/apps/suggest.h"
#include "burin/apps/table.h"
#include "burin/apps/toml.h"
#include "burin/data/file.h"
#include "burin/version.h"

namespace burin::apps {
namespace {

struct Binding {
  const Option* option;
  CLI::Option* parsed;
};
using Bindings = std::vector<Binding>;

constexpr int help_width = 80;
constexpr int names_width = 29;  // of the column of names

/// CLI11's, within the width of a terminal and without its empty lines in pairs.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() {
    column_width(names_width);
    label("SUBCOMMAND", "COMMAND");
  }

  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override {
    const std::string help = Formatter::make_help(app, std::move(name), mode);
    return CLI::detail::find_and_replace(help, "\n\n\n", "\n\n");
  }
  std::string make_subcommand(const CLI::App* command) const override {
    std::ostringstream out;
    CLI::detail::format_help(out, command->get_name(), described(command->get_description()),
                             names_width);
    return out.str();
  }
  std::string make_option_desc(const CLI::Option* option) const override {
    return described(option->get_description());
  }

 private:
  static std::string described(const std::string& text) {
    return wrapped(text, help_width - names_width);
  }
};

std::string help_of(const Option& option) {
  std::string text = option.help;
  if (!option.rule.words.empty() && !option.is_flag()) text += " (" + option.rule.words + ")";
  std::string standard = option.toml_value();
  if (option.is_flag() || option.is_list() || standard == "\"\"") return text;
  std::erase(standard, '"');
  return text + " [" + standard + "]";
}

const char* type_name(const Option& option) {
  if (std::holds_alternative<int*>(option.target)) return "N";
  if (std::holds_alternative<uint64_t*>(option.target)) return "N";
  if (std::holds_alternative<double*>(option.target)) return "X";
  return "TEXT";
}

/// Makes each option known to CLI11, which only collects the words given for it.
Bindings bind(CLI::App& app, const std::vector<Option>& options) {
  Bindings bindings;
  for (const Option& option : options) {
    CLI::Option* parsed = nullptr;
    const std::string help = help_of(option);
    if (option.is_flag()) {
      parsed = app.add_flag(option.spelling, help);
    } else {
      const auto keep = [](const CLI::results_t&) { return true; };
      parsed = app.add_option(option.spelling, keep, help);
      parsed->type_name(type_name(option));
      if (option.is_list()) {
        parsed->expected(1, CLI::detail::expected_max_vector_size)->allow_extra_args();
      }
    }
    parsed->group(option.group);
    if (!option.is_list()) parsed->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    bindings.push_back({&option, parsed});
  }
  return bindings;
}

std::vector<Option> global_options(Globals& globals) {
  Command all("", "", "");
  all.heading("Options of every command");
  all.add("--config", &globals.config, "TOML file with options, a section per command").saved =
      false;
  all.add("-q,--quiet", &globals.quiet, "only results and errors");
  all.add("-v,--verbose", &globals.verbose, "more about what is chosen and why");
  all.add("--color", &globals.color, "colours", one_of({"auto", "always", "never"}));
  all.add("--progress", &globals.progress, "how progress is shown",
          one_of({"auto", "bar", "line", "none"}));
  all.add("--impl", &globals.impl, "kernels: a family, or conv2d=cpu/im2col,matmul=onednn");
  all.add("--threads", &globals.threads, "compute threads, 0 for all cores",
          between(0, most_threads));
  return all.options;
}

/// A flag's words are CLI11's counts or what follows '='; ours are true and false.
std::vector<std::string> words_of(const Binding& binding) {
  if (binding.option->is_list()) return binding.parsed->results();
  return {binding.parsed->results().back()};
}

std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ':');) parts.push_back(part);
  return parts;
}

/// From the environment, where the command line is silent. True if it was there.
bool assign_from_environment(const Option& option) {
  const std::string variable = option.environment();
  const char* const value = variable.empty() ? nullptr : std::getenv(variable.c_str());
  if (value == nullptr || *value == '\0') return false;
  option.assign(option.is_list() ? split_list(value) : std::vector<std::string>{value}, variable);
  return true;
}

/// Assigns what flags and the environment say; returns the options that they leave open.
std::vector<const Option*> assign_given(const Bindings& bindings) {
  std::vector<const Option*> open;
  for (const Binding& binding : bindings) {
    if (binding.parsed->count() > 0) {
      binding.option->assign(words_of(binding), binding.option->flag());
    } else if (!assign_from_environment(*binding.option)) {
      open.push_back(binding.option);
    }
  }
  return open;
}

const Option* find_option(const std::vector<Option>& options, const std::string& name) {
  for (const Option& option : options) {
    if (option.name() == name) return &option;
  }
  return nullptr;
}

std::vector<std::string> names_of(const std::vector<Option>& options) {
  std::vector<std::string> names;
  for (const Option& option : options) names.push_back(option.name());
  return names;
}

/// The option that an entry of the config file speaks of. Throws Failure for an unknown one.
const Option* find_configured(const TomlEntry& entry, const std::vector<Option>& globals,
                              const std::vector<Command>& commands, const std::string& place) {
  const std::vector<Option>* options = entry.section.empty() ? &globals : nullptr;
  std::vector<std::string> sections;
  for (const Command& command : commands) {
    if (command.name == entry.section) options = &command.options;
    sections.push_back(command.name);
  }
  if (options == nullptr) {
    throw Failure(exit_usage, str(place, "unknown section [", entry.section, "]",
                                  did_you_mean(entry.section, sections)));
  }
  if (const Option* const found = find_option(*options, entry.key)) return found;
  std::string hint;
  for (const Command& command : commands) {
    if (entry.section.empty() && find_option(command.options, entry.key) != nullptr) {
      hint = str("options of ", command.name, " stand under a line [", command.name, "]");
      break;
    }
  }
  const std::string full = entry.section.empty() ? entry.key : entry.section + "." + entry.key;
  throw Failure(exit_usage,
                str(place, "unknown key ", full, did_you_mean(entry.key, names_of(*options))),
                hint);
}

/// Of a file that a user names, or of a run's own, which must be a regular one.
std::string read_config(const std::string& file, bool named) {
  std::error_code error;
  if (std::filesystem::is_directory(file, error)) {
    throw Failure(exit_usage, str("--config: ", file, " is a folder"),
                  str("a run keeps its options in ", file, "/args.toml"));
  }
  if (!std::filesystem::exists(file, error)) {
    throw Failure(exit_usage, str("--config: cannot read ", file));
  }
  return failing_with(
      exit_usage, [&] { return named ? data::read_text_or_pipe(file) : data::read_text(file); });
}

/// Assigns from the config file what is still open; everything in the file must be known.
void assign_from_config(const std::string& file, const std::string& text,
                        const std::vector<const Option*>& open, const std::vector<Option>& globals,
                        const std::vector<Command>& commands) {
  const std::vector<TomlEntry> entries =
      failing_with(exit_usage, [&] { return parse_toml(text, file); });
  for (const TomlEntry& entry : entries) {
    const std::string place = str(file, ":", entry.line, ": ");
    const Option* const option = find_configured(entry, globals, commands, place);
    if (entry.values.size() != 1 && !option->is_list()) {
      throw Failure(exit_usage, str(place, entry.key, " takes one value, not a list"));
    }
    if (std::find(open.begin(), open.end(), option) != open.end()) {
      option->assign(entry.values, place + entry.key);
    }
  }
}

/// " (did you mean …?)" with the one option that begins with the letter of -x, where there is one.
std::string long_form_of(char letter, const std::vector<std::string>& flags) {
  const std::string beginning = str("--", letter);
  const auto begins = [&](const std::string& flag) { return flag.starts_with(beginning); };
  const auto found = std::find_if(flags.begin(), flags.end(), begins);
  const bool one = std::count_if(flags.begin(), flags.end(), begins) == 1;
  return one ? " (did you mean " + *found + "?)" : "";
}

/// What CLI11 could not place: a misspelt option or command.
[[noreturn]] void fail_on(const std::string& word, const std::vector<const Option*>& known,
                          const std::vector<std::string>& commands) {
  if (!word.starts_with("-")) {
    throw Failure(exit_usage,
                  commands.empty()
                      ? str("unexpected argument '", word, "'")
                      : str("unknown command '", word, "'", did_you_mean(word, commands)),
                  commands.empty() ? "" : "burin --help lists the commands");
  }
  std::vector<std::string> flags = {"--help"};
  for (const Option* const option : known) {
    if (option->flag().starts_with("--")) flags.push_back(option->flag());
  }
  const std::string flag = word.substr(0, word.find('='));
  const std::string meant =
      flag.size() > 1 && flag[1] != '-' ? long_form_of(flag[1], flags) : did_you_mean(flag, flags);
  throw Failure(exit_usage, str("unknown option ", flag, meant));
}

/// The parsing proper; CLI11's errors in our words.
void parse(CLI::App& app, std::vector<std::string> arguments) {
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
  try {
    app.parse(arguments);
  } catch (const CLI::ArgumentMismatch& error) {  // "--lr: 1 required X missing"
    const std::string words = error.what();
    throw Failure(exit_usage, words.substr(0, words.find(':')) + " needs a value");
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) throw;  // --help
    throw Failure(exit_usage, error.what());
  }
}

/// One sub-command as CLI11 knows it.
struct Bound {
  const Command* command;
  CLI::App* app;
  Bindings bindings;
};

/// The sub-command that was named, or nullptr.
const Bound* chosen_of(const std::vector<Bound>& bound) {
  const auto chosen =
      std::find_if(bound.begin(), bound.end(), [](const Bound& one) { return one.app->parsed(); });
  return chosen == bound.end() ? nullptr : &*chosen;
}

std::vector<Bound> bind_commands(CLI::App& app, const std::vector<Command>& commands) {
  std::vector<Bound> bound;
  for (const Command& command : commands) {
    CLI::App* const sub = app.add_subcommand(command.name, command.summary);
    sub->group(command.group);
    sub->fallthrough();  // options of every command may stand after its name
    sub->allow_extras();
    sub->footer(command.details + (command.details.empty() ? "" : "\n\n") +
                "burin --help lists the options of every command, such as --threads.");
    bound.push_back({&command, sub, bind(*sub, command.options)});
  }
  return bound;
}

/// What `burin --help` says, and how words are taken.
void describe_program(CLI::App& app) {
  app.formatter(std::make_shared<HelpFormatter>());
  app.set_help_flag("-h,--help", "print this help");
  app.allow_extras();
  app.require_subcommand(0, 1);
  app.footer(
      "burin COMMAND --help says what a command takes.\n"
      "Every option can also be set as environment variable (--batch-size:\n"
      "BURIN_BATCH_SIZE) and in the --config file; the command line wins over the\n"
      "environment, the environment over the file.");
}

}  // namespace

void read_command_line(const std::vector<std::string>& arguments,
                       const std::vector<Command>& commands, Invocation& invocation) {
  CLI::App app("Train, evaluate and use image classifiers, and look into the engine below.",
               "burin");
  describe_program(app);
  bool version = false;
  app.add_flag("--version", version, "print the version");
  const std::vector<Option> globals = global_options(invocation.session.globals);
  const Bindings global_bindings = bind(app, globals);
  const std::vector<Bound> bound = bind_commands(app, commands);

  try {
    parse(app, arguments);
  } catch (const CLI::CallForHelp& help) {
    app.exit(help);
    return;
  } catch (const Failure&) {
    if (const Bound* const chosen = chosen_of(bound)) {
      invocation.program += " " + chosen->command->name;
    }
    throw;
  }
  if (version) {
    std::cout << "burin " << release << '\n';
    return;
  }
  const Bound* const chosen = chosen_of(bound);
  std::vector<const Option*> known;
  for (const Option& option : globals) known.push_back(&option);
  if (chosen == nullptr) {
    std::vector<std::string> names;
    for (const Command& command : commands) names.push_back(command.name);
    if (!app.remaining().empty()) fail_on(app.remaining().front(), known, names);
    throw Failure(exit_usage, "no command given", "burin --help lists the commands");
  }
  invocation.program += " " + chosen->command->name;
  for (const Option& option : chosen->command->options) known.push_back(&option);
  for (const std::string& word : app.remaining(true)) {
    if (word != "--") fail_on(word, known, {});  // what follows it was taken as no option
  }

  std::vector<const Option*> open = assign_given(global_bindings);
  for (const Option* const option : assign_given(chosen->bindings)) open.push_back(option);
  const std::string& named = invocation.session.globals.config;
  const std::string config = named.empty() ? chosen->command->default_config() : named;
  if (!config.empty()) {
    assign_from_config(config, read_config(config, !named.empty()), open, globals, commands);
  }
  invocation.command = chosen->command;
}

std::string resolved_arguments(Globals globals, const Command& command) {
  std::string text =
      str("# burin ", release, ": every option as it was resolved; feed it back with\n", "# burin ",
          command.name, " --config <this file>\n");
  for (const Option& option : global_options(globals)) {
    if (option.saved) text += option.name() + " = " + option.toml_value() + "\n";
  }
  text += "\n[" + command.name + "]\n";
  for (const Option& option : command.options) {
    if (option.saved) text += option.name() + " = " + option.toml_value() + "\n";
  }
  return text;
}

}  // namespace burin::apps
