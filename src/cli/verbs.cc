#include "cli/verbs_list.h"

namespace whittle::cli {

const std::vector<Verb>& verbs() {
  static const std::vector<Verb> all = {
      init_verb(),    record_verb(),  import_verb(),  merge_verb(),    generate_verb(),
      show_verb(),    eval_verb(),    diff_verb(),    convert_verb(),  lint_verb(),
      score_verb(),   explain_verb(), verify_verb(),  probe_verb(),    heal_verb(),
      promote_verb(), audit_verb(),   watch_verb(),   baseline_verb(), install_verb(),
      doctor_verb(),  kube_verb(),    syscall_verb(),
  };
  return all;
}

}  // namespace whittle::cli
