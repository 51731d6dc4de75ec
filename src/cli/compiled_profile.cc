#include "cli/compiled_profile.h"

#include <algorithm>

#include "base/text.h"
#include "cli/load_profile.h"
#include "cli/output.h"
#include "filter/bytes.h"
#include "filter/library.h"
#include "filter/pieces.h"
#include "filter/survey.h"

namespace whittle::cli {

namespace {

// Those of this machine when it lets nothing through on any.
std::vector<syscalls::Arch> open_arches(const filter::Program& program) {
  filter::Decider decider(program);
  std::vector<syscalls::Arch> open;
  std::vector<syscalls::Arch> family;
  for (const syscalls::Arch arch : syscalls::kAllArches) {
    if (syscalls::native_of(arch) == syscalls::native_of(syscalls::host_arch())) {
      family.push_back(arch);
    }
    const auto pieces = filter::pieces_of(decider, arch);
    if (std::any_of(pieces.begin(), pieces.end(), [](const filter::Piece& piece) {
          return filter::can_allow(*piece.decision);
        })) {
      open.push_back(arch);
    }
  }
  return open.empty() ? family : open;
}

}  // namespace

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

Result<FilterInput> FilterInput::start(const std::string& p, const profile::Setting& setting,
                                       const Arguments& arguments) {
  FilterInput made;
  made.p_ = p;
  if (is_baseline(p)) {
    TRY_ASSIGN(const profile::Profile profile, load_baseline(p, setting));
    TRY(made.compile(profile, arguments));
    return made;
  }
  profile::ReadOptions options;
  options.setting = setting;
  TRY_ASSIGN(const LoadedInput input, load_input(p, options));
  if (!input.document) {
    TRY_ASSIGN(made.program_, filter::read_bytes(input.bytes, input.place));
    made.arches_ = open_arches(made.program_);
    return made;
  }
  warn_of(*input.document, input.place);
  TRY(made.compile(input.document->profile, arguments));
  return made;
}

Result<void> FilterInput::compile(const profile::Profile& profile, const Arguments& arguments) {
  profile_ = profile;
  arches_ = covered_arches(profile);
  TRY_ASSIGN(compilation_, filter::Compilation::start(profile, flavour_of(arguments)));
  return {};
}

Result<filter::Compiled> FilterInput::finish() {
  if (!compilation_) return filter::Compiled{std::move(program_), {}, {}};
  return finish_compilation(*compilation_, p_);
}

Result<filter::Program> FilterInput::program() {
  TRY_ASSIGN(filter::Compiled compiled, finish());
  warn_of_skipped(compiled.skipped, p_);
  warn_of_untold(compiled.untold, p_);
  return std::move(compiled.program);
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
