// Zip headers: members that are accepted lie inside the file one after the other, have fit names,
// and unpack to what they say or not at all.
#include "../names.hpp"
#include "../zip.hpp"

#include <cstdint>
#include <set>

using namespace locara;
using namespace locara::formats;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const MemorySource source(ByteView(reinterpret_cast<const std::byte*>(data), size));
    const auto members = check_zip(source, 64);
    if (!members) {
        LOCARA_ASSERT(members.error().rule.starts_with("zip."));
        LOCARA_ASSERT(find_rule(members.error().rule) != nullptr);
        return 0;
    }
    LOCARA_ASSERT(members->size() <= 64);
    LOCARA_ASSERT(members->empty() || *ends_as_zip(source));
    std::uint64_t reached = 0;
    std::set<std::string> names;
    for (const ZipMember& member : *members) {
        LOCARA_ASSERT(member.data_offset >= reached + 30);
        LOCARA_ASSERT(member.packed <= size && member.data_offset <= size - member.packed);
        reached = member.data_offset + member.packed;
        LOCARA_ASSERT(!check_member_name(member.name) && names.insert(member.name).second);
        const auto bytes = unpack(source, member, 1U << 20U);
        LOCARA_ASSERT(!bytes || bytes->size() == member.unpacked);
        LOCARA_ASSERT(bytes || find_rule(bytes.error().rule) != nullptr);
    }
    return 0;
}
