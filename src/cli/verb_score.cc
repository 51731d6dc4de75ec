#include "base/text.h"
#include "cli/compiled_profile.h"
#include "cli/load_evidence.h"
#include "cli/load_profile.h"
#include "cli/output.h"
#include "cli/verbs_list.h"
#include "review/closing.h"
#include "review/score.h"
#include "syscalls/table.h"

namespace whittle::cli {

namespace {

using review::Score;

struct Scored {
  Score score;
  review::Closings closings;
};

Result<Scored> score_of(const std::string& p, const profile::Setting& setting,
                        const Arguments& arguments, const evidence::Evidence* evidence) {
  TRY_ASSIGN(FilterInput input, FilterInput::start(p, setting, arguments));
  TRY_ASSIGN(const filter::Program program, input.program());
  TRY_ASSIGN(Score score, review::score({&program, 1}, input.arches()));
  // A BPF program has no rules to add one to.
  review::Closings closings;
  if (input.profile()) {
    TRY_ASSIGN(closings, review::closings(*input.profile(), flavour_of(arguments), evidence));
  }
  return Scored{std::move(score), std::move(closings)};
}

json::Value strings(const std::vector<std::string>& texts) {
  return json::Array(texts.begin(), texts.end());
}

// As a profile has them.
Result<json::Value> rules_json(const std::vector<profile::Rule>& rules) {
  profile::Profile::Parts parts;
  parts.rules = rules;
  TRY_ASSIGN(const json::Value document,
             json::parse(profile::write_oci(profile::Profile(std::move(parts))), "rules"));
  return *document.find("syscalls");
}

// One entry for each exploit and each way of the step that is suggested for it.
Result<json::Value> close_json(const review::Closings& closings) {
  json::Array list;
  for (const review::Closing& closing : closings.closings) {
    for (const std::string& cve : closing.cves) {
      for (const review::ClosedWay& way : closing.ways) {
        json::Value entry;
        entry.set("cve", cve);
        entry.set("step", closing.step);
        entry.set("syscall", way.syscall);
        entry.set("arch", syscalls::arch_name(closings.arch));
        entry.set("suggestion", way.suggestion);
        entry.set("pointers", strings(way.pointers));
        TRY_ASSIGN(json::Value rules, rules_json(way.rules));
        entry.set("rules", std::move(rules));
        if (way.use != review::Use::kNotAsked) {
          entry.set("used", way.use == review::Use::kUntold
                                ? json::Value()
                                : json::Value(way.use == review::Use::kSeen));
          entry.set("loses", way.loses);
        }
        list.push_back(std::move(entry));
      }
    }
  }
  return json::Value(std::move(list));
}

json::Value steps_json(const Score& score) {
  json::Array list;
  for (const review::StepScore& step : score.steps) {
    json::Value entry;
    entry.set("step", step.name);
    entry.set("what", step.what);
    entry.set("open", step.open);
    entry.set("open_adapted", step.open_adapted);
    entry.set("exploits", step.exploits);
    entry.set("ways", strings(step.ways));
    list.push_back(std::move(entry));
  }
  return list;
}

Result<json::Value> to_json(const Scored& scored) {
  const Score& score = scored.score;
  json::Value allowed = json::Object();
  for (const review::ArchScore& arch : score.arches) {
    allowed.set(std::string(syscalls::arch_name(arch.arch)), arch.allowed);
  }
  json::Value exploits;
  exploits.set("blocked", score.blocked());
  exploits.set("total", score.total);
  exploits.set("open", strings(score.open));
  exploits.set("open_adapted", strings(score.open_adapted));
  exploits.set("steps", steps_json(score));
  TRY_ASSIGN(json::Value close, close_json(scored.closings));
  exploits.set("close", std::move(close));
  exploits.set("not_closed", strings(scored.closings.without));
  exploits.set("blocked_when_closed", scored.closings.blocked_then);
  json::Value value;
  value.set("allowed_syscalls", std::move(allowed));
  value.set("exploits", std::move(exploits));
  return value;
}

// Why the number is what it is: the steps that the profile stops, and those that it lets through,
// with how many exploits need each.
std::string why_text(const Score& score) {
  std::vector<std::string> stopped;
  std::string open;
  for (const review::StepScore& step : score.steps) {
    if (step.open) {
      open += format("    {} ({}): {}\n", step.name, step.exploits, join(step.ways, ", "));
    } else {
      stopped.push_back(format("{} ({})", step.name, step.exploits));
    }
  }
  std::string text;
  if (!stopped.empty()) text += format("  refused steps: {}\n", join(stopped, ", "));
  if (!open.empty()) text += "  steps let through, by how many exploits they are needed:\n" + open;
  return text;
}

std::string close_text(const Scored& scored) {
  const review::Closings& closings = scored.closings;
  std::string text;
  if (!closings.closings.empty()) text += "  what would close them:\n";
  for (const review::Closing& closing : closings.closings) {
    text += format("    {}: {}\n", closing.step,
                   closing.cves.size() > 3 ? plural(closing.cves.size(), "open exploit")
                                           : join(closing.cves, " "));
    for (const review::ClosedWay& way : closing.ways) {
      text += format("      {}\n", way.suggestion);
      if (!way.loses.empty()) text += dim(format("        the workload loses {}\n", way.loses));
    }
  }
  if (!closings.closings.empty()) {
    text += format("    with all of these {} of {} are blocked\n", closings.blocked_then,
                   scored.score.total);
  }
  if (!closings.without.empty()) {
    text += format("  no rule found that closes {}\n", join(closings.without, " "));
  }
  return text;
}

std::string to_text(const std::string& name, const Scored& scored, bool with_closings) {
  const Score& score = scored.score;
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
  text += why_text(score);
  return with_closings ? text + close_text(scored) : text;
}

std::string printable_name(const std::string& p) {
  return p == "-" ? "standard input" : printable(p);
}

// All that --evidence names, merged; nullopt without it.
Result<std::optional<evidence::Evidence>> evidence_of(const Arguments& arguments) {
  const std::vector<std::string> paths = arguments.values("--evidence");
  if (paths.empty()) return std::optional<evidence::Evidence>();
  TRY_ASSIGN(const std::vector<evidence::Evidence> parts, load_evidence(paths));
  return std::optional<evidence::Evidence>(evidence::merge(parts));
}

Result<int> run_score(const Arguments& arguments) {
  TRY(choose_libseccomp(arguments));
  TRY_ASSIGN(const profile::Setting setting, setting_of(arguments));
  const std::string& p = arguments.operands().at(0);
  TRY_ASSIGN(const auto evidence, evidence_of(arguments));
  TRY_ASSIGN(const Scored scored, score_of(p, setting, arguments, evidence ? &*evidence : nullptr));
  TRY_ASSIGN(json::Value value, to_json(scored));
  std::string text = to_text(printable_name(p), scored, true);
  if (const auto against = arguments.value("--against")) {
    const std::string other = baseline_or_profile(*against);
    TRY_ASSIGN(const Scored compared, score_of(other, setting, arguments, nullptr));
    TRY_ASSIGN(json::Value against_value, to_json(compared));
    against_value.set("profile", other);
    value.set("against", std::move(against_value));
    text += to_text(printable_name(other), compared, false);
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
      .synopsis = "P [--against BASELINE] [--evidence E] [--runtime runc|crun|none] [--json]",
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
          "For each open exploit a rule is suggested that would close it, the smallest that does: "
          "tried by compiling the changed profile and deciding the step over all argument values. "
          "With --evidence, what the workload is seen to use is kept where another step will do, "
          "and each suggestion says what the workload would lose.\n\n"
          "--against compares with another profile: a baseline's id, or P in any form. Both are "
          "compiled by the libseccomp in whittle, as --runtime says.",
      .examples = {"whittle score nginx.profile.json --against docker",
                   "whittle score nginx.profile.json --evidence nginx.evidence.json",
                   "whittle score baseline:docker@29.4.3 --json"},
      .options =
          [] {
            std::vector<Option> options = {
                {"--against", 0, "BASELINE", "show the same for this profile or baseline"},
                {"--evidence", 0, "E", "say what the workload would lose by each rule", {}, true}};
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
