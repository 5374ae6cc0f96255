// What can go wrong on the way from a folder of images to an answer, and what is said of it.
#include <gtest/gtest.h>

#include "apps/trained_run.h"
#include "burin/apps/exit.h"
#include "burin/apps/training/datasets.h"
#include "burin/apps/training/model_file.h"
#include "support/expect_error.h"

namespace burin {
namespace {

using testing_support::read_whole;
using testing_support::write_whole;

TEST_F(TrainedRun, EvaluatesThePartThatIsAskedFor) {
  const std::string model = "evaluate --no-report -m " + run() + " ";
  EXPECT_NE(run_burin(model + file("photos")).out.find(" of 40)"), std::string::npos);
  const Ran absent = run_burin(model + file("photos") + " --split test");
  EXPECT_EQ(absent.code, apps::exit_bad_input);
  EXPECT_NE(absent.err.find("photos: has no part 'test'\n  hint: --split all"), std::string::npos);
  const Ran prepared =
      run_burin("prepare " + file("photos") + " " + file("parts") + " --split 80/20");
  ASSERT_EQ(prepared.code, apps::exit_ok) << prepared.err;
  EXPECT_NE(run_burin(model + file("parts")).out.find(" of 8)"), std::string::npos);
  EXPECT_NE(run_burin(model + file("parts") + " --split all").out.find(" of 40)"),
            std::string::npos);
  std::filesystem::rename(file("parts/val/red"), file("parts/val/green"));
  const Ran other = run_burin(model + file("parts"));
  EXPECT_EQ(other.code, apps::exit_bad_input);
  EXPECT_NE(other.err.find("val/green: there is no class 'green'; there are: blue, red"),
            std::string::npos);
  EXPECT_EQ(run_burin(model + file("photos") + " --tta-aug flip").code, apps::exit_usage);
}

TEST_F(TrainedRun, EvaluatesNothingWhoseReportHasNoPlace) {
  write_whole(file("a_file"), "");
  const Ran ran = run_burin("evaluate -m " + run() + " " + file("photos") + " --out " +
                            file("a_file") + "/below/report");
  EXPECT_EQ(ran.code, apps::exit_failed);
  EXPECT_EQ(ran.out, "");
  EXPECT_NE(ran.err.find("a_file is not a folder"), std::string::npos) << ran.err;
}

TEST_F(TrainedRun, SaysWhatACheckpointIs) {
  const Ran ran = run_burin("predict -m " + run() + "/weights/last.ckpt " + file("photos"));
  EXPECT_EQ(ran.code, apps::exit_bad_input);
  EXPECT_NE(ran.err.find("last.ckpt: is a checkpoint to resume from, not a model\n  hint: "),
            std::string::npos)
      << ran.err;
  const Ran model = run_burin("predict -m " + run() + " --model resnet " + file("photos"));
  EXPECT_EQ(model.code, apps::exit_usage);
  EXPECT_NE(model.err.find("there is no model 'resnet'"), std::string::npos) << model.err;
}

// Of a folder with another beside it for validation, nothing is set aside.
TEST_F(TrainedRun, ValidatesOnAnotherFolder) {
  const Ran ran = run_burin("train " + file("photos") + quick + " --epochs 1 --test " +
                            file("photos") + " --name beside --project " + file("runs"));
  EXPECT_EQ(ran.code, apps::exit_bad_input) << "it is the same folder";
  EXPECT_NE(ran.err.find("40 of 40 validation images"), std::string::npos) << ran.err;
}

TEST_F(TrainedRun, NamesEachClassOnce) {
  const std::string predict = "predict -m " + run() + " " + file("photos") + " --classes ";
  const Ran twice = run_burin(predict + "a,a");
  EXPECT_EQ(twice.code, apps::exit_usage);
  EXPECT_NE(twice.err.find("--classes a,a: a stands twice"), std::string::npos) << twice.err;
  EXPECT_NE(run_burin(predict + "a,,b").err.find("a name is empty"), std::string::npos);
}

TEST_F(TrainedRun, SaysWhatRunsWhereMoreIsAskedFor) {
  const std::string predict = "predict -m " + run() + " " + file("photos");
  EXPECT_EQ(run_burin(predict).err, "");
  EXPECT_NE(run_burin(predict + " -v").err.find("dispatch: conv2d_forward -> "), std::string::npos);
}

// A run that can't begin is an error of usage, and leaves no folder.
TEST_F(TrainedRun, ThatCannotBeginLeavesNothing) {
  const std::string train =
      "train " + file("photos") + quick + " --project " + file("refused") + " ";
  const std::pair<std::string, std::string> refused[] = {
      {str("--train ", file("photos")), "two folders to train on: "},
      {"--name a/b", "--name: 'a/b' is no name of a folder"},
      {"--name ''", "--name: '' is no name of a folder"},
      {"--head foo", "--head: 'foo' is none of "},
      {"--head 99999999999999999999,softmax", "softmax before cross-entropy"},
      {"--recipe last-layer", "it needs weights\n  hint: "},
      {"--crop-pct 1e-9", "--crop-pct: '1e-9' must be 0, or from 0.1 to 1"},
      {"--warmup-epochs 1",
       "--warmup-epochs: --sched onecycle has none\n  hint: add --sched cosine"},
      {"--warmup-epochs 3 --sched cosine", "--warmup-epochs 3: the run would end before"},
      {"--device gpu", "--device: 'gpu' is none of auto, cpu, cuda, cuda:N, emulator, emulator:N"},
      {"--mixup 1 --class-weights", "do not go with --class-weights"}};
  for (const auto& [option, error] : refused) {
    const Ran ran = run_burin(train + option);
    EXPECT_EQ(ran.code, apps::exit_usage) << option;
    EXPECT_NE(ran.err.find(error), std::string::npos) << ran.err;
  }
  EXPECT_EQ(run_burin("train " + file("nothing") + quick + " --project " + file("refused")).code,
            apps::exit_bad_input);
  EXPECT_TRUE(!std::filesystem::exists(file("refused")) ||
              std::filesystem::is_empty(file("refused")));
}

// Before there is work to lose.
TEST_F(TrainedRun, WhereNothingCanBeWrittenThatIsSaidFirst) {
  const std::string photos = file("photos");
  write_whole(file("taken"), "");
  struct Refused {
    std::string arguments;
    apps::ExitCode code;
    std::string error;
  };
  const Refused all[] = {
      {"evaluate -m " + run() + " " + photos + " --json " + photos, apps::exit_failed,
       "photos: is a folder, not a file"},
      {"evaluate -m " + run() + " " + photos + " --json /dev/null", apps::exit_failed,
       "/dev/null: is no ordinary file"},
      {"compare -m " + run() + " " + run() + " " + photos + " --csv " + file("no/x.csv"),
       apps::exit_failed, "no/x.csv: can't be created: No such file or directory"},
      {"scan " + photos + " --json " + photos, apps::exit_failed, "is a folder"},
      {"show " + photos + " --out " + file("x.gif"), apps::exit_usage, "is none of .png, .jpg"},
      {"lr-find " + photos + quick + " --out " + file("x.gif"), apps::exit_usage,
       "is none of .csv, .json, .svg, .png"},
      {"lr-find " + photos + quick + " --first 1 --last 0.1", apps::exit_usage,
       "--first 1 is not below --last 0.1"},
      {"predict -m " + run() + " " + photos + " --gradcam " + file("taken"), apps::exit_failed,
       "taken: Not a directory\n"},
      {"gradcam -m " + run() + " " + photos + " --out " + file("taken"), apps::exit_failed,
       "taken: Not a directory\n"},
      {"gradcam -m " + run() + " " + photos + " --out /proc/self", apps::exit_failed,
       "can't be created"},
      {"demo " + file("taken"), apps::exit_bad_input, "taken: is a file, not a folder"},
      {"train " + photos + quick + " --project " + file("taken"), apps::exit_failed,
       "no folder can be made here: " + file("taken") + ": Not a directory\n"}};
  for (const Refused& refused : all) {
    const Ran ran = run_burin(refused.arguments);
    EXPECT_EQ(ran.code, refused.code) << refused.arguments;
    EXPECT_EQ(ran.out, "") << refused.arguments;
    EXPECT_NE(ran.err.find(refused.error), std::string::npos) << refused.arguments << ran.err;
  }
}

TEST_F(TrainedRun, TakesTheNextNumberWhereAFileHasTheName) {
  write_whole(file("runs/numbered"), "");
  std::filesystem::create_symlink("nowhere", file("runs/numbered2"));
  const Ran ran = run_burin("train " + file("photos") + quick +
                            " --no-plots --epochs 1 --name numbered --project " + file("runs"));
  EXPECT_EQ(ran.code, apps::exit_ok) << ran.err;
  EXPECT_TRUE(std::filesystem::exists(file("runs/numbered3/results.csv")));
}

// Also in commands that put down their other errors to what they read.
TEST_F(TrainedRun, AFullDiskIsNoFaultOfTheInput) {
  const std::string photos = file("photos"), small_disk = "trap '' XFSZ; ulimit -f 1;";
  for (const std::string& arguments :
       {"show " + photos + " --out " + file("sheet.png"), "prepare " + photos + " " + file("other"),
        "gradcam -m " + run() + " " + photos + " --out " + file("maps")}) {
    const Ran ran = run_burin(arguments, small_disk);
    EXPECT_EQ(ran.code, apps::exit_failed) << arguments;
    EXPECT_NE(ran.err.find("can't be written: File too large\n"), std::string::npos) << ran.err;
  }
}

// Sanitizers reserve more than any such limit.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_F(TrainedRun, TooLittleMemoryIsNoFaultOfTheInputEither) {
  apps::ModelCard card = apps::load_model(run() + "/weights/best.safetensors");
  card.model->preprocess = {.resize = 16384, .crop = 16384};
  apps::save_model(file("large.safetensors"), *card.model, card.classes);
  const std::string photos = file("photos");
  const Ran predicted = run_burin(
      "predict --threads 1 -m " + file("large.safetensors") + " " + photos, "ulimit -v 2000000;");
  EXPECT_EQ(predicted.code, apps::exit_no_memory) << predicted.err;
  EXPECT_NE(predicted.err.find("not enough memory for 16 images of 16384x16384 pixels\n  hint: "),
            std::string::npos)
      << predicted.err;

  // 49 million grey pixels: within the limit, three times as many bytes in RGB.
  std::filesystem::create_directory(file("large"));
  write_whole(file("large/a.pgm"), "P5 7000 7000 255\n");
  std::filesystem::resize_file(file("large/a.pgm"), 17 + 7000 * 7000);
  const Ran scanned = run_burin("scan --workers 1 " + file("large") + " --move-to " + file("moved"),
                                "ulimit -v 150000;");
  EXPECT_EQ(scanned.code, apps::exit_no_memory) << scanned.err;
  EXPECT_NE(scanned.err.find("a.pgm: not enough memory to "), std::string::npos) << scanned.err;
  EXPECT_FALSE(std::filesystem::exists(file("moved"))) << "a sound picture was moved away";
}
#endif

TEST_F(TrainedRun, FineTuningNothingIsSaidToBeThat) {
  const std::string train = "train " + file("photos") + quick + " --epochs 1 --no-plots ";
  const std::string elsewhere = "--name tuned --project " + file("runs");
  const Ran ran = run_burin(train + "--recipe fine-tune " + elsewhere);
  EXPECT_EQ(ran.code, apps::exit_ok) << ran.err;
  EXPECT_NE(ran.err.find("warning: there are no weights to fine-tune"), std::string::npos);
  const Ran resumed = run_burin("train --resume " + file("runs/tuned"));
  EXPECT_EQ(resumed.err.find("there are no weights"), std::string::npos) << resumed.err;
}

TEST_F(TrainedRun, NothingFromStdinIsNoAnswer) {
  const Ran ran = run_burin("predict -m " + run() + " -");
  EXPECT_EQ(ran.code, apps::exit_bad_input);
  EXPECT_NE(ran.err.find("-: nothing comes from stdin\n  hint: "), std::string::npos) << ran.err;
}

// The signal that reading a mapped file ends with where it was cut short meanwhile.
TEST_F(TrainedRun, AFileCutShortWhileItIsReadIsAnError) {
  const std::string command =
      "mkfifo " + file("pipe") + "; '" BURIN_COMMAND "' predict -m " + run() + " - <" +
      file("pipe") + " 2>" + file("err") + " & pid=$!; exec 3>" + file("pipe") +
      "; until grep -q 'SigCgt:.*[4-7c-f].$' /proc/$pid/status; do sleep 0.01; done; "
      "kill -BUS $pid; wait $pid; exit $?";
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), apps::exit_bad_input);
  EXPECT_EQ(read_whole(file("err")),
            "burin: error: a file was cut short while it was read, or its disk fails\n");
}

// Nothing else is looked at, fetched or told of before the folder.
TEST_F(TrainedRun, SaysFirstThatAFolderIsNotThere) {
  const std::string absent = file("absent"), other_model = " --model resnet56 ";
  for (const std::string& command :
       {"train " + absent, "train " + file("photos") + " --test " + absent, "lr-find " + absent,
        "evaluate -m " + run() + other_model + absent,
        "compare -m " + run() + ' ' + run() + ' ' + absent + other_model, "lint " + absent}) {
    const Ran ran = run_burin(command);
    EXPECT_EQ(ran.code, apps::exit_bad_input) << command;
    EXPECT_EQ(ran.out, "") << command;
    EXPECT_TRUE(ran.err.starts_with("burin " + command.substr(0, command.find(' ')) +
                                    ": error: " + absent + ": "))
        << command << '\n'
        << ran.err;
  }
}

TEST(EvaluationData, AClassMayBeCalledTest) {
  const testing_support::TemporaryFolder folder;
  for (const char* const name : {"bus", "test"}) {
    std::filesystem::create_directories(folder.path() / name);
    write_whole(folder.file(str(name, "/1.jpg")), "");
  }
  const std::string all = folder.path().string();
  EXPECT_EQ(apps::evaluation_part("auto", all), "all");
  EXPECT_EQ(apps::open_evaluation_data(all, "all", {"bus", "test"})->size(), 2);
  expect_error(
      [&] {
        apps::open_evaluation_data(all, "test", {"bus", "test"});
      },
      "has no part 'test'");
  expect_error(
      [&] {
        apps::open_evaluation_data(all + "x", "test", {"bus", "test"});
      },
      "no such folder");
}

TEST(TrainErrors, SayWhatToDo) {
  const testing_support::TemporaryFolder folder;
  const Ran none = run_burin("train " + folder.path().string());
  EXPECT_EQ(none.code, apps::exit_bad_input);
  EXPECT_NE(none.err.find("\n  hint: "), std::string::npos) << none.err;
  EXPECT_EQ(run_burin("train").code, apps::exit_usage);
  EXPECT_EQ(run_burin("train x --batch-size 0").code, apps::exit_usage);
  EXPECT_EQ(run_burin("train --resume " + folder.path().string()).code, apps::exit_bad_input);
  EXPECT_EQ(run_burin("predict -m nowhere.pth x.jpg").code, apps::exit_bad_input);
  const Ran model = run_burin("train x --model resnet19");
  EXPECT_EQ(model.code, apps::exit_usage);
  EXPECT_NE(model.err.find("there is no model 'resnet19' (did you mean resnet"), std::string::npos);
  EXPECT_EQ(run_burin("train x --aug flip,flop").code, apps::exit_usage);
  const Ran device = run_burin("train " + folder.path().string() + " --device cuda:7");
  EXPECT_NE(device.code, apps::exit_ok);
}

}  // namespace
}  // namespace burin
