#include "cli/prove_conversion.h"

#include <algorithm>

#include "base/text.h"
#include "cli/compiled_profile.h"
#include "filter/compare.h"
#include "syscalls/table.h"

namespace whittle::cli {

namespace {

using profile::Document;
using profile::Form;
using profile::Target;

Result<filter::Program> compiled(const profile::Profile& profile, const std::string& p,
                                 const Arguments& arguments) {
  TRY_ASSIGN(filter::Compilation compilation,
             filter::Compilation::start(profile, flavour_of(arguments)));
  TRY_ASSIGN(filter::Compiled made, finish_compilation(compilation, p));
  return std::move(made.program);
}

Result<void> prove_equal(const filter::Program& before, const filter::Program& after,
                         std::span<const syscalls::Arch> arches) {
  TRY_ASSIGN(const filter::Comparison comparison, filter::compare(before, after, arches));
  if (!comparison.changes.empty()) {
    const filter::Change& change = comparison.changes.front();
    return bug(format("what was converted is not the same: {} on {}",
                      syscalls::display_name(change.arch, change.nr),
                      syscalls::arch_name(change.arch)));
  }
  if (!comparison.undecided.empty()) {
    return input_error(
        "it can't be told exactly what this profile answers, nor proven that the "
        "converted one does the same");
  }
  return {};
}

// Docker's conditions stay in the document: both are the same in every setting that they tell
// apart.
Result<void> prove_conditions(const Document& before, const Document& after, bool any_kernel,
                              const profile::Setting& setting) {
  for (const profile::Setting& each : profile::settings_of_interest(before.object, setting)) {
    if (!any_kernel && each.kernel != setting.kernel) continue;
    const auto resolve = [&each](const Document& document) {
      return profile::read_document(document.object, "", profile::Dialect::kDocker, &each);
    };
    TRY_ASSIGN(const profile::Profile one, resolve(before));
    TRY_ASSIGN(const profile::Profile other, resolve(after));
    if (one != other) return bug("the conditions of the converted document are not the same");
  }
  return {};
}

}  // namespace

Result<void> prove_conversion(const Document& document, const std::string& p,
                              const profile::Conversion& made, Target target,
                              const profile::ConvertSettings& settings,
                              const Arguments& arguments) {
  profile::ReadOptions options;
  options.setting = settings.setting;
  options.dialect = profile::Dialect::kDocker;
  // Without a list the native ABI of the host counts, as in OCI.
  if (target == Target::kSystemd) {
    options.setting.arch = syscalls::native_of(syscalls::host_arch());
  }
  auto again = profile::read_any(made.text, "the converted document", options);
  if (!again) return bug("the converted document can't be read again: " + again.error().text());
  const profile::Profile& wanted = made.lost.empty() ? document.profile : made.meant;
  TRY_ASSIGN(const filter::Program before, compiled(wanted, p, arguments));
  TRY_ASSIGN(const filter::Program after, compiled(again->profile, p, arguments));
  std::vector<syscalls::Arch> arches = covered_arches(wanted);
  for (const syscalls::Arch arch : covered_arches(again->profile)) {
    if (std::find(arches.begin(), arches.end(), arch) == arches.end()) arches.push_back(arch);
  }
  TRY(prove_equal(before, after, arches));
  if (!made.lost.empty() || document.form != Form::kDocker || target == Target::kOci) return {};
  if (target != Target::kDocker && target != Target::kPodman) return {};
  return prove_conditions(document, *again, target == Target::kDocker, settings.setting);
}

}  // namespace whittle::cli
