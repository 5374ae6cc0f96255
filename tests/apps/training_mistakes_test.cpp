// What can go wrong on the way from a folder of images to an answer, and what is said of it.
#include <gtest/gtest.h>

#include "apps/trained_run.h"
#include "burin/apps/exit.h"

namespace burin {
namespace {

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
