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
  auto result = filter::compile(profile, flavour_of(arguments));
  if (!result) {
    Error error = std::move(result).error();
    error.place = error.place.empty() ? p : p + " " + error.place;
    return tl::unexpected(std::move(error));
  }
  filter::Compiled compiled = *std::move(result);
  if (!compiled.skipped.empty()) {
    print_warning(format("{}: libseccomp here does not know {}: a runtime skips {} silently", p,
                         printable(join(compiled.skipped, ", "), 1000),
                         compiled.skipped.size() == 1 ? "it" : "them"));
  }
  return std::move(compiled.program);
}

std::vector<syscalls::Arch> covered_arches(const profile::Profile& profile) {
  const auto native = filter::native_arch(profile);
  std::vector<syscalls::Arch> arches;
  for (const syscalls::Arch arch : syscalls::kAllArches) {
    if (arch == native || profile.lists(arch)) arches.push_back(arch);
  }
  return arches;
}

}  // namespace whittle::cli
