#include "burin/tensor/files/torch_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "burin/tensor/files/state_dict_file.h"
#include "burin/tensor/files/weight_file.h"
#include "burin/tensor/files/zip.h"
#include "support/expect_error.h"
#include "support/read_everything.h"
#include "support/temporary_folder.h"
#include "support/weight_listing.h"

namespace burin {
namespace {

using testing_support::golden;
using testing_support::listing_lines;
using testing_support::python_lines;
using testing_support::raw_elements;
using testing_support::read_everything;
using testing_support::read_whole;
using testing_support::TemporaryFolder;
using testing_support::test_data;
using testing_support::write_whole;

using namespace std::string_literals;

/// The elements as doubles: integers exactly, floats by way of f32.
std::vector<double> values_of(const WeightFile& file, const WeightEntry& entry) {
  std::vector<float> floats(static_cast<size_t>(numel(entry.shape)));
  file.read(entry, DType::f32, floats.data());
  return {floats.begin(), floats.end()};
}

TEST(TorchFile, ReadsWhatTorchSaved) {
  std::ifstream in(golden("torch_files/expected.json"));
  const nlohmann::ordered_json expected = nlohmann::ordered_json::parse(in);
  EXPECT_EQ(expected.size(), 11u);
  for (const auto& [name, tensors] : expected.items()) {
    SCOPED_TRACE(name);
    const WeightFile file(golden("torch_files/" + name));
    EXPECT_EQ(file.format(),
              name.find("legacy") == std::string::npos ? "torch zip" : "torch legacy");
    ASSERT_EQ(file.entries().size(), tensors.size());
    for (size_t i = 0; i < tensors.size(); ++i) {
      const WeightEntry& entry = file.entries()[i];
      EXPECT_EQ(entry.group, tensors[i]["group"]);
      EXPECT_EQ(entry.name, tensors[i]["name"]);
      EXPECT_EQ(name_of(entry.type), tensors[i]["dtype"]);
      EXPECT_EQ(std::vector<int64_t>(entry.shape.begin(), entry.shape.end()), tensors[i]["shape"]);
      EXPECT_EQ(values_of(file, entry), tensors[i]["values"].get<std::vector<double>>())
          << entry.name;
    }
  }
}

TEST(TorchFile, ACheckpointsPlainValuesBecomeMetadata) {
  const WeightFile file(golden("torch_files/checkpoint_zip.pth"));
  EXPECT_EQ(file.metadata(),
            (Metadata{{"epoch", "7"}, {"arch", "toy"}, {"best", "91.5"}, {"final", "true"}}));
  ASSERT_EQ(file.notes().size(), 1u);
  EXPECT_EQ(file.notes()[0], "passed over unknown objects, which were not run: argparse.Namespace");
  const StateDict dict = find_state_dict(file.entries());
  ASSERT_EQ(dict.items.size(), 7u);
  EXPECT_EQ(dict.items[0].name, "0.weight");
  EXPECT_EQ(dict.items[6].name, "1.num_batches_tracked");
}

TEST(TorchFile, AWholeModuleIsMinedNotRun) {
  for (const char* name : {"module_zip.pth", "module_legacy.pth"}) {
    const WeightFile file(golden("torch_files/"s + name));
    ASSERT_EQ(file.notes().size(), 1u);
    EXPECT_EQ(file.notes()[0],
              "parameters and buffers were taken from a whole module, whose code was not run: "
              "__main__.Tied");
  }
}

TEST(SlowTorchFile, ReadsWhatTorchReads) {
  const auto pth = test_data("weights/squeezenet1_1-imagenet.pth");
  const auto resnet20 = test_data("weights/cifar10-resnet20-12fca82f.th");
  const auto resnet56 = test_data("weights/cifar10-resnet56-4bfd9763.th");
  if (!pth || !resnet20 || !resnet56) GTEST_SKIP() << "the test data are not here";
  for (const std::string& path : {*pth, *resnet20, *resnet56}) {
    const WeightFile file(path);
    const auto expected = python_lines("torch", path);
    if (!expected) GTEST_SKIP() << "there is no torch for /usr/bin/python3";
    EXPECT_EQ(listing_lines(file.entries()), *expected) << path;
  }
  const WeightFile cifar(*resnet20);
  EXPECT_EQ(cifar.format(), "torch legacy");
  EXPECT_EQ(*cifar.metadata("best_prec1"), "91.78000183105469");
  const StateDict dict = find_state_dict(cifar.entries());
  EXPECT_EQ(dict.items[0].name, "conv1.weight");
  int64_t parameters = 0;
  for (const StateDict::Item& item : dict.items) {
    if (!item.name.ends_with("num_batches_tracked") &&
        item.name.find("running_") == std::string::npos)
      parameters += numel(item.entry->shape);
  }
  EXPECT_EQ(parameters, 269722);
}

TEST(TorchFile, SqueezeNetIsTheSameInBothFormats) {
  const auto pth = test_data("weights/squeezenet1_1-imagenet.pth");
  const auto safetensors = test_data("weights/squeezenet1_1-imagenet.safetensors");
  if (!pth || !safetensors) GTEST_SKIP() << "the test data are not here";
  const WeightFile a(*pth);
  const WeightFile b(*safetensors);
  EXPECT_EQ(a.entries().size(), 52u);
  EXPECT_EQ(a.entries().size(), b.entries().size());
  for (const WeightEntry& entry : a.entries()) {
    const WeightEntry* const twin = b.find(entry.name);
    ASSERT_NE(twin, nullptr) << entry.name;
    EXPECT_EQ(entry.shape, twin->shape);
    EXPECT_EQ(raw_elements(entry), raw_elements(*twin));
  }
}

TEST(SlowTorchFile, TorchReadsWhatIsWritten) {
  const TemporaryFolder folder;
  std::vector<float> image(24);
  for (size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(i) * 0.1f;
  std::vector<uint16_t> halves = {0x3c00, 0xc000, 0x0001};
  int64_t counter = -5;
  std::vector<uint8_t> bytes = {0, 255};
  const NamedView tensors[] = {
      {"conv.weight", View::dense(image.data(), DType::f32, {2, 3, 2, 2}, Layout::nhwc)},
      {"half", View::dense(halves.data(), DType::f16, {3, 1})},
      {"bfloat", View::dense(halves.data(), DType::bf16, {3})},
      {"num_batches_tracked", View::dense(&counter, DType::i64, {})},
      {"bytes", View::dense(bytes.data(), DType::u8, {2})},
      {"empty", View::dense(image.data(), DType::f32, {0, 3})},
      {"übung", View::dense(image.data(), DType::f32, {1})},
  };
  const std::string path = folder.file("out.pth");
  write_torch_file(path, tensors);

  const WeightFile file(path);
  ASSERT_EQ(file.entries().size(), 7u);
  std::vector<float> back(24);
  file.read(file.entries()[0], View::dense(back.data(), DType::f32, {2, 3, 2, 2}, Layout::nhwc));
  EXPECT_EQ(back, image);
  for (const WeightEntry& entry : file.entries()) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(entry.storage.data()) % 64, 0u) << entry.name;
  }
  const auto lines = python_lines("torch-weights-only", path);
  if (!lines) GTEST_SKIP() << "there is no torch for /usr/bin/python3";
  EXPECT_EQ(listing_lines(file.entries()), *lines);
}

/// A .pth file around a pickle made by hand, with one storage "0" of 16 bytes.
std::string archive_of(const std::string& pickle, const std::string& stem = "archive") {
  const TemporaryFolder folder;
  AtomicFile file(folder.file("a.pth"));
  ZipWriter zip(file);
  zip.add(stem + "/data.pkl", as_bytes(pickle));
  zip.add(stem + "/data/0", as_bytes("0123456789abcdef"));
  zip.finish();
  file.commit();
  return read_whole(folder.file("a.pth"));
}

std::string text(const std::string& value) {
  return "U"s + static_cast<char>(value.size()) + value;
}

/// The instructions for a storage and for a tensor on it.
std::string storage(const std::string& numel, const std::string& type = "torch\nFloatStorage") {
  return "(" + text("storage") + "c" + type + "\n" + text("0") + text("cpu") + numel + "tQ";
}
std::string tensor(const std::string& offset, const std::string& size, const std::string& stride,
                   const std::string& storage_code) {
  return "ctorch._utils\n_rebuild_tensor_v2\n(" + storage_code + offset + size + stride +
         "\x89"
         "ccollections\nOrderedDict\n)RtR";
}

WeightListing list(const std::string& pickle) {
  const std::string file = archive_of(pickle);
  WeightListing listing = read_torch_zip(as_bytes(file));
  EXPECT_EQ(listing.format, "torch zip");
  return listing;
}

TEST(TorchFile, ReadsTypesThatHaveNoStorageClass) {
  const std::string pickle = "}" + text("x") + "ctorch._utils\n_rebuild_tensor_v3\n(" +
                             storage("K\x10", "torch.storage\nUntypedStorage") +
                             "K\x01(K\x02tK\x03\x85\x89}ctorch\nuint16\ntRs.";
  const std::string file = archive_of(pickle);
  const WeightListing listing = read_torch_zip(as_bytes(file));
  ASSERT_EQ(listing.entries().size(), 1u);
  EXPECT_EQ(listing.entries()[0].type, ElementType::u16);
  std::vector<int64_t> values(2);
  read_entry(listing.entries()[0], View::dense(values.data(), DType::i64, {2}));
  EXPECT_EQ(values, (std::vector<int64_t>{0x3332, 0x3938}));
}

TEST(TorchFile, RefusesTensorsOutsideTheirStorage) {
  const std::string whole = storage("K\x04");
  EXPECT_EQ(list(tensor("K\x01", "(K\x03t", "(K\x01t", whole) + ".").entries().size(), 1u);
  const std::string huge = "\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x40"s;
  const std::pair<std::string, const char*> cases[] = {
      {tensor("K\x02", "(K\x03t", "(K\x01t", whole), "reaches outside its storage of 4 elements"},
      {tensor("K\x00"s, "(K\x02t", "(J\xff\xff\xff\xfft", whole), "reaches outside"},
      {tensor("J\xff\xff\xff\xff", "(K\x02t", "(K\x01t", whole), "begins at element -1"},
      {tensor("K\x00"s, "(" + huge + "t", "(" + huge + "t", whole), "reaches outside"},
      {tensor("K\x00"s, "(" + huge + "K\x04t", "(K\x00K\x00t"s, whole), "too large"},
      {tensor("K\x00"s, "(" + huge + "t", "(K\x00t"s, whole), "bytes of memory"},
      {tensor("K\x00"s, "(K\x02K\x02t", "(K\x01t", whole), "differ in rank"},
      {tensor("K\x00"s, "(Nt", "(K\x01t", whole), "no integer"},
      {tensor("N", "(K\x02t", "(K\x01t", whole), "offset is no integer"},
      {tensor("K\x00"s, "K\x02", "(K\x01t", whole), "no tuple"},
      {tensor("K\x00"s, "(K\x02t", "(K\x01t", "N"), "has no storage"},
      {tensor("K\x00"s, "(K\x02t", "(K\x01t", storage("J\xff\xff\xff\xff")), "its key or its size"},
      {tensor("K\x00"s, "(K\x02t", "(K\x01t", storage("K\x05")),
       "has 4 elements, its tensors expect 5"},
      {"ctorch._utils\n_rebuild_tensor_v2\n)R", "lacks argument 0"},
  };
  for (const auto& [code, message] : cases) {
    SCOPED_TRACE(message);
    const std::string& pickle = code;
    expect_error([&] { list(pickle + "."); }, message);
  }
}

TEST(TorchFile, PassesOverWhatItDoesNotKnow) {
  const WeightListing complex = list(
      tensor("K\x00"s, "(K\x01t", "(K\x01t", storage("K\x02", "torch\nComplexFloatStorage")) + ".");
  EXPECT_TRUE(complex.entries().empty());
  ASSERT_EQ(complex.notes.size(), 1u);
  EXPECT_NE(complex.notes[0].find("a storage of another type"), std::string::npos);
  const WeightListing call =
      list("}" + text("x") + "cposix\nsystem\n" + text("touch owned") + "\x85Rs.");
  ASSERT_EQ(call.notes.size(), 1u);
  EXPECT_EQ(call.notes[0], "passed over unknown objects, which were not run: posix.system");
}

TEST(TorchFile, AValueThatContainsItselfEnds) {
  EXPECT_TRUE(list("}q\x01" + text("x") + "h\x01s.").entries().empty());
  EXPECT_TRUE(list("]q\x01h\x01"
                   "a.")
                  .entries()
                  .empty());
}

// Each level holds the one below twice: 2^60 ways from 60 dictionaries.
TEST(TorchFile, ABillionWaysAreRefusedInTime) {
  std::string pickle = "}";
  for (int level = 0; level < 60; ++level) {
    pickle +=
        "q\x01"
        "0}" +
        text("a") + "h\x01s" + text("b") + "h\x01s";
  }
  expect_error([&] { list(pickle + "."); }, "too many ways");
  // The same with modules, whose attributes are looked up.
  pickle = "ca\nB\n)R}" + text("_parameters") + "}s" + text("_modules") + "}sb";
  for (int level = 0; level < 60; ++level) {
    pickle +=
        "q\x01"
        "0ca\nB\n)R}" +
        text("_parameters") + "}s" + text("_modules") + "}" + text("a") + "h\x01s" + text("b") +
        "h\x01ssb";
  }
  expect_error([&] { list(pickle + "."); }, "too many ways");
}

TEST(TorchFile, DeepNestingIsRefused) {
  std::string pickle(100'000, ']');
  pickle += std::string(99'999, 'a') + ".";
  expect_error([&] { list(pickle); }, "nested deeper than 100");
}

TEST(TorchFile, OneStorageUnderAMillionNamesIsRefused) {
  std::string pickle = "}" + tensor("K\x00"s, "(K\x04t", "(K\x00t"s, storage("K\x04")) +
                       "q\x01"
                       "0(";
  for (int i = 0; i < 260'000; ++i)
    pickle += "J" + std::string(reinterpret_cast<char*>(&i), 4) + "h\x01";
  expect_error([&] { list(pickle + "u."); }, "more than 250000 tensors");
}

TEST(TorchFile, NamesLookalikes) {
  const TemporaryFolder folder;
  {
    AtomicFile file(folder.file("script.pt"));
    ZipWriter zip(file);
    zip.add("m/data.pkl", as_bytes("N."));
    zip.add("m/constants.pkl", as_bytes(")."));
    zip.finish();
    file.commit();
  }
  expect_error([&] { WeightFile(folder.file("script.pt")); }, "a TorchScript archive");
  {
    AtomicFile file(folder.file("big.pth"));
    ZipWriter zip(file);
    zip.add("m/data.pkl", as_bytes("N."));
    zip.add("m/byteorder", as_bytes("big"));
    zip.finish();
    file.commit();
  }
  expect_error([&] { WeightFile(folder.file("big.pth")); }, "its byte order is 'big'");
  write_whole(folder.file("plain.pkl"), "\x80\x02}.");
  expect_error([&] { WeightFile(folder.file("plain.pkl")); }, "not one of torch.save");
  write_whole(folder.file("lfs.pth"), "version https://git-lfs.github.com/spec/v1\n");
  expect_error([&] { WeightFile(folder.file("lfs.pth")); }, "git lfs pull");
  write_whole(folder.file("empty"), "");
  expect_error([&] { WeightFile(folder.file("empty")); }, "the file is empty");
  write_whole(folder.file("text"), "hello, world");
  expect_error([&] { WeightFile(folder.file("text")); }, "no weight file that burin knows");
  expect_error([&] { WeightFile(folder.file("missing")); }, "can't be opened: No such file");
  expect_error([&] { WeightFile(folder.path().string()); }, "not a regular file");
}

TEST(TorchFile, SurvivesCutsAndFlips) {
  std::mt19937 random(4);
  for (const char* name :
       {"views_zip.pth", "views_legacy.pth", "module_legacy.pth", "checkpoint_zip.pth"}) {
    const std::string sound = read_whole(golden("torch_files/"s + name));
    ASSERT_FALSE(sound.empty());
    for (size_t size = 0; size < sound.size(); ++size) {
      EXPECT_THROW(read_weight_file(as_bytes(sound).first(size)), Error) << name << ' ' << size;
    }
    for (int i = 0; i < 3'000; ++i) {
      std::string flipped = sound;
      for (int flips = 1 + static_cast<int>(random() % 3); flips > 0; --flips) {
        flipped[random() % flipped.size()] = static_cast<char>(random());
      }
      read_everything(read_weight_file, as_bytes(flipped));
    }
  }
}

}  // namespace
}  // namespace burin
