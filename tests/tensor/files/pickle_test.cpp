#include "burin/tensor/files/pickle.h"

#include <gtest/gtest.h>

#include <random>

#include "support/expect_error.h"

namespace burin {
namespace {

using Kind = PickleNode::Kind;
using namespace std::string_literals;

Pickle read(const std::string& text, const PickleLimits& limits = {}) {
  ByteReader reader(as_bytes(text), "pickle");
  return Pickle::read(reader, limits);
}

TEST(Pickle, ReadsNumbers) {
  EXPECT_EQ(read("\x80\x02N."s).root().kind, Kind::none);
  EXPECT_EQ(read("\x88."s).root().integer, 1);
  EXPECT_EQ(read("K\xff."s).root().integer, 255);
  EXPECT_EQ(read("M\x01\x02."s).root().integer, 0x201);
  EXPECT_EQ(read("J\xfe\xff\xff\xff."s).root().integer, -2);
  EXPECT_EQ(read("\x8a\x00."s).root().integer, 0);
  EXPECT_EQ(read("\x8a\x01\x80."s).root().integer, -128);
  EXPECT_EQ(read("\x8a\x05\x00\x00\x00\x00\x01."s).root().integer, int64_t{1} << 32);
  EXPECT_EQ(read("\x8b\x02\x00\x00\x00\xff\x7f."s).root().integer, 32767);
  EXPECT_EQ(read("\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01."s).root().kind, Kind::long_integer);
  EXPECT_EQ(read("G\xbf\xf8\x00\x00\x00\x00\x00\x01."s).root().real, -0x1.8000000000001p0);
}

TEST(Pickle, ReadsTextOfBothPythons) {
  for (const std::string& text : {"X\x02\x00\x00\x00hi."s, "U\x02hi."s, "T\x02\x00\x00\x00hi."s,
                                  "\x8c\x02hi."s, "\x8d\x02\x00\x00\x00\x00\x00\x00\x00hi."s}) {
    EXPECT_EQ(read(text).root().kind, Kind::text);
    EXPECT_EQ(read(text).root().text, "hi");
  }
  EXPECT_EQ(read("C\x02hi."s).root().kind, Kind::bytes);
}

TEST(Pickle, ReadsContainers) {
  const std::string text =
      "}q\x00(U\x01"
      "aK\x01U\x01"
      "b(K\x02K\x03tu."s;
  const Pickle pickle = read(text);
  const PickleNode* const b = pickle.find(pickle.root(), "b");
  ASSERT_NE(b, nullptr);
  ASSERT_EQ(b->items.size(), 2u);
  EXPECT_EQ(pickle[b->items[1]].integer, 3);
  EXPECT_EQ(pickle.find(pickle.root(), "c"), nullptr);

  EXPECT_EQ(read("](K\x01K\x02"
                 "eK\x03"
                 "a."s)
                .root()
                .items.size(),
            3u);
  EXPECT_EQ(read("K\x01K\x02\x86."s).root().items.size(), 2u);
  EXPECT_EQ(read("\x8f(K\x01\x90."s).root().kind, Kind::set);
}

TEST(Pickle, SharesWhatTheMemoShares) {
  const Pickle pickle = read(
      "]q\x05"
      "(h\x05h\x05"
      "e."s);
  EXPECT_EQ(pickle.root().items, (std::vector<PickleId>{pickle.root_id(), pickle.root_id()}));
}

// What os.system("…") looks like. Nothing is looked up, so the name alone remains.
TEST(Pickle, NeverCallsAnything) {
  const std::string call = "cposix\nsystem\nU\x0btouch owned\x85R.";
  const Pickle pickle = read(call);
  EXPECT_EQ(pickle.root().kind, Kind::object);
  EXPECT_TRUE(Pickle::is_global(pickle[pickle.root().callable], "posix", "system"));
  const std::string named = "\x80\x04\x8c\x05posix\x8c\x06system\x93.";
  const Pickle stacked = read(named);
  EXPECT_TRUE(Pickle::is_global(stacked.root(), "posix", "system"));
}

TEST(Pickle, LeavesTheReaderBehindStop) {
  const std::string two = "K\x01.K\x02."s;
  ByteReader reader(as_bytes(two), "pickle");
  EXPECT_EQ(Pickle::read(reader).root().integer, 1);
  EXPECT_EQ(Pickle::read(reader).root().integer, 2);
}

TEST(Pickle, RefusesWhatIsOutOfOrder) {
  const std::pair<std::string, const char*> cases[] = {
      {""s, "cut off"},
      {"K"s, "cut off"},
      {"\x80\x01N."s, "pickle protocol 1"},
      {"\x80\x06N."s, "pickle protocol 6"},
      {"I1\n."s, "is no instruction"},
      {"\x82\x01."s, "is no instruction"},  // EXT1: the extension registry
      {"ios\nsystem\n."s, "is no instruction"},
      {"."s, "the stack is empty"},
      {"NN."s, "STOP with 1 values too many"},
      {"(."s, "the stack is empty"},
      {"(N."s, "STOP with 0 values too many"},
      {"t."s, "a mark is missing"},
      {"N(0a."s, "the stack is empty"},
      {"NNa."s, "can't hold them"},
      {"]NNs."s, "can't hold them"},
      {"}NNb."s, "what is no object"},
      {"}(Nu."s, "a key without a value"},
      {"h\x07."s, "memo 7 was never written"},
      {"NN\x93."s, "needs two texts"},
      {"q\x00."s, "the stack is empty"},
      {"X\xff\xff\xff\xffhi."s, "cut off: 4294967295 bytes wanted"},
      {"\x8d\xff\xff\xff\xff\xff\xff\xff\xffhi."s, "cut off"},
      {"\x8b\xff\xff\xff\xff."s, "cut off"},
      {"cposix."s, "no end of line"},
  };
  for (const auto& [text, message] : cases) {
    SCOPED_TRACE(message);
    const std::string& pickle = text;
    expect_error([&] { read(pickle); }, message);
  }
}

TEST(Pickle, BoundsStepsValuesAndMemos) {
  const PickleLimits limits = {.steps = 1000, .nodes = 100};
  expect_error([&] { read(std::string(2000, '('), limits); }, "more than 1000 steps");
  expect_error([&] { read(std::string(2000, 'N'), limits); }, "more than 100 values");
  std::string memos = "N";
  for (char i = 0; i < 120; ++i) memos += "r"s + i + "\x01\x01\x01"s;
  expect_error([&] { read(memos, limits); }, "more than 100 memos");
}

TEST(Pickle, DeepNestingCostsNoStack) {
  constexpr size_t depth = 1'000'000;
  const Pickle pickle = read("N" + std::string(depth, '\x85') + ".");
  EXPECT_EQ(pickle.size(), depth + 1);
}

TEST(Pickle, SurvivesRandomInstructions) {
  const std::string opcodes =
      "\x80\x95"
      "012(N\x88\x89JKM\x8a\x8bGXTU\x8c\x8d"
      "BC\x8e\x96]}\x8f)"
      "\x85\x86\x87tld\x91"
      "ae\x90su"
      "qr\x94hjc\x93R\x81\x92"
      "bQ."s;
  std::mt19937 random(2);
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (size_t size = random() % 40; size > 0; --size) {
      const bool any = random() % 4 == 0;
      text += any ? static_cast<char>(random()) : opcodes[random() % opcodes.size()];
    }
    try {
      read(text);
    } catch (const Error&) {
      continue;
    }
  }
}

}  // namespace
}  // namespace burin
