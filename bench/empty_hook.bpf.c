// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* A program on the recorder's hook that does nothing: what the kernel itself takes for having one. */
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u32 __wsum;
enum bpf_map_type { BPF_MAP_TYPE_UNSPEC = 0 };
#include <bpf/bpf_helpers.h>

SEC("tp_btf/sys_exit")
int empty(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
