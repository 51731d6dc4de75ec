#include "record/ptrace_run.h"

#include "filter/decide.h"
#include "record/process_tree.h"
#include "record/refusals.h"
#include "record/stopped_task.h"

namespace whittle::record {

namespace {

constexpr std::size_t kMostShown = 1024;

}  // namespace

PtraceRun::PtraceRun(const RecordSpec& spec, Session& session, evidence::Run identity,
                     std::vector<filter::Program> filters)
    : spec_(spec), identity_(std::move(identity)), filters_(std::move(filters)) {
  options_.stop_requested = [&session] { return session.stop_requested(); };
  options_.kill_requested = [&session] { return session.kill_requested(); };
  options_.stop_signal = spec.stop_signal;
  options_.stacks = spec.stacks;
  options_.phase = [&session] { return session.phase(); };
  options_.checkpoint = [this, &session](const evidence::Run& so_far) {
    evidence::Run checkpoint = so_far;
    identify(checkpoint);
    session.checkpoint(checkpoint);
  };
  if (filters_.empty()) return;
  options_.refused = [this](Call& call) { return was_refused(call); };
}

Result<evidence::Run> PtraceRun::finish(Result<evidence::Run> recorded) const {
  if (recorded) identify(*recorded);
  return recorded;
}

void PtraceRun::identify(evidence::Run& run) const {
  run.id = identity_.id;
  run.under = identity_.under;
  run.command = identity_.command;
  run.notes.insert(run.notes.begin(), identity_.notes.begin(), identity_.notes.end());
}

bool PtraceRun::was_refused(Call& call) {
  JudgedCall judged = judged_call(call);
  for (std::size_t i = 0; i < filters_.size(); ++i) {
    if (!record::was_refused(filters_[i], judged)) continue;
    call.looked_at = looked_at(i, call);
    call.comm = comm_of(call.task);
    judged.comm = call.comm;
    if (spec_.refused) {
      judged.time = call.seconds;
      add_origin(call, judged);
      spec_.refused(judged);
    }
    return true;
  }
  return false;
}

// Of the first of each kind, while the task is stopped at it. One that the filter has killed shows
// nothing any more.
void PtraceRun::add_origin(const Call& call, JudgedCall& judged) {
  Kind kind(call.arch, call.nr, call.args, call.comm);
  for (unsigned i = 0; i < call.args.size(); ++i) {
    if (((call.looked_at >> i) & 1U) == 0) std::get<2>(kind)[i] = 0;
  }
  if (shown_.size() >= kMostShown || !shown_.insert(std::move(kind)).second) return;
  judged.thread = call.task;
  judged.executable = executable_of(call.task);
  const CapturedStack captured = capture_stack(call.task);
  if (captured.address != 0) judged.stack = resolver_.resolve(captured);
}

std::uint8_t PtraceRun::looked_at(std::size_t filter, const Call& call) {
  const auto [found, fresh] =
      looked_at_.try_emplace({filter, call.arch, call.nr}, std::uint8_t{0x3f});
  if (!fresh) return found->second;
  const filter::Decision decision = filter::decide(filters_[filter], call.arch, call.nr);
  if (decision.decided) found->second = decision.arguments;
  return found->second;
}

}  // namespace whittle::record
