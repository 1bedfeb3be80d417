// Tar headers, plain and as a stream that cannot seek: both readings meet the same members, whose
// names are fit and whose bytes lie inside the file.
#include "../names.hpp"
#include "../tar.hpp"

#include <cstdint>

using namespace locara;
using namespace locara::formats;

namespace {

/// The same bytes without the shortcut over the source.
class ForwardOnly final : public Stream {
  public:
    explicit ForwardOnly(Stream& inner) : inner_(inner) {}

    Checked<std::size_t> read(std::span<std::byte> out) override {
        auto count = inner_.read(out);
        position_ = inner_.position();
        return count;
    }

  private:
    Stream& inner_;
};

struct Seen {
    std::vector<std::string> names;
    std::optional<Finding> problem;
};

Seen walk(Stream& stream, std::uint64_t size) {
    Seen seen;
    seen.problem = walk_tar(stream, [&](const TarMember& member) -> std::optional<Finding> {
        LOCARA_ASSERT(!check_member_name(member.name));
        seen.names.push_back(member.name);
        if (member.size > size - std::min(size, stream.position())) {
            return Finding{"tar.truncated", "the tar archive is cut short", {}};
        }
        if (stream.plain() != nullptr) {
            LOCARA_ASSERT(stream.skip(member.size));
            return std::nullopt;
        }
        Bytes bytes(static_cast<std::size_t>(member.size));
        const auto count = stream.read(bytes);
        LOCARA_ASSERT(count && *count == bytes.size());
        return std::nullopt;
    });
    return seen;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const MemorySource source(ByteView(reinterpret_cast<const std::byte*>(data), size));
    const auto plain = open_plain(source);
    const Seen first = walk(*plain, size);
    const auto inner = open_plain(source);
    ForwardOnly forward(*inner);
    const Seen again = walk(forward, size);
    LOCARA_ASSERT(first.names == again.names);
    LOCARA_ASSERT(first.problem.has_value() == again.problem.has_value());
    LOCARA_ASSERT(!first.problem || first.problem->rule == again.problem->rule);
    LOCARA_ASSERT(!first.problem || find_rule(first.problem->rule) != nullptr);
    return 0;
}
