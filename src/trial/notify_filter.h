// The filter of a trial by seccomp notification: that of the profile, asking where it would refuse.
#pragma once

#include "filter/program.h"

namespace whittle::trial {

// The same program with every answer but allow and log turned into SECCOMP_RET_USER_NOTIF. Whoever
// is asked finds the answer by evaluating `program` on the seccomp_data of the notification.
// NOTE: a program that returns its accumulator asks always there; the compilers emit none.
filter::Program asking_program(const filter::Program& program);

// Whether a program answers SECCOMP_RET_TRAP anywhere.
bool answers_trap(const filter::Program& program);

}  // namespace whittle::trial
