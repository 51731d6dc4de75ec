// Names of errors that system calls return (include/uapi/asm-generic/errno.h,
// include/linux/errno.h). The numbers are those that x86 and Arm share.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace whittle {

// "ENOENT" for 2; kernel-internal ones too (ERESTARTSYS for 512); "E123" for one without a name.
std::string errno_name(int number);
// 1 for "EPERM"; the second names too (EWOULDBLOCK, EDEADLOCK, ENOTSUP).
std::optional<int> errno_from_name(std::string_view name);

}  // namespace whittle
