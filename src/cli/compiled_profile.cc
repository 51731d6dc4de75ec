#include "cli/compiled_profile.h"

#include "base/text.h"
#include "cli/output.h"

namespace whittle::cli {

Option runtime_option() {
  return {"--runtime",
          0,
          "NAME",
          "whose way of compiling counts: runc (default), crun, or none for libseccomp alone",
          {"none", "runc", "crun"}};
}

std::vector<Option> setting_options() {
  return {
      {"--arch", 0, "ARCH", "the architecture, as in x86_64 or arm64"},
      {"--caps", 0, "LIST", "for a baseline: the container's capabilities, as in docker,SYS_ADMIN"},
      {"--kernel", 0, "VERSION", "for a baseline: the kernel of the host, as in 6.18"}};
}

filter::Flavour flavour_of(const Arguments& arguments) {
  const std::string runtime = arguments.value_or("--runtime", "runc");
  if (runtime == "none") return filter::Flavour::kNative;
  return runtime == "crun" ? filter::Flavour::kCrun : filter::Flavour::kRunc;
}

Result<filter::Program> compile_profile(const profile::Profile& profile, const std::string& p,
                                        const Arguments& arguments) {
  TRY_ASSIGN(filter::Compilation compilation,
             filter::Compilation::start(profile, flavour_of(arguments)));
  TRY_ASSIGN(filter::Compiled compiled, finish_compilation(compilation, p));
  warn_of_skipped(compiled.skipped, p);
  return std::move(compiled.program);
}

Result<filter::Compiled> finish_compilation(filter::Compilation& compilation,
                                            const std::string& p) {
  auto result = compilation.finish();
  if (result) return result;
  Error error = std::move(result).error();
  error.place = error.place.empty() ? p : p + " " + error.place;
  return tl::unexpected(std::move(error));
}

void warn_of_skipped(const std::vector<std::string>& names, const std::string& p) {
  if (names.empty()) return;
  print_warning(format("{}: libseccomp here does not know {}: a runtime skips {} silently", p,
                       printable(join(names, ", "), 1000), names.size() == 1 ? "it" : "them"));
}

}  // namespace whittle::cli
