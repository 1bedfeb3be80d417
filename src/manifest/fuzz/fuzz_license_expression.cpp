// License expressions of manifests. What parses renders to an expression that is the same again.
#include <locara/manifest/license_expression.hpp>

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace locara;
    const auto parsed = manifest::LicenseExpression::parse(
        std::string_view(reinterpret_cast<const char*>(data), size));
    if (!parsed) {
        LOCARA_ASSERT(parsed.error().code() == ErrorCode::InvalidArgument);
        return 0;
    }
    const auto text = parsed->render();
    // Rendering writes one space where none was ("A(B" is no expression), so it may be longer.
    if (text.size() > manifest::kLicenseExpressionBytes) {
        return 0;
    }
    const auto again = manifest::LicenseExpression::parse(text);
    LOCARA_ASSERT(again && again->render() == text);
    return 0;
}
