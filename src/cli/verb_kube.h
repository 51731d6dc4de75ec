// The sub-commands of `whittle kube`, one a file (verb_kube_NAME.cc); the verb is made of them.
//
// A sub-command is a Verb of its own, with the description, examples and options of it alone.
// Options of the same name in several of them must take a value in all or in none.
#pragma once

#include "cli/verb.h"

namespace whittle::cli {

// The `name` is the sub-command's; `run` gets the operands that follow it.
const Verb& kube_check_verb();
const Verb& kube_export_verb();
const Verb& kube_patch_verb();

}  // namespace whittle::cli
