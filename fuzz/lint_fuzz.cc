// Any bytes as a profile to lint: every finding has a place in the document and words, whatever the
// document holds. Rules that would be compiled are left out, since libseccomp runs in a process of
// its own (tests/cli/lint_rules_test.py).
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "filter/handed.h"
#include "review/lint.h"

namespace {

using namespace whittle;

bool is_compiled(const review::LintDocument& document, filter::Flavour runtime) {
  const filter::Handed handed(document.profile, runtime);
  const auto& architectures = document.profile.parts().architectures;
  return handed.calls().size() > 300 || architectures.size() > 5 ||
         std::any_of(architectures.begin(), architectures.end(),
                     [](const std::string& name) { return !syscalls::arch_from_oci(name); }) ||
         std::any_of(handed.calls().begin(), handed.calls().end(), [&](std::string_view call) {
           return !filter::compiled_as_written(handed.rules(call)) ||
                  handed.rules(call).size() > 20;
         });
}

void check(const review::LintDocument& document, filter::Flavour runtime) {
  if (is_compiled(document, runtime)) return;
  review::LintSettings settings;
  settings.runtime = runtime;
  settings.base.emplace(syscalls::Arch::kX86_64, document.profile);
  settings.base_name = "itself";
  for (const review::Finding& finding : review::lint(document, settings)) {
    if (finding.message.empty() || finding.line == 0) std::abort();
    // Nothing is looser than itself.
    if (finding.rule == "looser-than-base" && finding.severity == review::Severity::kError) {
      std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const profile::Setting setting;
  for (const profile::Setting* dialect :
       {static_cast<const profile::Setting*>(nullptr), &setting}) {
    const auto document = review::read_lint_document(text, "input", dialect);
    if (!document) continue;
    for (const auto runtime : {filter::Flavour::kRunc, filter::Flavour::kNative}) {
      check(*document, runtime);
    }
  }
  return 0;
}
