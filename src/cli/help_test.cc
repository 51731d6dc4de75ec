#include "cli/help.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/text.h"

namespace whittle::cli {
namespace {

using ::testing::HasSubstr;

TEST(Wrap, BreaksBetweenWordsAndIndents) {
  EXPECT_EQ(wrap("one two three", 9, 2), "  one two\n  three\n");
  EXPECT_EQ(wrap("a\n\nb", 80, 0), "a\n\nb\n");
  EXPECT_EQ(wrap("unbreakable x", 5, 1), " unbreakable\n x\n");
}

// The table is written by hand: this is what the parser and the help take for granted.
TEST(Verbs, AreWellDescribed) {
  std::set<std::string> names;
  for (const Verb& verb : verbs()) {
    SCOPED_TRACE(verb.name);
    EXPECT_TRUE(names.insert(verb.name).second);
    EXPECT_NE(verb.run, nullptr);
    EXPECT_FALSE(verb.summary.empty());
    EXPECT_FALSE(verb.description.empty());
    EXPECT_LE(verb.least_operands, verb.most_operands);
    EXPECT_EQ(verb.operand.empty(), verb.most_operands == 0);
    EXPECT_EQ(verb.takes_command, verb.synopsis.find("-- CMD") != std::string::npos);
    EXPECT_FALSE(verb.examples.empty());
    for (const std::string& example : verb.examples) {
      EXPECT_THAT(example, HasSubstr("whittle " + verb.name));
    }
    std::set<std::string> options;
    std::set<char> letters = {'h'};
    for (const Option& option : verb.options) {
      SCOPED_TRACE(option.name);
      EXPECT_TRUE(option.name.starts_with("--") && option.name != "--help");
      EXPECT_TRUE(options.insert(option.name).second);
      EXPECT_TRUE(option.letter == 0 || letters.insert(option.letter).second);
      EXPECT_TRUE(option.choices.empty() || !option.metavar.empty());
      EXPECT_FALSE(option.help.empty() || option.help.ends_with('.'));
    }
  }
}

TEST(Help, NamesEveryVerbAndOption) {
  const std::string page = man_page();
  const std::string completion = bash_completion();
  for (const Verb& verb : verbs()) {
    EXPECT_THAT(overview(), HasSubstr("  " + verb.name + " "));
    EXPECT_THAT(page, HasSubstr(".SS \"whittle " + verb.name + " "));
    EXPECT_THAT(completion, HasSubstr("    " + verb.name + ")\n"));
    for (const Option& option : verb.options) {
      EXPECT_THAT(verb_help(verb), HasSubstr(option.name));
      EXPECT_THAT(completion, HasSubstr(option.name));
    }
  }
}

TEST(Help, FitsATerminal) {
  for (const Verb& verb : verbs()) {
    const std::string text = verb_help(verb);
    // Examples are pasted, so they are not broken.
    for (const std::string& line : split(text.substr(0, text.find("Examples\n")), '\n')) {
      EXPECT_LE(line.size(), 80U) << line;
    }
  }
}

const Verb kOdd = {
    .name = "odd",
    .summary = "odd",
    .synopsis = "X",
    .description = "Odd.",
    .examples = {},
    .options = {{"--all", 'a', "", "everything"}, {"--one", 0, "N", "one", {}, true}},
    .operand = "X",
    .most_operands = 1,
};

TEST(Help, AlignsOptionsWithAndWithoutLetter) {
  const std::string text = verb_help(kOdd);
  EXPECT_THAT(text, HasSubstr("  -a, --all    everything\n"));
  EXPECT_THAT(text, HasSubstr("      --one N  one; can be given several times\n"));
  EXPECT_THAT(text, HasSubstr("  -h, --help   show this text\n"));
}

TEST(Roff, EscapesWhatGroffWouldTakeForItself) {
  EXPECT_EQ(roff("a.b 'c'\n.SH no\n'nor -x \\fB"), "a.b 'c'\n\\&.SH no\n\\&'nor \\-x \\efB");
  EXPECT_EQ(roff(".x"), "\\&.x");
}

}  // namespace
}  // namespace whittle::cli
