#include "content_gate.hpp"

#include <locara/gate/gate.hpp>

#include <algorithm>

namespace locara::hub {

Status StoredSource::read(std::uint64_t offset, std::span<std::byte> out) const {
    if (offset > size_ || out.size() > size_ - offset) {
        return Error(ErrorCode::Corrupt, "a read beyond the end of " + file_.render());
    }
    if (out.empty()) {
        return {};
    }
    LOCARA_CHECK(cas_.read(
        file_, xet::ByteRange{offset, offset + out.size()}, [&out](ByteView piece) -> Status {
            const std::size_t count = std::min(piece.size(), out.size());
            std::copy_n(piece.begin(), count, out.begin());
            out = out.subspan(count);
            return {};
        }));
    return out.empty() ? Status{}
                       : Status(Error(ErrorCode::Corrupt, file_.render() + " ended early"));
}

Status
pass_gate(const Services& services, const formats::ByteSource& content, std::string_view path) {
    const auto verdict = gate::judge(content, path.substr(path.rfind('/') + 1));
    if (verdict.decision != formats::Decision::Refuse) {
        return {};
    }
    services.log.info(
        "hub", "upload_refused", {{"path", std::string(path)}, {"rule", verdict.rule}});
    return Error(ErrorCode::Refused,
                 std::string(path) + " is refused: " + verdict.reason + " (" + verdict.rule + ")");
}

} // namespace locara::hub
