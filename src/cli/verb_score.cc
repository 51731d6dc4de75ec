#include "base/text.h"
#include "cli/compiled_profile.h"
#include "cli/load_profile.h"
#include "cli/output.h"
#include "cli/verbs_list.h"
#include "review/score.h"
#include "syscalls/table.h"

namespace whittle::cli {

namespace {

using review::Score;

Result<Score> score_of(const std::string& p, const profile::Setting& setting,
                       const Arguments& arguments) {
  TRY_ASSIGN(const profile::Profile profile, load_profile(p, setting));
  TRY_ASSIGN(const filter::Program program, compile_profile(profile, p, arguments));
  return review::score({&program, 1}, covered_arches(profile));
}

json::Value to_json(const Score& score) {
  json::Value allowed = json::Object();
  for (const review::ArchScore& arch : score.arches) {
    allowed.set(std::string(syscalls::arch_name(arch.arch)), arch.allowed);
  }
  json::Value exploits;
  exploits.set("blocked", score.blocked());
  exploits.set("total", score.total);
  exploits.set("open", json::Array(score.open.begin(), score.open.end()));
  exploits.set("open_adapted", json::Array(score.open_adapted.begin(), score.open_adapted.end()));
  json::Value value;
  value.set("allowed_syscalls", std::move(allowed));
  value.set("exploits", std::move(exploits));
  return value;
}

std::string to_text(const std::string& name, const Score& score) {
  std::string text = bold(name) + "\n";
  for (const review::ArchScore& arch : score.arches) {
    text += format("  {:<8} {} of {} system calls allowed\n", syscalls::arch_name(arch.arch),
                   arch.allowed, syscalls::entries(arch.arch).size());
  }
  text += format("  {} of {} public kernel exploits blocked\n", score.blocked(), score.total);
  if (!score.open.empty()) text += format("  open: {}\n", join(score.open, " "));
  if (!score.open_adapted.empty()) {
    text +=
        format("  blocked as published, open when adapted: {}\n", join(score.open_adapted, " "));
  }
  return text;
}

std::string printable_name(const std::string& p) {
  return p == "-" ? "standard input" : printable(p);
}

Result<int> run_score(const Arguments& arguments) {
  TRY(choose_libseccomp(arguments));
  TRY_ASSIGN(const profile::Setting setting, setting_of(arguments));
  const std::string& p = arguments.operands().at(0);
  TRY_ASSIGN(const Score score, score_of(p, setting, arguments));
  json::Value value = to_json(score);
  std::string text = to_text(printable_name(p), score);
  if (const auto against = arguments.value("--against")) {
    const std::string other = baseline_or_profile(*against);
    TRY_ASSIGN(const Score compared, score_of(other, setting, arguments));
    json::Value against_value = to_json(compared);
    against_value.set("profile", other);
    value.set("against", std::move(against_value));
    text += to_text(printable_name(other), compared);
  }
  set_libseccomp(value);
  if (arguments.flag("--json")) {
    TRY(print_json(value));
  } else {
    TRY(print_result(text));
  }
  return 0;
}

}  // namespace

const Verb& score_verb() {
  static const Verb verb = {
      .name = "score",
      .summary = "how many calls a profile allows, and which known exploits it stops",
      .synopsis = "P [--against BASELINE] [--runtime runc|crun|none] [--json]",
      .description =
          "Counts, for each architecture that the profile covers, the named system calls that get "
          "through with some arguments; and the public kernelCTF exploits that can't work, because "
          "the filter refuses a step that they need, in every form that the step can take.\n\n"
          "The exploits and their steps are part of whittle; docs/exploits.md says where they come "
          "from and what the number does not say. An exploit is judged as it was published: a "
          "native "
          "program with clean arguments. Those that get in when adapted, by the 32-bit or x32 "
          "entry "
          "or by argument bits that the kernel ignores and the filter does not, are listed "
          "apart.\n\n"
          "--against compares with another profile: a baseline's id, or P in any form. Both are "
          "compiled by the libseccomp in whittle, as --runtime says.",
      .examples = {"whittle score nginx.profile.json --against docker",
                   "whittle score baseline:docker@29.4.3 --json"},
      .options =
          [] {
            std::vector<Option> options = {
                {"--against", 0, "BASELINE", "show the same for this profile or baseline"}};
            for (Option& option : setting_options()) options.push_back(std::move(option));
            options.push_back(runtime_option());
            options.push_back(libseccomp_option());
            options.push_back({"--json", 0, "", "print JSON"});
            return options;
          }(),
      .operand = "P",
      .least_operands = 1,
      .most_operands = 1,
      .run = run_score,
  };
  return verb;
}

}  // namespace whittle::cli
