// The verbs, one a file (src/cli/verb_NAME.cc). verbs() in verb.h lists them.
#pragma once

#include "cli/verb.h"

namespace whittle::cli {

const Verb& init_verb();
const Verb& record_verb();
const Verb& import_verb();
const Verb& merge_verb();
const Verb& generate_verb();
const Verb& show_verb();
const Verb& eval_verb();
const Verb& diff_verb();
const Verb& lint_verb();
const Verb& convert_verb();
const Verb& score_verb();
const Verb& explain_verb();
const Verb& verify_verb();
const Verb& probe_verb();
const Verb& heal_verb();
const Verb& promote_verb();
const Verb& audit_verb();
const Verb& watch_verb();
const Verb& baseline_verb();
const Verb& install_verb();
const Verb& doctor_verb();
const Verb& syscall_verb();
const Verb& kube_verb();

}  // namespace whittle::cli
