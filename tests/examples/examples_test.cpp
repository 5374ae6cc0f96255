// The programs of examples/, as an embedder would run them. (my_kernel: tests/plugins.)
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>

#include "burin/tensor/files/weight_file.h"
#include "support/temporary_folder.h"
#include "support/test_data.h"

namespace burin {
namespace {

using testing_support::read_whole;
using testing_support::TemporaryFolder;
using testing_support::test_data;
using testing_support::write_whole;

/// Runs a program in the folder as its README says; what it prints goes to "out" there. Returns its
/// exit status.
int run_in(const TemporaryFolder& folder, const std::string& command) {
  const int status = std::system(("cd " + folder.path().string() + " && GOMP_SPINCOUNT=1000 " +
                                  command + " >out 2>&1 </dev/null")
                                     .c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// A thousand labels: "class 0", …
void write_labels(const TemporaryFolder& folder) {
  std::string labels;
  for (int i = 0; i < 1000; ++i) labels += str("class ", i, '\n');
  write_whole(folder.file("labels.txt"), labels);
}

TEST(Classify, SaysWhatThePublishersOwnCodeSays) {
  const auto photo = test_data("imagenet-sample/n01496331_electric_ray.jpg");
  if (!photo) GTEST_SKIP() << "imagenet-sample is not among the test data";
  for (const char* const file :
       {"squeezenet1_1-imagenet.pth", "squeezenet1_1-imagenet.safetensors"}) {
    const auto weights = test_data(std::string("weights/") + file);
    if (!weights) GTEST_SKIP() << file << " is not among the test data";
    const TemporaryFolder folder;
    write_labels(folder);
    ASSERT_EQ(run_in(folder, CLASSIFY " squeezenet1_1 " + *weights + " labels.txt " + *photo), 0)
        << read_whole(folder.file("out"));
    // squeezenet1_1_top5 of labels.tsv
    size_t at = 0;
    for (const char* const label :
         {"class 5\n", "class 828\n", "class 6\n", "class 906\n", "class 813\n"}) {
      at = read_whole(folder.file("out")).find(label, at);
      ASSERT_NE(at, std::string::npos) << label << " is missing in\n"
                                       << read_whole(folder.file("out"));
    }
  }
}

TEST(Classify, SaysWhatIsWrong) {
  const TemporaryFolder folder;
  EXPECT_EQ(run_in(folder, CLASSIFY), 1);
  EXPECT_EQ(read_whole(folder.file("out")), "usage: classify MODEL WEIGHTS LABELS PHOTO…\n");
  write_labels(folder);
  EXPECT_EQ(run_in(folder, CLASSIFY " resnet18 absent.pth labels.txt photo.jpg"), 1);
  EXPECT_NE(read_whole(folder.file("out")).find("absent.pth"), std::string::npos);
}

TEST(TrainLoop, LearnsTheSpiralAndSavesWhatItHasLearned) {
  const TemporaryFolder folder;
  ASSERT_EQ(run_in(folder, TRAIN_LOOP), 0) << read_whole(folder.file("out"));
  const std::string out = read_whole(folder.file("out")), last = "step 300: loss ";
  ASSERT_NE(out.find(last), std::string::npos) << out;
  EXPECT_LT(std::stod(out.substr(out.find(last) + last.size())), 0.05) << out;

  const WeightFile file(folder.file("spiral.pth"));
  ASSERT_NE(file.find("first.weight"), nullptr);
  EXPECT_EQ(file.find("first.weight")->shape, (Shape{64, 2}));
  EXPECT_EQ(file.entries().size(), 6u);
}

}  // namespace
}  // namespace burin
