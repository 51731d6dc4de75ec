#include "cli/compiled_profile.h"

#include "base/text.h"
#include "cli/output.h"
#include "filter/library.h"

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

Option libseccomp_option() {
  return {"--libseccomp", 0, "FILE",
          "compile with this shared library, or answer for this release, as in 2.6.1"};
}

Result<void> choose_libseccomp(const Arguments& arguments) {
  const auto choice = arguments.value("--libseccomp");
  if (!choice) return {};
  TRY(filter::use_libseccomp(*choice));
  const filter::Library& library = filter::libseccomp();
  if (library.source == filter::Library::Source::kDocumented) {
    print_warning(
        format("libseccomp {} itself is not run: whittle's own {} compiles, with the names "
               "that {} is documented to know; give its shared library to have it run",
               library.version, library.runs, library.version));
  }
  return {};
}

void set_libseccomp(json::Value& value) {
  const filter::Library& library = filter::libseccomp();
  if (library.source == filter::Library::Source::kOwn) return;
  const bool documented = library.source == filter::Library::Source::kDocumented;
  json::Value chosen;
  chosen.set("version", library.version).set("source", documented ? "documented" : "file");
  value.set("libseccomp", std::move(chosen));
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
  warn_of_untold(compiled.untold, p);
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
  const filter::Library& library = filter::libseccomp();
  const bool own = library.source == filter::Library::Source::kOwn;
  print_warning(format("{}: libseccomp {} does not know {}: a runtime skips {} silently", p,
                       own ? std::string("here") : library.version,
                       printable(join(names, ", "), 1000), names.size() == 1 ? "it" : "them"));
}

void warn_of_untold(const std::vector<std::string>& calls, const std::string& p) {
  if (calls.empty()) return;
  const filter::Library& library = filter::libseccomp();
  print_warning(
      format("{}: what libseccomp {} makes of the rules for {} is not known: the answers "
             "are those of {}",
             p, library.version, printable(join(calls, ", "), 1000), library.runs));
}

}  // namespace whittle::cli
