#include "generate/proof.h"

#include "base/text.h"
#include "filter/compile.h"
#include "filter/faithful.h"
#include "generate/multiplex.h"

namespace whittle::generate {

namespace {

using filter::Flavour;

bool is_expected(const filter::Difference& difference, const BaseLimit& limit) {
  return is_multiplexer(difference.syscall) &&
         (!difference.compiled.allows() ||
          limit.attitude(difference.syscall) != BaseLimit::Attitude::kAllows);
}

Result<void> prove_program(const profile::Profile& profile, const filter::Compiled& compiled,
                           Flavour flavour, const BaseLimit& limit) {
  TRY_ASSIGN(const auto differences, filter::differences(profile, compiled.program, flavour));
  const std::set<std::string> skipped(compiled.skipped.begin(), compiled.skipped.end());
  for (const filter::Difference& difference : differences) {
    if (skipped.count(difference.syscall) != 0 || is_expected(difference, limit)) continue;
    return bug(format(
        "libseccomp compiles the rules for {} otherwise than they are written: "
        "{}(0x{:x}, 0x{:x}, 0x{:x}, ...) on {} gives {} instead of {}",
        difference.syscall, difference.syscall, difference.args[0], difference.args[1],
        difference.args[2], syscalls::arch_name(difference.arch),
        profile::verdict_text(difference.compiled), profile::verdict_text(difference.documented)));
  }
  return {};
}

}  // namespace

Result<void> prove_not_looser(const profile::Profile& profile, const std::set<std::string>& names,
                              const BaseLimit& limit, const std::string& base_name) {
  profile::Profile::Parts parts = profile.parts();
  if (parts.default_verdict.allows()) parts.default_verdict = {profile::Action::kErrno, 1};
  const profile::Profile refusing(std::move(parts));
  for (const std::string& name : names) {
    TRY_ASSIGN(const auto looser, limit.looser(refusing, name));
    if (!looser) continue;
    return bug(
        format("the generated profile allows {}(0x{:x}, 0x{:x}, 0x{:x}, ...) on {}, which "
               "{} refuses",
               name, looser->args[0], looser->args[1], looser->args[2],
               syscalls::arch_name(looser->arch), base_name));
  }
  return {};
}

Result<std::vector<std::string>> prove_faithful(const profile::Profile& profile,
                                                const BaseLimit& limit) {
  TRY_ASSIGN(const filter::Compiled native, filter::compile(profile, Flavour::kNative));
  TRY(prove_program(profile, native, Flavour::kNative, limit));
  for (const Flavour flavour : {Flavour::kRunc, Flavour::kCrun}) {
    TRY_ASSIGN(const filter::Compiled compiled, filter::compile(profile, flavour));
    // What was proven needs no second proof; runc's has its stub in front.
    if (filter::same_program(compiled.program, native.program)) continue;
    TRY(prove_program(profile, compiled, flavour, limit));
  }
  return native.skipped;
}

}  // namespace whittle::generate
