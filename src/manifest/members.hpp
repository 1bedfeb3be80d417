// What the parsers of both manifests share: members of a document that its schema has accepted.
#pragma once

#include <locara/base/json.hpp>
#include <locara/manifest/license_expression.hpp>

#include <string>

namespace locara::manifest {

/// A violation at a path of the document ("models[0].id").
inline Error fault(const std::string& path, const std::string& text) {
    return Error(ErrorCode::InvalidArgument, path + ": " + text);
}

/// A text member that T::parse reads; its error is told with the member's path.
template <class T>
Result<T> parse_member(const Json& object, const char* key, const std::string& where = "") {
    auto value = T::parse(object.at(key).get_ref<const std::string&>());
    if (!value) {
        return fault(where + key, value.error().message());
    }
    return value;
}

/// A text that must be a license id or an SPDX expression.
inline Status check_license_text(const std::string& path, const std::string& text) {
    if (auto parsed = LicenseExpression::parse(text); !parsed) {
        return fault(path, parsed.error().message());
    }
    return {};
}

} // namespace locara::manifest
