#include <algorithm>

#include "base/text.h"
#include "cli/comparison_report.h"
#include "cli/compiled_profile.h"
#include "cli/load_profile.h"
#include "cli/output.h"
#include "cli/verbs_list.h"
#include "filter/compare.h"
#include "syscalls/table.h"

namespace whittle::cli {

namespace {

using filter::Change;
using filter::Direction;
using syscalls::Arch;

// Both profiles as filters, and the ABIs to compare.
struct Pair {
  filter::Program before;
  filter::Program after;
  std::vector<Arch> arches;
};

// What --arch names, in the order of syscalls::kAllArches; empty without it.
Result<std::vector<Arch>> asked_arches(const Arguments& arguments) {
  std::vector<Arch> asked;
  const auto list = arguments.value("--arch");
  if (!list) return asked;
  for (const std::string& word : split(*list, ',')) {
    const auto arch =
        std::find_if(syscalls::kAllArches.begin(), syscalls::kAllArches.end(), [&word](Arch a) {
          return word == syscalls::arch_name(a) || word == syscalls::docker_arch(a);
        });
    if (arch == syscalls::kAllArches.end()) {
      return input_error(format("--arch: unknown architecture \"{}\"", printable(word)), {},
                         "known are x86_64 (amd64), x86, x32, aarch64 (arm64) and arm; several as "
                         "in x86_64,x32");
    }
    asked.push_back(*arch);
  }
  std::sort(asked.begin(), asked.end());
  asked.erase(std::unique(asked.begin(), asked.end()), asked.end());
  const auto other_family = [&asked](Arch arch) {
    return syscalls::native_of(arch) != syscalls::native_of(asked.front());
  };
  if (std::any_of(asked.begin(), asked.end(), other_family)) {
    return input_error("--arch: these architectures are not of one machine", {},
                       "compare x86_64, x86 and x32 in one run, aarch64 and arm in another");
  }
  return asked;
}

// All that one of the two covers.
std::vector<Arch> united(std::vector<Arch> arches, const std::vector<Arch>& more) {
  arches.insert(arches.end(), more.begin(), more.end());
  std::sort(arches.begin(), arches.end());
  arches.erase(std::unique(arches.begin(), arches.end()), arches.end());
  return arches;
}

Result<Pair> read_pair(const Arguments& arguments) {
  const std::string& first = arguments.operands().at(0);
  const std::string& second = arguments.operands().at(1);
  if (first == "-" && second == "-") {
    return input_error("diff: standard input can be one of the two profiles only");
  }
  TRY_ASSIGN(std::vector<Arch> asked, asked_arches(arguments));
  Arguments rest = arguments;
  rest.options_.erase("--arch");
  TRY_ASSIGN(profile::Setting setting, setting_of(rest));
  if (!asked.empty()) setting.arch = syscalls::native_of(asked.front());
  TRY_ASSIGN(FilterInput before, FilterInput::start(first, setting, arguments));
  TRY_ASSIGN(FilterInput after, FilterInput::start(second, setting, arguments));
  Pair pair;
  pair.arches = asked.empty() ? united(before.arches(), after.arches()) : std::move(asked);
  TRY_ASSIGN(filter::Compiled compiled_before, before.finish());
  TRY_ASSIGN(filter::Compiled compiled_after, after.finish());
  if (compiled_before.skipped == compiled_after.skipped) {
    warn_of_skipped(compiled_after.skipped, "both profiles");
  } else {
    warn_of_skipped(compiled_before.skipped, first);
    warn_of_skipped(compiled_after.skipped, second);
  }
  warn_of_untold(compiled_before.untold, first);
  warn_of_untold(compiled_after.untold, second);
  pair.before = std::move(compiled_before.program);
  pair.after = std::move(compiled_after.program);
  return pair;
}

bool fails(const filter::Comparison& comparison, bool on_looser_only) {
  if (!on_looser_only) return !comparison.equivalent();
  return !comparison.undecided.empty() ||
         std::any_of(comparison.changes.begin(), comparison.changes.end(),
                     [](const Change& c) { return c.direction == Direction::kLooser; });
}

Result<int> run_diff(const Arguments& arguments) {
  TRY(choose_libseccomp(arguments));
  TRY_ASSIGN(const Pair pair, read_pair(arguments));
  TRY_ASSIGN(const filter::Comparison comparison,
             filter::compare(pair.before, pair.after, pair.arches));
  if (arguments.flag("--json")) {
    json::Value value = comparison_json(comparison);
    set_libseccomp(value);
    TRY(print_json(value));
  } else {
    TRY(print_result(comparison_text(comparison, pair.arches)));
  }
  return fails(comparison, arguments.value_or("--fail-on", "any") == "looser") ? 1 : 0;
}

}  // namespace

const Verb& diff_verb() {
  static const Verb verb = {
      .name = "diff",
      .summary = "what changes between two profiles, over all calls and all argument values",
      .synopsis = "P P [--fail-on any|looser] [--arch A,B] [--runtime runc|crun|none] [--json]",
      .description =
          "Compiles both profiles as the runtime does and compares the filters that come out: "
          "every architecture, every number, every argument value. A change is `looser` when the "
          "second lets arguments through that the first does not, `tighter` the other way round, "
          "and `other` when the same gets through and something is refused otherwise, with "
          "another errno for example. Each comes with a call that shows it, tried in both "
          "filters.\n\n"
          "P is a file, - for standard input, or baseline:ID. All architectures that one of the "
          "two lists are compared, unless --arch names some.\n\n"
          "The exit status is 0 when nothing changes, and 1 when something does, or with "
          "--fail-on looser when something gets looser; also when a filter is made so that the "
          "answer can't be told.",
      .examples = {"whittle diff old.profile.json new.profile.json",
                   "whittle diff baseline:docker@29.4.2 baseline:docker@29.4.3 --arch x86",
                   "git show HEAD:nginx.profile.json | whittle diff - nginx.profile.json "
                   "--fail-on looser"},
      .options = {{"--fail-on",
                   0,
                   "WHAT",
                   "which change gives exit status 1: any (default), or looser only",
                   {"any", "looser"}},
                  {"--arch", 0, "LIST", "compare these architectures only, as in x86_64,x32"},
                  {"--caps", 0, "LIST",
                   "for a baseline: the container's capabilities, as in docker,SYS_ADMIN"},
                  {"--kernel", 0, "VERSION", "for a baseline: the kernel of the host, as in 6.18"},
                  runtime_option(),
                  libseccomp_option(),
                  {"--json", 0, "", "print JSON"}},
      .operand = "P and P",
      .least_operands = 2,
      .most_operands = 2,
      .run = run_diff,
  };
  return verb;
}

}  // namespace whittle::cli
