// The small parts that make text: TOML, JSON, suggestions, the progress bar, tables, lines of
// results.
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

#include "burin/apps/json.h"
#include "burin/apps/printable.h"
#include "burin/apps/progress.h"
#include "burin/apps/suggest.h"
#include "burin/apps/table.h"
#include "burin/apps/toml.h"
#include "burin/apps/training/epoch_line.h"
#include "support/expect_error.h"

namespace burin::apps {
namespace {

TEST(Toml, ReadsSectionsStringsNumbersAndLists) {
  const auto entries = parse_toml(
      "seed = 42  # the answer\r\n\n[train]\nname = \"a # \\\"b\\\"\"\nraw = 'C:\\x'\n"
      "lr = 1e-3\ndata = [\n  \"x\",  # first\n  'y',\n]\nempty = []\nflag = true",
      "f");
  ASSERT_EQ(entries.size(), 7u);
  EXPECT_EQ(entries[0].section, "");
  EXPECT_EQ(entries[0].values, std::vector<std::string>{"42"});
  EXPECT_EQ(entries[1].section, "train");
  EXPECT_EQ(entries[1].values, std::vector<std::string>{"a # \"b\""});
  EXPECT_EQ(entries[2].values, std::vector<std::string>{"C:\\x"});
  EXPECT_EQ(entries[3].values, std::vector<std::string>{"1e-3"});
  EXPECT_EQ(entries[4].values, (std::vector<std::string>{"x", "y"}));
  EXPECT_TRUE(entries[4].array);
  EXPECT_EQ(entries[4].line, 7);
  EXPECT_TRUE(entries[5].values.empty());
  EXPECT_EQ(entries[6].values, std::vector<std::string>{"true"});
}

TEST(Toml, ReadsBackEveryByteAndNamesCharactersByTheirCodes) {
  std::string bytes;
  for (int c = 1; c < 256; ++c) bytes += static_cast<char>(c);
  const std::string quoted = toml_string(bytes);
  EXPECT_EQ(quoted.find('\x1b'), std::string::npos);
  EXPECT_EQ(parse_toml("a = " + quoted + "\n", "f").at(0).values.at(0), bytes);
  EXPECT_EQ(parse_toml("a = \"\\u0041\\u00e9\\u20AC\\U0001F600\\b\"\n", "f").at(0).values.at(0),
            "Aé€😀\b");
  for (const char* const wrong : {"\\u12", "\\u0000", "\\uD800", "\\U00110000", "\\u00g0"}) {
    expect_error([&] { parse_toml(str("a = \"", wrong, "\"\n"), "f"); },
                 "f:1: expected the code of a character");
  }
}

TEST(Toml, RefusesWhatItCannotRead) {
  expect_error([] { parse_toml(std::string_view("a = \"x\0\"", 8), "f"); },
               "f:1: expected a closing \", found a byte of value 0");
  expect_error([] { parse_toml("a = \"x\n", "f"); }, "f:1: expected a closing \"");
  expect_error([] { parse_toml("\na = 1 2", "f"); }, "f:2: expected the end of the line");
  expect_error([] { parse_toml("[a\n", "f"); }, "f:1: expected ']'");
  expect_error([] { parse_toml("a =", "f"); }, "f:1: expected a value, the file ends");
  expect_error([] { parse_toml("a = [1 2]", "f"); }, "f:1: expected ',' or ']'");
  expect_error([] { parse_toml("a = {b = 1}", "f"); }, "f:1: expected a value, found '{'");
  expect_error([] { parse_toml("a = \"\\q\"", "f"); }, "f:1: expected one of");
}

TEST(Toml, WhatIsQuotedReadsBack) {
  const std::string odd = "tab\t quote\" back\\slash # new\nline é";
  EXPECT_EQ(parse_toml("a = " + toml_string(odd), "f").front().values.front(), odd);
}

TEST(Json, KeepsOrderRoundsAndReplacesWhatIsNoText) {
  Json json = Json::object();
  json.set("z", Json::of(0.1f, 4)).set("a", Json::of("x\xff\n")).set("n", Json::of(0.0 / 0.0, 1));
  json.set("l", std::move(Json::array().push(Json::of(int64_t{1})).push(Json::of(true))));
  EXPECT_EQ(json.text(), "{\"z\":0.1,\"a\":\"x\xEF\xBF\xBD\\n\",\"n\":null,\"l\":[1,true]}");
}

TEST(Json, FindsPlacesWhateverTheirNames) {
  Json classes = Json::object();
  classes.set("a~1/b", Json::of(int64_t{7}));
  Json json = Json::object();
  json.set("classes", std::move(classes)).set("labels", Json::of(std::vector<std::string>{"x"}));
  EXPECT_EQ(json.number("/classes" + json_place("a~1/b")), 7);
  EXPECT_EQ(json.number("/classes" + json_place("~")), std::nullopt);
  EXPECT_EQ(json.strings("/labels"), std::vector<std::string>{"x"});
  EXPECT_TRUE(Json::parse("{\"labels\": [1, {}]}", "f").strings("/labels").empty());
  expect_error([] { Json::parse("{", "run/metrics.json"); }, "run/metrics.json: is no JSON");
  const std::string deep(1'000'000, '[');
  expect_error([&] { Json::parse(deep, "f"); }, "f: is nested deeper than 64 levels");
}

// A parser that looks through all keys for each further one would be noticed by waiting.
TEST(Json, ReadsManyKeys) {
  std::string text = "{\"k\":0";
  for (int i = 0; i < 200'000; ++i) text += str(",\"k", i, "\":", i);
  EXPECT_EQ(Json::parse(text + "}", "f").number("/k199999"), 199'999);
}

TEST(EpochLine, ReadsWhatIsNoNumber) {
  const auto epoch = read_epoch("3,0.5,0.25,-nan,0.5,0.5,0.5,0.5,1e-3,80.5", ',');
  ASSERT_TRUE(epoch.has_value());
  EXPECT_EQ(epoch->epoch, 3);
  EXPECT_TRUE(std::isnan(epoch->val_loss));
  EXPECT_EQ(epoch->images_per_second, 80.5);
  const auto saved = read_epoch("3 0.5 0.25 inf 0.5 0.5 0.5 0.5 1e-3 80.5 1 ", ' ');
  ASSERT_TRUE(saved.has_value());
  EXPECT_TRUE(std::isinf(saved->val_loss));
  EXPECT_TRUE(saved->best);
  for (const char* const line : {"", "3,0.5", "nan,1,1,1,1,1,1,1,1,1", "1e300,1,1,1,1,1,1,1,1,1",
                                 "1,1,1,1,1,1,1,1,1,x", "1,1,1,1,1,1,1,1,,1"}) {
    EXPECT_FALSE(read_epoch(line, ',').has_value()) << line;
  }
}

TEST(Suggest, ProposesOnlyWhatIsNear) {
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("trian", "train"), 1);
  EXPECT_EQ(edit_distance("", "train"), 5);
  EXPECT_EQ(did_you_mean("trian", {"train", "scan"}), " (did you mean train?)");
  EXPECT_EQ(did_you_mean("--ephocs", {"--epochs", "--seed"}), " (did you mean --epochs?)");
  EXPECT_EQ(did_you_mean("--frobnicate", {"--epochs", "--seed"}), "");
}

TEST(Suggest, QuotesWhatAShellWouldTakeApart) {
  EXPECT_EQ(shell_word("runs/train/exp-2"), "runs/train/exp-2");
  EXPECT_EQ(shell_word("größe"), "größe");
  EXPECT_EQ(shell_word("my photos"), "'my photos'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word(""), "''");
  EXPECT_EQ(shell_word("it's\x1b\\ \xff"), "$'it\\'s\\x1b\\\\ \\xff'");
}

TEST(Printable, ShowsWhatATerminalWouldObey) {
  EXPECT_EQ(printable("größe 写真 \U0001F4F7.jpg"), "größe 写真 \U0001F4F7.jpg");
  EXPECT_EQ(printable("\x1b[31mred\x7f\a"), "\\x1b[31mred\\x7f\\x07");
  EXPECT_EQ(printable("tab\tline\nreturn\r"), "tab\\tline\\nreturn\\r");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\xc2\\x9b31m")
      << "C1's way to begin a colour";
  EXPECT_EQ(printable("\x9b\xff"), "\\x9b\\xff");
  EXPECT_EQ(printable("\xc0\x9b\xe0\x82\x9b"), "\\xc0\\x9b\\xe0\\x82\\x9b") << "overlong";
  EXPECT_EQ(printable("\xed\xa0\x80\xf4\x90\x80\x80"), "\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80");
  EXPECT_EQ(printable("cut \xe5\x86"), "cut \\xe5\\x86");
  EXPECT_EQ(printable("me\u202Egpj.exe"), "me\\xe2\\x80\\xaegpj.exe");
  EXPECT_EQ(printable_lines("a\x1b\n  hint: b\n"), "a\\x1b\n  hint: b\n");
}

TEST(Table, AlignsByColumnsNotBytes) {
  Table table({"a", ">b"});
  table.add({"é", "1"});
  table.add({"xyz", "22"});
  std::ostringstream out;
  table.print(out);
  EXPECT_EQ(out.str(), "a     b\né     1\nxyz  22\n");

  Table odd({"file", "n\to"});
  odd.add({"\x1b[2J", "1"});
  std::ostringstream shown;
  odd.print(shown);
  EXPECT_EQ(shown.str(), "file     n\\to\n\\x1b[2J  1\n");
}

TEST(Table, BreaksIntoBlocksThatFit) {
  Table table({"model", ">a", "|>b P", ">b R", "|>c"});
  table.add({"one", "1", "2", "3", "4"});
  const auto printed = [&](int most) {
    std::ostringstream out;
    table.print(out, most);
    return out.str();
  };
  const std::string first = "model  a\none    1\n";
  EXPECT_EQ(printed(21), "model  a  b P  b R  c\none    1    2    3  4\n");
  EXPECT_EQ(printed(20), "model  a  b P  b R\none    1    2    3\n\nmodel  c\none    4\n");
  EXPECT_EQ(printed(18), printed(20));
  EXPECT_EQ(printed(17), first + "\nmodel  b P  b R\none      2    3\n\nmodel  c\none    4\n");
  EXPECT_EQ(printed(1), printed(17)) << "b stays whole";
}

TEST(Wrapped, BreaksBetweenWordsAlone) {
  EXPECT_EQ(wrapped("one two  three", 7), "one two\nthree");
  EXPECT_EQ(wrapped("one two three", 9, "> "), "> one two\n> three");
  EXPECT_EQ(wrapped("é é é", 5), "é é é") << "columns, not bytes";
  EXPECT_EQ(wrapped("a extraordinarily b", 6), "a\nextraordinarily\nb");
}

TEST(Progress, BarSaysWhereItIsAndFitsTheTerminal) {
  const ProgressState state{.title = "train",
                            .epoch = 2,
                            .epochs = 3,
                            .done = 3,
                            .total = 5,
                            .items = 96,
                            .values = {{"loss", "0.402"}}};
  Terminal terminal{.unicode = true, .width = 120};
  EXPECT_EQ(bar_text(state, 3, terminal),
            "  2/3  train  60% ━━━━━━━━━━━━────────  3/5  00:03<00:02  32.0 img/s  loss 0.402");
  terminal.unicode = false;
  EXPECT_EQ(bar_text(state, 3, terminal),
            "  2/3  train  60% ============--------  3/5  00:03<00:02  32.0 img/s  loss 0.402");
  terminal.width = 72;
  EXPECT_EQ(bar_text(state, 3, terminal),
            "  2/3  train  60% ======>----  3/5  00:03<00:02  32.0 img/s  loss 0.402")
      << "the bar gives way";
  terminal.width = 30;
  EXPECT_EQ(bar_text(state, 3, terminal), "  2/3  train  60% ====>---  3");
  terminal.unicode = terminal.color = true;
  EXPECT_EQ(columns_of(bar_text(state, 3, terminal)), 29 + 5 + 5 + 4 + 4)
      << "clipped, behind the bar's three escapes, and one at the end";
  EXPECT_EQ(line_text(state, 3), "train epoch=2/3 step=3/5 loss=0.402 img_per_s=32.0 left=00:02");
}

TEST(Progress, ClockShowsHoursWhenThereAreAny) {
  EXPECT_EQ(clock_text(4.6), "00:05");
  EXPECT_EQ(clock_text(3723), "1:02:03");
}

}  // namespace
}  // namespace burin::apps
