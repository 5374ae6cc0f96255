// The main job from end to end with the command: train on a folder of images, stop, go on,
// evaluate, predict. Pictures of two colours and 16 pixels: learnt in seconds.
#include <gtest/gtest.h>

#include <csignal>
#include <sstream>

#include "apps/trained_run.h"
#include "burin/apps/exit.h"
#include "burin/apps/json.h"
#include "burin/apps/table.h"
#include "burin/apps/training/model_file.h"

namespace burin {
namespace {

using testing_support::read_whole;
using testing_support::write_whole;

TEST_F(TrainedRun, EndsWithTheBestWeightsAndWhatToTypeNext) {
  ASSERT_EQ(trained_->code, apps::exit_ok) << trained_->err;
  EXPECT_NE(trained_->out.find("best: epoch "), std::string::npos);
  EXPECT_NE(trained_->out.find("next: burin predict -m "), std::string::npos);
  for (const char* const name : {"args.toml", "env.json", "results.csv", "train.log",
                                 "metrics.json", "weights/best.safetensors", "weights/last.ckpt"}) {
    EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(run()) / name)) << name;
  }
}

TEST_F(TrainedRun, WritesPlainLinesWhereNoTerminalIs) {
  for (const std::string& text : {trained_->err, read_whole(run() + "/train.log")}) {
    EXPECT_EQ(text.find('\r'), std::string::npos);
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    EXPECT_NE(text.find("epoch 10/10 train_loss="), std::string::npos) << text;
  }
}

TEST_F(TrainedRun, PrintsIntoNoneOfItsFilesWhereAStreamIsClosed) {
  const std::string command = "'" BURIN_COMMAND "' train " + file("photos") + quick +
                              " --epochs 1 --no-plots --name closed --project " + file("runs") +
                              " >" + file("out") + " 2>&-";
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), apps::exit_ok);
  const std::string log = read_whole(file("runs/closed/train.log"));
  EXPECT_EQ(log.find("epoch 1/1"), log.rfind("epoch 1/1")) << log;
}

TEST_F(TrainedRun, TabulatesItsEpochs) {
  const std::string csv = read_whole(run() + "/results.csv");
  EXPECT_EQ(csv.substr(0, csv.find('\n')),
            "epoch,time,train_loss,val_loss,accuracy,precision,recall,f1,lr,img_per_s");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 11);
}

TEST_F(TrainedRun, GoesOnTheSameFromItsArgumentsOrWithOtherFlags) {
  const std::string again = "--config " + run() + "/args.toml train";
  const Ran same = run_burin(again);
  ASSERT_EQ(same.code, apps::exit_ok) << same.err;
  ASSERT_TRUE(std::filesystem::exists(file("runs/exp2"))) << "the next free number";
  EXPECT_EQ(losses("exp"), losses("exp2"));

  const Ran shorter = run_burin(again + " --epochs 1 --name short");
  ASSERT_EQ(shorter.code, apps::exit_ok) << shorter.err;
  EXPECT_NE(read_whole(file("runs/short/args.toml")).find("\nepochs = 1\n"), std::string::npos);
}

TEST_F(TrainedRun, EvaluatesAsTablesAndJson) {
  const std::string evaluate = "evaluate -m " + run() + ' ' + file("photos");
  const Ran ran = run_burin(evaluate + " --no-report --fail-under 0.9 --json " + file("m.json"));
  EXPECT_EQ(ran.code, apps::exit_ok) << ran.out << ran.err;
  EXPECT_NE(ran.out.find("actual \\ predicted"), std::string::npos);
  EXPECT_NE(read_whole(file("m.json")).find("\"accuracy\": "), std::string::npos);
  EXPECT_EQ(run_burin(evaluate + "/nowhere").code, apps::exit_bad_input);
}

TEST_F(TrainedRun, LeavesAReportThatNeedsNothingElse) {
  for (const char* const name :
       {"report.html", "loss_plot.png", "loss_plot.svg", "results.png", "lr.png",
        "confusion_matrix.png", "confusion_matrix.svg", "confusion_matrix.csv",
        "confusion_matrix_normalized.png", "roc.svg", "calibration.png", "top_losses.png",
        "top_losses.csv", "train_batch0.jpg", "val_batch0_pred.jpg", "predictions.csv"}) {
    EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(run()) / name)) << name;
  }
  const std::string page = read_whole(run() + "/report.html");
  for (const char* const foreign : {"<script", "<link", "src=\"http", "href=", "url(", "@import"}) {
    EXPECT_EQ(page.find(foreign), std::string::npos) << foreign;
  }
  for (const char* const part : {"validation loss", "Top losses", "macro average", "ROC curve"}) {
    EXPECT_NE(page.find(part), std::string::npos) << part;
  }
  bool events = false;
  for (const auto& entry : std::filesystem::directory_iterator(run())) {
    events |= entry.path().filename().string().starts_with("events.out.tfevents.");
  }
  EXPECT_TRUE(events);
}

TEST_F(TrainedRun, EvaluatesIntoAFolderAlsoUnderCorruption) {
  const std::string evaluate = "evaluate -m " + run() + ' ' + file("photos") + " --corrupt --out ";
  const Ran ran = run_burin(evaluate + file("evaluation") + " --positive red --json " +
                            file("evaluation.json"));
  ASSERT_EQ(ran.code, apps::exit_ok) << ran.err;
  const apps::Json metrics =
      apps::Json::parse(read_whole(file("evaluation.json")), "evaluation.json");
  EXPECT_EQ(metrics.number("/accuracy_under_corruption/none"), metrics.number("/accuracy"));
  EXPECT_TRUE(metrics.number("/accuracy_under_corruption/JPEG, quality 10"));
  EXPECT_NE(ran.out.find("JPEG, quality 10"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("report: " + file("evaluation/report.html")), std::string::npos);
  const std::string page = read_whole(file("evaluation/report.html"));
  EXPECT_NE(page.find("Accuracy under corruption"), std::string::npos);
  EXPECT_NE(page.find("recall, red"), std::string::npos);
  const Ran unknown = run_burin(evaluate + file("e") + " --positive reed");
  EXPECT_EQ(unknown.code, apps::exit_usage);
  EXPECT_NE(unknown.err.find("did you mean red?"), std::string::npos) << unknown.err;
}

TEST_F(TrainedRun, PredictsFilesFoldersAndStdin) {
  const std::string predict = "predict -m " + run() + ' ';
  const Ran text = run_burin(predict + file("photos/red/n10.png"));
  EXPECT_EQ(text.code, apps::exit_ok) << text.err;
  EXPECT_NE(text.out.find("n10.png  red   "), std::string::npos) << text.out;

  write_whole(file("photos/red/._n10.png"), "what a Mac leaves beside a picture: not looked at");
  const Ran csv = run_burin(predict + "--format csv --topk 1 " + file("photos"));
  EXPECT_EQ(csv.code, apps::exit_ok) << csv.err;
  EXPECT_EQ(csv.out.substr(0, csv.out.find('\n')), "file,label,probability,error");
  EXPECT_EQ(std::count(csv.out.begin(), csv.out.end(), '\n'), 41);
  std::filesystem::remove(file("photos/red/._n10.png"));

  write_whole(file("list"), file("photos/blue/n10.png") + "\n" + file("photos/red/n11.png") + "\n");
  const std::string burin = "'" BURIN_COMMAND "' ";
  const auto piped = [&](const std::string& input) {
    const std::string command = burin + predict + "--format json - <" + input + " >" + file("out");
    EXPECT_EQ(std::system(command.c_str()), 0);
    return read_whole(file("out"));
  };
  const std::string paths = piped(file("list"));
  EXPECT_LT(paths.find("\"label\": \"blue\""), paths.find("\"label\": \"red\"")) << paths;
  const std::string bytes = piped(file("photos/red/n12.png"));
  EXPECT_NE(bytes.find("\"file\": \"-\""), std::string::npos);
  EXPECT_NE(bytes.find("\"label\": \"red\""), std::string::npos) << bytes;
}

TEST_F(TrainedRun, ComparesWithOthers) {
  const Ran other =
      run_burin("train " + file("photos") + quick +
                " --epochs 1 --no-plots --no-tensorboard --name other --project " + file("runs"));
  ASSERT_EQ(other.code, apps::exit_ok) << other.err;
  EXPECT_FALSE(std::filesystem::exists(file("runs/other/report.html")));
  const Ran runs = run_burin("compare " + run() + ' ' + file("runs/other"));
  EXPECT_EQ(runs.code, apps::exit_ok) << runs.err;
  EXPECT_NE(runs.out.find("exp (resnet20)"), std::string::npos) << runs.out;
  EXPECT_NE(runs.out.find("blue F1"), std::string::npos);
  EXPECT_EQ(runs.err.find("not comparable"), std::string::npos) << runs.err;

  std::filesystem::create_directory(file("elsewhere"));
  std::filesystem::copy(run(), file("elsewhere/exp"), std::filesystem::copy_options::recursive);
  const Ran namesakes = run_burin("compare " + run() + ' ' + file("elsewhere/exp"));
  EXPECT_NE(namesakes.out.find("runs/exp (resnet20)"), std::string::npos) << namesakes.out;
  EXPECT_NE(namesakes.out.find("elsewhere/exp (resnet20)"), std::string::npos) << namesakes.out;

  const Ran models = run_burin("compare --split all --csv " + file("table.csv") + " -m " + run() +
                               ' ' + file("runs/other") + ' ' + file("photos"));
  EXPECT_EQ(models.code, apps::exit_ok) << models.err;
  std::istringstream lines(models.out);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(apps::columns_of(line), 100) << line;
  const std::string csv = read_whole(file("table.csv"));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 3) << csv;
  EXPECT_EQ(run_burin("compare " + run()).code, apps::exit_usage);

  const std::string words = run() + ' ' + file("runs/other") + ' ' + file("photos");
  const Ran without_m = run_burin("compare " + words);
  EXPECT_EQ(without_m.code, apps::exit_usage);
  EXPECT_NE(without_m.err.find(file("photos") + ": is no folder of a finished run"),
            std::string::npos);
  EXPECT_NE(without_m.err.find("\n  hint: burin compare -m " + words + "   evaluates"),
            std::string::npos)
      << without_m.err;
}

// --model and --classes say what a bare file does not, in every command that takes model files; of
// one that says more they change nothing.
TEST_F(TrainedRun, TakesABareFileForWhatItIsSaidToBe) {
  const apps::ModelCard card = apps::load_model(run() + "/weights/best.safetensors");
  const std::string bare = file("bare.pth");
  nn::save_state(bare, nn::state(*card.model));
  const std::string said = " --model resnet20 --classes blue,red";
  const std::string compare = "compare -m " + bare + ' ' + run() + ' ' + file("photos");
  EXPECT_EQ(run_burin(compare).code, apps::exit_bad_input);
  const Ran compared = run_burin(compare + " --csv " + file("bare.csv") + said);
  EXPECT_EQ(compared.code, apps::exit_ok) << compared.err;
  std::istringstream rows(read_whole(file("bare.csv")));
  std::string heading, of_bare, of_run;
  std::getline(std::getline(std::getline(rows, heading), of_bare), of_run);
  const auto scores = [](const std::string& row) {  // "(resnet20),0.27,1.0000,…" but images/s
    return row.substr(row.find('('), 40);
  };
  EXPECT_EQ(scores(of_bare), scores(of_run));

  EXPECT_EQ(run_burin("lint " + bare).code, apps::exit_bad_input);
  const Ran linted = run_burin("lint " + bare + said);
  EXPECT_EQ(linted.code, apps::exit_ok) << linted.err;

  const std::string predict = "predict --format csv " + file("photos/red/n12.png") + " -m ";
  const Ran plain = run_burin(predict + run());
  const Ran swapped = run_burin(predict + run() + " --model resnet56 --classes red,blue");
  EXPECT_EQ(swapped.out, plain.out);
  EXPECT_NE(swapped.err.find(": is a resnet20, whatever --model says\n"), std::string::npos);
  EXPECT_NE(swapped.err.find(": its classes are blue, red, whatever --classes says\n"),
            std::string::npos)
      << swapped.err;
  for (const std::string& other : {"compare " + run() + ' ' + run(), "lint " + run()}) {
    const Ran ran = run_burin(other + " --model resnet56");
    EXPECT_EQ(ran.code, apps::exit_ok) << ran.err;
    EXPECT_EQ(ran.out, run_burin(other).out);
    EXPECT_NE(ran.err.find(": is a resnet20, whatever --model says\n"), std::string::npos) << other;
    EXPECT_EQ(run_burin(other + " --model resnet21").code, apps::exit_usage) << other;
  }
}

// A model whose labels come in another order: each mistake is counted under its own heading.
TEST_F(TrainedRun, ComparesMistakesByLabel) {
  const apps::ModelCard card = apps::load_model(run() + "/weights/best.safetensors");
  const std::string swapped =
      file("swapped.pth");  // it takes every red for blue, every blue for red
  nn::save_state(swapped, nn::state(*card.model));
  const std::string uneven = file("uneven");
  for (const char* const name : {"red/n12.png", "red/n13.png", "red/n14.png", "blue/n12.png"}) {
    const std::filesystem::path to = std::filesystem::path(uneven) / name;
    std::filesystem::create_directories(to.parent_path());
    std::filesystem::copy_file(std::filesystem::path(file("photos")) / name, to);
  }
  const Ran ran = run_burin("compare -m " + run() + ' ' + swapped + ' ' + uneven + " --csv " +
                            file("swapped.csv") + " --model resnet20 --classes red,blue");
  ASSERT_EQ(ran.code, apps::exit_ok) << ran.err;
  std::istringstream rows(read_whole(file("swapped.csv")));
  std::string heading, of_run, of_swapped;
  std::getline(std::getline(std::getline(rows, heading), of_run), of_swapped);
  EXPECT_TRUE(heading.ends_with("blue→red,red→blue")) << heading;
  EXPECT_TRUE(of_run.ends_with(",0,0")) << of_run;
  EXPECT_TRUE(of_swapped.ends_with(",1,3")) << of_swapped;
}

// What it proposes can be typed as it stands, and numbers of pictures seen in training are told.
TEST_F(TrainedRun, IsShownByTheDemoOnOnesOwnPictures) {
  const std::string own = file("my photos");
  std::filesystem::copy(file("photos"), own, std::filesystem::copy_options::recursive);
  const Ran ran = run_burin("demo '" + own + "' --subset 0.2 --out " + file("demo"));
  ASSERT_EQ(ran.code, apps::exit_ok) << ran.err;
  EXPECT_NE(ran.out.find(" evaluate -m " + file("demo") + " '" + own + "' --out "),
            std::string::npos)
      << ran.out;
  EXPECT_NE(ran.out.find("\nThe folder has no test part: "), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find(" train '" + own + "' --weights imagenet "), std::string::npos) << ran.out;
}

TEST_F(TrainedRun, IsDescribed) {
  const Ran ran = run_burin("info " + run());
  EXPECT_EQ(ran.code, apps::exit_ok) << ran.err;
  EXPECT_NE(ran.out.find("burin.classes: blue,red"), std::string::npos) << ran.out;
}

TEST_F(TrainedRun, IsLinted) {
  const Ran ran = run_burin("lint " + run());
  EXPECT_EQ(ran.code, apps::exit_ok) << ran.out << ran.err;
  EXPECT_EQ(ran.out.find("FATAL"), std::string::npos) << ran.out;
}

TEST_F(TrainedRun, ShowsWhereItLooked) {
  const std::string image = file("photos/red/n10.png");
  const Ran ran = run_burin("gradcam -m " + run() + ' ' + image + ' ' + image +
                            " --target blue --out " + file("cams"));
  ASSERT_EQ(ran.code, apps::exit_ok) << ran.err;
  EXPECT_NE(ran.out.find("n10.png  blue  0."), std::string::npos) << ran.out;
  EXPECT_TRUE(std::filesystem::exists(file("cams/n10_blue.png")));
  EXPECT_TRUE(std::filesystem::exists(file("cams/n10_blue_2.png"))) << "nothing is overwritten";

  EXPECT_EQ(run_burin("predict -m " + run() + ' ' + image + " --gradcam " + file("cams2")).code,
            apps::exit_ok);
  EXPECT_TRUE(std::filesystem::exists(file("cams2/n10_red.png")));
  const Ran unknown = run_burin("gradcam -m " + run() + ' ' + image + " --layer layer9");
  EXPECT_EQ(unknown.code, apps::exit_bad_input);
  EXPECT_NE(unknown.err.find("the model taps layer1, layer2, layer3"), std::string::npos);
}

TEST_F(TrainedRun, OneBadImageDoesNotStopTheOthers) {
  write_whole(file("broken.jpg"), "no image");
  const Ran ran = run_burin("predict -m " + run() + ' ' + file("broken.jpg") + ' ' +
                            file("photos/red/n10.png"));
  EXPECT_EQ(ran.code, apps::exit_bad_input);
  EXPECT_NE(ran.out.find("red"), std::string::npos);
  EXPECT_NE(ran.err.find("burin predict: error: " + file("broken.jpg")), std::string::npos);
}

TEST_F(TrainedRun, CtrlCLeavesACheckpointToGoOnFrom) {
  const std::string command = "'" BURIN_COMMAND "' train " + file("photos") + quick +
                              " --epochs 200 --name stopped --project " + file("runs") + " >" +
                              file("out") + " 2>" + file("err") +
                              " & pid=$!; while ! grep -q epoch=1 " + file("err") +
                              " 2>/dev/null && ! [ -s " + file("runs/stopped/results.csv") +
                              " ]; do sleep 0.1; done; kill -INT $pid; wait $pid; exit $?";
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), apps::exit_interrupted);
  EXPECT_NE(read_whole(file("out")).find("next: burin train --resume "), std::string::npos);
  const std::string before = read_whole(file("runs/stopped/results.csv"));
  const auto done = std::count(before.begin(), before.end(), '\n');  // a heading, so one more

  const Ran resumed =
      run_burin("train --resume " + file("runs/stopped") + " --epochs " + std::to_string(done));
  EXPECT_EQ(resumed.code, apps::exit_ok) << resumed.err;
  const std::string after = read_whole(file("runs/stopped/results.csv"));
  EXPECT_EQ(after.substr(0, before.size()), before) << "the epochs before are kept";
  EXPECT_GT(after.size(), before.size());
}

// As when a connection to another machine breaks; nohup lets the run go on.
TEST_F(TrainedRun, AHangUpLeavesACheckpointTooUnlessItIsIgnored) {
  const auto hung_up = [&](const std::string& name, const std::string& epochs) {
    const std::string command =
        (name == "ignored" ? "trap '' HUP; '" : "'") + std::string(BURIN_COMMAND "' train ") +
        file("photos") + quick + " --no-plots --epochs " + epochs + " --name " + name +
        " --project " + file("runs") + " >" + file("out") + " 2>" + file("err") +
        " & pid=$!; while ! [ -s " + file("runs/" + name + "/results.csv") +
        " ]; do sleep 0.02; done; kill -HUP $pid; wait $pid; exit $?";
    return WEXITSTATUS(std::system(command.c_str()));
  };
  EXPECT_EQ(hung_up("hung_up", "500"), apps::exit_interrupted);
  EXPECT_NE(read_whole(file("out")).find("next: burin train --resume "), std::string::npos);
  EXPECT_EQ(hung_up("ignored", "10"), apps::exit_ok);
}

// As in `burin train photos 2>&1 | head`.
TEST_F(TrainedRun, LeavesACheckpointWhereNobodyReadsItsOutputAnyMore) {
  const std::string command = "'" BURIN_COMMAND "' train " + file("photos") + quick +
                              " --no-plots --epochs 500 --name unread --project " + file("runs") +
                              " 2>&1 >" + file("out") + " | head -3 >" + file("err");
  EXPECT_EQ(std::system(command.c_str()), 0);
  EXPECT_NE(read_whole(file("out")).find("next: burin train --resume "), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(file("runs/unread/weights/last.ckpt")));
}

TEST_F(TrainedRun, GoesOnWhereItsReportFoundNoPlace) {
  std::filesystem::create_directories(file("runs/full/report.html"));
  const Ran full = run_burin("train " + file("photos") + quick +
                             " --epochs 1 --name full --exist-ok --project " + file("runs"));
  EXPECT_EQ(full.code, apps::exit_failed);
  const std::string resume = "train --resume " + file("runs/full");
  EXPECT_NE(full.err.find("full/report.html: is a folder, not a file\n  hint: once that is mended, "
                          "burin " +
                          resume + " goes on from the last checkpoint\n"),
            std::string::npos)
      << full.err;
  std::filesystem::remove(file("runs/full/report.html"));
  EXPECT_EQ(run_burin(resume).code, apps::exit_ok);
  EXPECT_TRUE(std::filesystem::is_regular_file(file("runs/full/report.html")));
}

TEST_F(TrainedRun, IsWrittenByOneProcessAtATime) {
  const std::string train = "'" BURIN_COMMAND "' train " + file("photos") + quick +
                            " --no-plots --epochs 500 --name locked --project " + file("runs");
  const std::string resume = "train --epochs 2 --resume " + file("runs/locked");
  const std::string command = train + " >" + file("out") + " 2>&1 & pid=$!; while ! [ -s " +
                              file("runs/locked/results.csv") + " ]; do sleep 0.02; done; '" +
                              BURIN_COMMAND "' " + resume + " 2>" + file("err") + "; first=$?; " +
                              train + " --exist-ok 2>>" + file("err") +
                              "; second=$?; kill -9 $pid; wait $pid; exit $first$second";
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 10 * apps::exit_failed + apps::exit_failed);
  const std::string refused = "train.log: another training is writing this run\n  hint: wait";
  const std::string errors = read_whole(file("err"));
  EXPECT_NE(errors.find(refused), errors.rfind(refused)) << errors;
  EXPECT_EQ(run_burin(resume).code, apps::exit_ok) << "a kill gives the lock back";
}

TEST_F(TrainedRun, KilledAtAnyMomentItGoesOnTheSame) {
  const std::string start =
      "train " + file("photos") + quick +
      " --epochs 10 --save-minutes 0.001 --name killed --exist-ok --project " + file("runs");
  const std::string resume = "train --resume " + file("runs/killed");
  const auto next = [&] {
    return std::filesystem::exists(file("runs/killed/weights/last.ckpt")) ? resume : start;
  };
  int killed = 0;
  for (const char* const seconds : {"0.15", "0.4", "0.6", "0.5", "0.7", "0.45"}) {
    const std::string command = "'" BURIN_COMMAND "' " + next() + " >" + file("out") + " 2>" +
                                file("err") + " & pid=$!; sleep " + seconds +
                                "; kill -9 $pid; wait $pid; exit $?";
    killed += WEXITSTATUS(std::system(command.c_str())) == 128 + SIGKILL ? 1 : 0;
  }
  EXPECT_GT(killed, 0) << "it was always done before";
  write_whole(file("runs/killed/weights/.last.ckpt.2147483647-0"), "half a checkpoint");
  const Ran last = run_burin(next());
  EXPECT_EQ(last.code, apps::exit_ok) << last.err;
  EXPECT_EQ(losses("killed"), losses("exp"));
  EXPECT_EQ(read_whole(file("runs/killed/weights/best.safetensors")),
            read_whole(file("runs/exp/weights/best.safetensors")));
  for (const auto& entry : std::filesystem::directory_iterator(file("runs/killed/weights"))) {
    EXPECT_FALSE(entry.path().filename().string().starts_with('.')) << entry.path();
  }
}

}  // namespace
}  // namespace burin
