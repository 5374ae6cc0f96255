#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace burin::apps {

/// Where an option's value goes. The pointer's type says what is accepted; what it points at when
/// the option is declared is the default.
using Target =
    std::variant<int*, uint64_t*, double*, bool*, std::string*, std::vector<std::string>*>;

/// What a value must satisfy besides its type.
struct Rule {
  std::string words;  // "at least 1": for messages and --help
  std::function<bool(const std::string& value)> holds;
};
Rule at_least(double low);
Rule above(double low);
Rule between(double low, double high);
Rule zero_or_between(double low, double high);
Rule one_of(const std::vector<std::string>& words);

/// One option of a command. It can be given as flag, as environment variable and in the config
/// file; the first of these wins.
struct Option {
  std::string spelling;  // "-e,--epochs"; with a bare name also positional: "data,--data"
  Target target;
  std::string help;
  Rule rule;
  std::string group;
  bool saved = true;  // among the resolved options that are written down

  std::string name() const;         // "epochs": its key in a config file
  std::string flag() const;         // "--epochs", or the name of a positional in capitals
  std::string environment() const;  // "BURIN_EPOCHS"; empty for what is positional only
  bool is_flag() const { return std::holds_alternative<bool*>(target); }
  bool is_list() const { return std::holds_alternative<std::vector<std::string>*>(target); }

  /// Takes what the user wrote. `source` says where, for the message.
  /// Throws Failure (usage) if a value is not of the type or breaks the rule.
  void assign(const std::vector<std::string>& values, const std::string& source) const;
  /// Its value now, as TOML writes it.
  std::string toml_value() const;
};

/// Options set for the whole process, before or after the command's name.
struct Globals {
  std::string config;
  bool quiet = false;
  bool verbose = false;
  std::string color = "auto";
  std::string progress = "auto";
  std::string impl;
  int threads = 0;  // 0: all cores
};
constexpr int most_threads = 1024;

/// What a command is given besides its own options.
struct Session {
  Globals globals;
};

/// A sub-command of burin.
struct Command {
  Command(std::string its_name, std::string its_group, std::string its_summary)
      : name(std::move(its_name)), group(std::move(its_group)), summary(std::move(its_summary)) {}

  std::string name;
  std::string group;    // heading in the list of commands
  std::string summary;  // one line
  std::string details;  // what else --help says
  std::vector<Option> options;
  std::function<int(const Session&)> run;  // returns the exit code
  /// Asked once flags and environment are read: the config file to take where --config names none.
  std::function<std::string()> default_config = [] { return std::string(); };

  /// Declares an option under the heading last set.
  Option& add(std::string spelling, Target target, std::string help, Rule rule = {});
  void heading(std::string text) { heading_ = std::move(text); }

 private:
  std::string heading_ = "Options";
};

}  // namespace burin::apps
