#include <locara/base/beneath.hpp>
#include <locara/base/file.hpp>
#include <locara/gate/gate.hpp>
#include <locara/policy/doors.hpp>
#include <locara/runtime/app_gate.hpp>

namespace locara::runtime {

namespace {

constexpr const char* kRecord = "scanners";
constexpr std::size_t kRecordBytes = 64U << 10U;

} // namespace

AppGate::AppGate() : gate_(LoadGate::shared()) {}

Status AppGate::check(const std::filesystem::path& folder,
                      const manifest::BundleFileList& list) const {
    const auto scanners = gate_.scanners();
    const auto passed = read_file(folder / kRecord, kRecordBytes);
    if (passed && still_counts(*passed, scanners)) {
        return {};
    }
    LOCARA_TRY(const Fd bundle, open_folder(folder / "bundle"));
    for (const auto& file : list.files) {
        LOCARA_TRY(const Fd fd, open_beneath(bundle, file.path));
        const auto name = std::filesystem::path(file.path).filename().string();
        LOCARA_CHECK(policy::check(policy::Door::App, file.path, gate_.judge(fd, name)));
    }
    if (scanners) {
        const Status kept = write_file_atomically(folder / kRecord, as_bytes(*scanners));
        static_cast<void>(kept);
    }
    return {};
}

} // namespace locara::runtime
