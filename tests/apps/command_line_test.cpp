// The surface of the command: what it accepts, and what it says to what it does not.
#include <gtest/gtest.h>

#include <sstream>

#include "apps/run_burin.h"
#include "burin/apps/exit.h"

namespace burin {
namespace {

using apps::exit_ok;
using apps::exit_usage;

TEST(CommandLine, HelpAndVersionAreResults) {
  EXPECT_EQ(run_burin("--help").code, exit_ok);
  EXPECT_NE(run_burin("--help").out.find("kernels"), std::string::npos);
  EXPECT_NE(run_burin("kernels --help").out.find("--why"), std::string::npos);
  EXPECT_EQ(run_burin("--version").out.substr(0, 6), "burin ");
}

TEST(CommandLine, OutputThatIsLostIsAnError) {
  const testing_support::TemporaryFolder folder;
  const std::string command =
      "'" BURIN_COMMAND "' info --models >/dev/full 2>" + folder.file("err");
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), apps::exit_failed);
  EXPECT_NE(testing_support::read_whole(folder.file("err")).find("standard output"),
            std::string::npos);
}

// On the narrowest terminal in use nothing is broken within a word.
TEST(CommandLine, HelpFitsEightyColumns) {
  for (const std::string command :
       {"", "scan", "prepare", "show", "train", "lr-find", "evaluate", "predict", "serve",
        "gradcam", "compare", "info", "kernels", "lint", "demo", "menu"}) {
    const Ran ran = run_burin(command + " --help");
    EXPECT_EQ(ran.code, exit_ok);
    std::istringstream lines(ran.out);
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(line.size(), 80u) << command << ": " << line;
    }
    EXPECT_EQ(ran.out.find("\n\n\n"), std::string::npos) << command;
  }
}

// What holds where an option is not given stands beside it, zero too.
TEST(CommandLine, HelpNamesTheDefaults) {
  const std::string help = run_burin("train --help").out;
  for (const char* const line :
       {"--recipe TEXT", "last-layer) [auto]", "(at least 0) [0]", "[0.2]"}) {
    EXPECT_NE(help.find(line), std::string::npos) << line;
  }
}

struct Mistake {
  const char* arguments;
  const char* error;  // how stderr begins
};

class UsageError : public testing::TestWithParam<Mistake> {};

TEST_P(UsageError, IsExplainedAndEndsWithTwo) {
  const Ran ran = run_burin(GetParam().arguments);
  EXPECT_EQ(ran.code, exit_usage);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.err.substr(0, std::string(GetParam().error).size()), GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(
    All, UsageError,
    testing::Values(
        Mistake{"", "burin: error: no command given\n  hint: burin --help lists the commands\n"},
        Mistake{"kernles", "burin: error: unknown command 'kernles' (did you mean kernels?)\n"},
        Mistake{"--quite info",
                "burin info: error: unknown option --quite (did you mean --quiet?)\n"},
        Mistake{"show -o x.png", "burin show: error: unknown option -o (did you mean --out?)\n"},
        Mistake{"show -s x", "burin show: error: unknown option -s\n"},  // --seed, --side, --split
        Mistake{"kernels --wy", "burin kernels: error: unknown option --wy (did you mean --why?)"},
        Mistake{"kernels --secnds=1",
                "burin kernels: error: unknown option --secnds (did you mean --seconds?)"},
        Mistake{"kernels --seconds x", "burin kernels: error: --seconds: 'x' is not a number\n"},
        Mistake{"kernels --seconds 0", "burin kernels: error: --seconds: '0' must be above 0\n"},
        Mistake{"info --threads 1.5",
                "burin info: error: --threads: '1.5' is not a whole number\n"},
        Mistake{"info --color pink",
                "burin info: error: --color: 'pink' must be one of auto, always, never\n"},
        Mistake{"info --threads", "burin info: error: --threads needs a value\n"},
        Mistake{"train photos --weights", "burin train: error: --weights needs a value\n"},
        Mistake{"--impl", "burin: error: --impl needs a value\n"},
        Mistake{"kernels check convd", "burin kernels: error: there is no op 'convd' (did you"},
        Mistake{"kernels check conv2d extra",
                "burin kernels: error: unexpected argument 'extra'\n"},
        Mistake{"info --impl nobody", "burin info: error: --impl: no implementation 'nobody'"},
        Mistake{"--config /nowhere.toml info",
                "burin info: error: --config: cannot read /nowhere.toml\n"},
        Mistake{"--config /tmp info",
                "burin info: error: --config: /tmp is a folder\n"
                "  hint: a run keeps its options in /tmp/args.toml\n"},
        Mistake{"--threads 100000 info",
                "burin info: error: --threads: '100000' must be from 0 to 1024\n"}));

TEST(CommandLine, AWrongVariableIsAnErrorOfUsage) {
  EXPECT_EQ(run_burin("info", "BURIN_CPU_LEVEL=v9").code, exit_usage);
  EXPECT_EQ(run_burin("info", "BURIN_PLUGINS=/nowhere.so").code, exit_usage);
}

// A million threads would be more than libgomp has room for on the stack.
TEST(CommandLine, TakesNoMoreThreadsThanTheOptionMayName) {
  const Ran ran = run_burin("info --system", "OMP_NUM_THREADS=1000000");
  EXPECT_NE(ran.out.find("threads          1024\n"), std::string::npos) << ran.out;
}

TEST(CommandLine, InfoSuggestsAModel) {
  const Ran ran = run_burin("info resnet81");
  EXPECT_EQ(ran.code, apps::exit_bad_input);
  EXPECT_NE(ran.err.find("there is no file and no model 'resnet81' (did you mean resnet18?)"),
            std::string::npos)
      << ran.err;
}

TEST(CommandLine, TwoDashesEndTheOptions) {
  const Ran ran = run_burin("info -- --nowhere");
  EXPECT_EQ(ran.code, apps::exit_bad_input);
  EXPECT_EQ(ran.err.substr(0, ran.err.find('\n')),
            "burin info: error: there is no file and no model '--nowhere'");
}

TEST(CommandLine, GlobalOptionsStandBeforeOrAfterTheCommand) {
  EXPECT_NE(run_burin("--threads 1 info --system").out.find("threads          1\n"),
            std::string::npos);
  EXPECT_NE(run_burin("info --system --threads 1").out.find("threads          1\n"),
            std::string::npos);
}

int threads_said(const Ran& ran) {
  const std::string mark = "\nthreads ";
  const size_t place = ran.out.find(mark);
  return place == std::string::npos ? -1 : std::atoi(ran.out.c_str() + place + mark.size());
}

TEST(CommandLine, FlagBeatsEnvironmentBeatsConfigBeatsDefault) {
  const testing_support::TemporaryFolder folder;
  testing_support::write_whole(folder.file("c.toml"), "threads = 3\n");
  const std::string config = "--config " + folder.file("c.toml") + " ";
  EXPECT_EQ(threads_said(run_burin(config + "info")), 3);
  EXPECT_EQ(threads_said(run_burin(config + "info", "BURIN_THREADS=2")), 2);
  EXPECT_EQ(threads_said(run_burin(config + "info --threads 1", "BURIN_THREADS=2")), 1);
  EXPECT_EQ(threads_said(run_burin("info", "BURIN_CONFIG=" + folder.file("c.toml"))), 3);
}

TEST(CommandLine, MessagesNameTheEnvironmentVariable) {
  const Ran ran = run_burin("info", "BURIN_THREADS=many");
  EXPECT_EQ(ran.code, exit_usage);
  EXPECT_EQ(ran.err, "burin info: error: BURIN_THREADS: 'many' is not a whole number\n");
}

TEST(CommandLine, WhatTheConfigFileSaysMustBeKnown) {
  const testing_support::TemporaryFolder folder;
  const auto said = [&](const std::string& content) {
    testing_support::write_whole(folder.file("c.toml"), content);
    const Ran ran = run_burin("info --config " + folder.file("c.toml"));
    EXPECT_EQ(ran.code, exit_usage) << content;
    const size_t place = ran.err.find("c.toml");
    return place == std::string::npos ? ran.err : ran.err.substr(place);
  };
  EXPECT_EQ(said("thread = 3\n"), "c.toml:1: unknown key thread (did you mean threads?)\n");
  EXPECT_EQ(said("# fine\n[kernels]\nsecond = 1\n"),
            "c.toml:3: unknown key kernels.second (did you mean seconds?)\n");
  EXPECT_EQ(said("[kernel]\n"
                 "seconds = 1\n"),
            "c.toml:2: unknown section [kernel] (did you mean kernels?)\n");
  EXPECT_EQ(said("seconds = 1\n"),
            "c.toml:1: unknown key seconds\n"
            "  hint: options of kernels stand under a line [kernels]\n");
  EXPECT_EQ(said("threads = many\n"), "c.toml:1: threads: 'many' is not a whole number\n");
  EXPECT_EQ(said("threads = [1, 2]\n"), "c.toml:1: threads takes one value, not a list\n");
  EXPECT_EQ(said("threads 3\n"), "c.toml:1: expected '=', found '3'\n");
  EXPECT_EQ(said("threads\n"), "c.toml:1: expected '=', the line ends\n");
}

}  // namespace
}  // namespace burin
