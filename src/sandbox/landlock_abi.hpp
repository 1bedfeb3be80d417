// Landlock's numbers, our own copies: Debian 12's headers end at ABI 1, kernels do not.
// Source: include/uapi/linux/landlock.h of Linux 6.12, and the kernel's userspace-api/landlock.rst.
#pragma once

#include <cstdint>

#include <sys/syscall.h>
#include <unistd.h>

namespace locara::sandbox::landlock {

constexpr long kCreateRuleset = 444;
constexpr long kAddRule = 445;
constexpr long kRestrictSelf = 446;

constexpr std::uint32_t kCreateRulesetVersion = 1U << 0U;
constexpr int kRulePathBeneath = 1;

constexpr std::uint64_t kExecute = 1ULL << 0U;
constexpr std::uint64_t kWriteFile = 1ULL << 1U;
constexpr std::uint64_t kReadFile = 1ULL << 2U;
constexpr std::uint64_t kReadDir = 1ULL << 3U;
constexpr std::uint64_t kRemoveDir = 1ULL << 4U;
constexpr std::uint64_t kRemoveFile = 1ULL << 5U;
constexpr std::uint64_t kMakeChar = 1ULL << 6U;
constexpr std::uint64_t kMakeDir = 1ULL << 7U;
constexpr std::uint64_t kMakeReg = 1ULL << 8U;
constexpr std::uint64_t kMakeSock = 1ULL << 9U;
constexpr std::uint64_t kMakeFifo = 1ULL << 10U;
constexpr std::uint64_t kMakeBlock = 1ULL << 11U;
constexpr std::uint64_t kMakeSym = 1ULL << 12U;
constexpr std::uint64_t kRefer = 1ULL << 13U;    // ABI 2
constexpr std::uint64_t kTruncate = 1ULL << 14U; // ABI 3
constexpr std::uint64_t kIoctlDev = 1ULL << 15U; // ABI 5

constexpr std::uint64_t kNetBindTcp = 1ULL << 0U;    // ABI 4
constexpr std::uint64_t kNetConnectTcp = 1ULL << 1U; // ABI 4

constexpr std::uint64_t kScopeAbstractUnix = 1ULL << 0U; // ABI 6
constexpr std::uint64_t kScopeSignal = 1ULL << 1U;       // ABI 6

struct RulesetAttr {
    std::uint64_t handled_access_fs;
    std::uint64_t handled_access_net;
    std::uint64_t scoped;
};

struct [[gnu::packed]] PathBeneathAttr {
    std::uint64_t allowed_access;
    std::int32_t parent_fd;
};

/// The kernel's version of the interface, 0 if it has none or it is switched off.
inline int abi() {
    const long version = ::syscall(kCreateRuleset, nullptr, 0, kCreateRulesetVersion);
    return version > 0 ? static_cast<int>(version) : 0;
}

/// How many bytes of RulesetAttr a kernel of this version knows.
inline std::size_t attr_size(int version) {
    return version >= 6 ? 24 : version >= 4 ? 16 : 8;
}

/// Every file right that a kernel of this version can deny.
inline std::uint64_t handled_fs(int version) {
    std::uint64_t rights = (1ULL << 13U) - 1;
    rights |= version >= 2 ? kRefer : 0;
    rights |= version >= 3 ? kTruncate : 0;
    rights |= version >= 5 ? kIoctlDev : 0;
    return rights;
}

} // namespace locara::sandbox::landlock
