// Text: the members of JSON, model configurations, SVG and secrets. Each reader ends, names a rule,
// and finds a secret again when it looks at the source in windows.
#include "../json_members.hpp"
#include "../model_formats.hpp"
#include "../secrets.hpp"
#include "../text_rules.hpp"

#include <cstdint>

using namespace locara;
using namespace locara::formats;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
    const MemorySource source(bytes);
    const std::string text(as_text(bytes));
    std::uint64_t before = 0;
    walk_json_members(text, [&](const JsonMember& member) {
        LOCARA_ASSERT(member.offset < size && text[member.offset] == '"');
        LOCARA_ASSERT(member.offset >= before && member.key.size() <= 256);
        LOCARA_ASSERT(member.kind == '"' || member.text.empty());
        before = member.offset + 1;
    });
    for (const Kind kind : {Kind::Json, Kind::Svg, Kind::Text}) {
        const auto finding = check_text(source, kind, "config.json");
        LOCARA_ASSERT(!finding || find_rule(finding->rule) != nullptr);
    }
    const auto whole = find_secret(text);
    const auto windows = find_secret(source);
    LOCARA_ASSERT(windows && windows->has_value() == whole.has_value());
    LOCARA_ASSERT(!whole || (*windows)->offset == whole->offset);
    const std::vector<std::string> names = {"config.json", "metadata.json", "schema.json"};
    const auto model = check_model_zip(names, [&](const std::string&) { return text; });
    LOCARA_ASSERT(!model || find_rule(model->finding.rule) != nullptr);
    LOCARA_ASSERT(find_rule(check_hdf5(source).rule) != nullptr);
    LOCARA_ASSERT(find_rule(check_onnx(source).rule) != nullptr);
    return 0;
}
