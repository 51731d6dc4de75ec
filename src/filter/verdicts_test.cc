// The cases of tests/verdicts: what a profile must answer, worked out by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "base/file_system.h"
#include "base/json.h"
#include "base/text.h"
#include "filter/compile.h"
#include "filter/decide.h"
#include "profile/baseline.h"
#include "syscalls/table.h"

namespace whittle::filter {
namespace {

using syscalls::Arch;

// "ARCH,ARCH CALL(ARG, ...): VERDICT"
struct Case {
  std::vector<Arch> arches;
  std::string call;
  Arguments args{};
  std::string verdict;
};

std::optional<Case> read_case(const std::string& text) {
  Case made;
  const std::size_t blank = text.find(' ');
  const std::size_t open = text.find('(', blank);
  const std::size_t close = text.find("): ", open);
  if (close == std::string::npos) return std::nullopt;
  for (const std::string& word : split(text.substr(0, blank), ',')) {
    const auto arch = syscalls::arch_from_name(word);
    if (!arch) return std::nullopt;
    made.arches.push_back(*arch);
  }
  made.call = text.substr(blank + 1, open - blank - 1);
  made.verdict = text.substr(close + 3);
  const std::string args = text.substr(open + 1, close - open - 1);
  if (args.empty()) return made;
  std::size_t index = 0;
  for (const std::string& part : split(args, ',')) {
    const std::string_view word = trim(part);
    if (index == made.args.size() || !word.starts_with("0x")) return std::nullopt;
    const auto [end, error] =
        std::from_chars(word.data() + 2, word.data() + word.size(), made.args[index++], 16);
    if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  }
  return made;
}

std::optional<std::uint32_t> number_of(Arch arch, const std::string& call) {
  const auto number = parse_u64(call);
  if (!number) return syscalls::number(arch, call);
  return static_cast<std::uint32_t>(*number) | (arch == Arch::kX32 ? syscalls::kX32Bit : 0);
}

Flavour flavour_of(const std::string& runtime) {
  if (runtime == "none") return Flavour::kNative;
  return runtime == "runc" ? Flavour::kRunc : Flavour::kCrun;
}

std::string text_of(const json::Value& group, std::string_view key) {
  const json::Value* value = group.find(key);
  return value == nullptr || value->string() == nullptr ? std::string() : *value->string();
}

Result<Compiled> compile_group(const json::Value& group) {
  const std::string runtime = text_of(group, "runtime");
  EXPECT_THAT(runtime, testing::AnyOf("none", "runc", "crun"));
  if (const std::string id = text_of(group, "baseline"); !id.empty()) {
    TRY_ASSIGN(const profile::Profile profile, profile::baseline(id, {}));
    return compile(profile, flavour_of(runtime));
  }
  const json::Value* document = group.find("profile");
  if (document == nullptr) return bug("neither profile nor baseline");
  TRY_ASSIGN(const profile::Profile profile, profile::read_oci(json::dump(*document), "group"));
  return compile(profile, flavour_of(runtime));
}

// Both the evaluator and the decision.
void check_case(const Program& program, Decider& decider, const std::string& text, int& checked) {
  const auto wanted = read_case(text);
  ASSERT_TRUE(wanted) << text;
  for (const Arch arch : wanted->arches) {
    const auto nr = number_of(arch, wanted->call);
    ASSERT_TRUE(nr) << text << ": " << syscalls::arch_name(arch) << " has no such call";
    ++checked;
    EXPECT_EQ(profile::verdict_text(evaluate_checked(program, call(arch, *nr, wanted->args))),
              wanted->verdict)
        << text << " on " << syscalls::arch_name(arch);
    const Decision decision = decider.decide(arch, *nr);
    ASSERT_TRUE(decision.decided);
    const auto takes = [&wanted](const Path& path) {
      for (std::size_t i = 0; i < path.words.size(); ++i) {
        const auto word = static_cast<std::uint32_t>(wanted->args[i / 2] >> (i % 2 * 32));
        if (!path.words[i].holds(word)) return false;
      }
      return true;
    };
    const auto path = std::find_if(decision.paths.begin(), decision.paths.end(), takes);
    ASSERT_NE(path, decision.paths.end()) << text;
    EXPECT_EQ(profile::verdict_text(path->verdict), wanted->verdict) << text;
  }
}

void check_group(const json::Value& group, int& checked) {
  const auto compiled = compile_group(group);
  if (const std::string refused = text_of(group, "refused"); !refused.empty()) {
    ASSERT_FALSE(compiled);
    EXPECT_THAT(compiled.error().text(), testing::HasSubstr(refused));
    ++checked;
    return;
  }
  ASSERT_TRUE(compiled) << compiled.error().text();
  const json::Value* cases = group.find("cases");
  ASSERT_TRUE(cases != nullptr && cases->array() != nullptr && !cases->array()->empty());
  Decider decider(compiled->program);
  for (const json::Value& each : *cases->array()) {
    ASSERT_NE(each.string(), nullptr);
    check_case(compiled->program, decider, *each.string(), checked);
  }
}

TEST(Verdicts, AreAsWorkedOutByHand) {
  int checked = 0;
  const std::filesystem::path directory(WHITTLE_SOURCE_DIR "/tests/verdicts");
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() != ".json") continue;
    const std::string place = entry.path().string();
    const auto text = read_file(place);
    ASSERT_TRUE(text) << text.error().text();
    const auto document = json::parse(*text, place);
    ASSERT_TRUE(document) << document.error().text();
    const json::Value* groups = document->find("groups");
    ASSERT_TRUE(groups != nullptr && groups->array() != nullptr) << place;
    for (const json::Value& group : *groups->array()) {
      SCOPED_TRACE(entry.path().filename().string() + ": " + text_of(group, "why"));
      check_group(group, checked);
    }
  }
  EXPECT_GE(checked, 700);
}

}  // namespace
}  // namespace whittle::filter
