// Chat templates: the check ends, names a rule and a place within the text; what it allows alone it
// allows in a block, twice, and in JSON.
#include "../chat_template.hpp"

#include <locara/base/json.hpp>

#include <cstdint>

using namespace locara;
using namespace locara::formats;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto finding = check_chat_template(text);
    check_json_chat_templates(text);
    if (finding) {
        LOCARA_ASSERT(finding->rule.starts_with("template."));
        LOCARA_ASSERT(find_rule(finding->rule) != nullptr);
        LOCARA_ASSERT(finding->offset && *finding->offset <= size);
        return 0;
    }
    const auto within_limits = [](const std::optional<Finding>& again) {
        return !again || again->rule == "template.limits";
    };
    LOCARA_ASSERT(within_limits(check_chat_template("{% if x %}\n" + text + "\n{% endif %}")));
    LOCARA_ASSERT(within_limits(check_chat_template(text + "\n{% raw %}{{{% endraw %}")));
    LOCARA_ASSERT(check_chat_template(text + "\n{{ x._y }}").has_value());
    LOCARA_ASSERT(!check_json_chat_templates(Json{{"chat_template", text}}.dump()));
    return 0;
}
