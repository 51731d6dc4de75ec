#include "cli/parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace whittle::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Words = std::vector<std::string>;

Result<int> nothing(const Arguments&) { return 0; }

const Verb kRun = {
    .name = "run",
    .summary = "run it",
    .synopsis = "[-o FILE] -- CMD...",
    .description = "Runs it.",
    .examples = {},
    .options = {{"--output", 'o', "FILE", "where to"},
                {"--mode", 0, "MODE", "how", {"enforce", "log"}},
                {"--call", 'c', "CALL", "which", {}, true},
                {"--json", 'j', "", "as JSON"}},
    .takes_command = true,
    .run = nothing,
};

const Verb kAsk = {
    .name = "ask",
    .summary = "ask it",
    .synopsis = "P CALL [ARG...]",
    .description = "Asks it.",
    .examples = {},
    .options = {{"--json", 'j', "", "as JSON"}},
    .operand = "P",
    .least_operands = 2,
    .most_operands = 4,
    .run = nothing,
};

Arguments parsed(const Verb& verb, const Words& words) {
  auto arguments = parse_arguments(verb, words);
  if (!arguments) {
    ADD_FAILURE() << arguments.error().text();
    return {};
  }
  return *arguments;
}

// The message and the hint of the error, in one.
std::string error_of(const Verb& verb, const Words& words) {
  const auto arguments = parse_arguments(verb, words);
  if (arguments) return "no error";
  EXPECT_EQ(arguments.error().exit_code(), 2);
  return arguments.error().text() + " / " + arguments.error().hint;
}

TEST(Parse, TakesOptionsInEveryForm) {
  for (const Words& words : {Words{"-o", "f", "--", "a"}, Words{"-of", "--", "a"},
                             Words{"--output", "f", "--", "a"}, Words{"--output=f", "--", "a"}}) {
    const Arguments arguments = parsed(kRun, words);
    EXPECT_EQ(arguments.value("--output"), "f");
    EXPECT_FALSE(arguments.flag("--json"));
    EXPECT_THAT(arguments.command(), ElementsAre("a"));
  }
}

TEST(Parse, TellsTheLastValueAndAllOfThem) {
  const Arguments arguments =
      parsed(kRun, {"-c", "a", "--call=b=c", "-j", "--call", "[x,y]", "--", "p"});
  EXPECT_EQ(arguments.value("--call"), "[x,y]");
  EXPECT_THAT(arguments.values("--call"), ElementsAre("a", "b=c", "[x,y]"));
  EXPECT_TRUE(arguments.flag("--json"));
  EXPECT_EQ(arguments.value("--output"), std::nullopt);
  EXPECT_EQ(arguments.value_or("--output", "-"), "-");
}

TEST(Parse, LeavesTheCommandAlone) {
  const Arguments arguments =
      parsed(kRun, {"-o", "-", "--", "sh", "-c", "echo --", "--", "-o", "--help", ""});
  EXPECT_THAT(arguments.command(), ElementsAre("sh", "-c", "echo --", "--", "-o", "--help", ""));
  EXPECT_EQ(arguments.value("--output"), "-");
  EXPECT_FALSE(arguments.flag("--help"));
}

TEST(Parse, KeepsOperandsAsTheyAre) {
  const Arguments arguments = parsed(kAsk, {"-", "-j", "[a,b]", "-1"});
  EXPECT_THAT(arguments.operands(), ElementsAre("-", "[a,b]", "-1"));
  EXPECT_TRUE(arguments.flag("--json"));
  EXPECT_THAT(parsed(kAsk, {"a", "--", "--json", "-x"}).operands(),
              ElementsAre("a", "--json", "-x"));
}

TEST(Parse, HelpAsksForNothingElse) {
  EXPECT_TRUE(parsed(kAsk, {"--help"}).flag("--help"));
  EXPECT_TRUE(parsed(kRun, {"-h", "--mode", "bad"}).flag("--help"));
}

TEST(Parse, SuggestsWhatWasMeant) {
  EXPECT_THAT(error_of(kRun, {"--ouptut", "f"}), HasSubstr("did you mean --output?"));
  EXPECT_THAT(error_of(kRun, {"--ouptut=f"}), HasSubstr("unknown option \"--ouptut\""));
  EXPECT_THAT(error_of(kRun, {"--mode", "enforced", "--", "a"}),
              HasSubstr("did you mean enforce?"));
  EXPECT_THAT(error_of(kRun, {"--mode", "xyz", "--", "a"}), HasSubstr("one of enforce, log"));
  EXPECT_THAT(error_of(kRun, {"nginx"}), HasSubstr("whittle run -- CMD..."));
}

TEST(Parse, RefusesAnOptionWithoutItsValue) {
  EXPECT_THAT(error_of(kRun, {"-o"}), HasSubstr("--output needs a value / write --output FILE"));
  EXPECT_THAT(error_of(kRun, {"--output", "--", "a"}), HasSubstr("--output needs a value"));
  EXPECT_THAT(error_of(kRun, {"--output", "--json", "--", "a"}), HasSubstr("needs a value"));
  EXPECT_THAT(error_of(kRun, {"--output=", "--", "a"}), HasSubstr("--output needs a value"));
  EXPECT_THAT(error_of(kRun, {"--json=yes", "--", "a"}), HasSubstr("--json takes no value"));
}

TEST(Parse, CountsOperandsAndWantsTheCommand) {
  EXPECT_THAT(error_of(kAsk, {}), HasSubstr("P is missing / usage: whittle ask P CALL"));
  EXPECT_THAT(error_of(kAsk, {"a"}), HasSubstr("1 of at least 2 arguments given"));
  EXPECT_THAT(error_of(kAsk, {"a", "b", "c", "d", "e"}), HasSubstr("unexpected argument \"e\""));
  EXPECT_THAT(error_of(kRun, {}), HasSubstr("no command given"));
  EXPECT_THAT(error_of(kRun, {"--"}), HasSubstr("no command after --"));
}

TEST(Parse, ShowsNoControlCharacters) {
  EXPECT_THAT(error_of(kRun, {"--a\x1b[31m"}), HasSubstr("\"--a?[31m\""));
}

TEST(FindVerb, KnowsTheTableAndSuggests) {
  const auto verb = find_verb("probe");
  ASSERT_TRUE(verb);
  EXPECT_EQ((*verb)->name, "probe");
  const auto unknown = find_verb("prove");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().hint, HasSubstr("did you mean `whittle probe`?"));
  const auto option = find_verb("--versoin");
  ASSERT_FALSE(option);
  EXPECT_THAT(option.error().text(), HasSubstr("unknown option"));
  EXPECT_THAT(option.error().hint, HasSubstr("--version"));
}

}  // namespace
}  // namespace whittle::cli
