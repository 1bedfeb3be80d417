// Members of an object of outside JSON, each asked for by name, type and range.
#pragma once

#include <locara/base/json.hpp>
#include <locara/base/result.hpp>
#include <locara/formats/gguf.hpp>

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace locara::convert {

/// Foreign text in a message: at most 80 bytes, nothing that a terminal obeys.
inline std::string shown(std::string_view text) {
    std::string out = "\"";
    for (const char c : text.substr(0, 80)) {
        out += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
    }
    return out + '"';
}

/// The document, which must be an object. Corrupt, TooLarge.
inline Result<Json>
parse_members(std::string_view text, std::string_view file, const JsonLimits& limits = {}) {
    auto json = parse_json(text, limits);
    if (!json || !json->is_object()) {
        return Error(!json && json.error().code() == ErrorCode::TooLarge ? ErrorCode::TooLarge
                                                                         : ErrorCode::Corrupt,
                     std::string(file) + ": " +
                         (json ? "it is no JSON object" : json.error().message()));
    }
    return json;
}

/// null counts as absent, in all of them. Borrows the object.
class Members {
  public:
    Members(const Json& object, std::string_view file) : object_(&object), file_(file) {}

    const Json* find(std::string_view key) const {
        const auto at = object_->find(key);
        return at == object_->end() || at->is_null() ? nullptr : &*at;
    }

    Result<std::optional<std::uint64_t>>
    whole(std::string_view key, std::uint64_t least, std::uint64_t most) const {
        const Json* at = find(key);
        if (at == nullptr) {
            return std::optional<std::uint64_t>();
        }
        if (!at->is_number_unsigned() || at->get<std::uint64_t>() < least ||
            at->get<std::uint64_t>() > most) {
            return wrong(key,
                         "a whole number from " + std::to_string(least) + " to " +
                             std::to_string(most));
        }
        return std::optional(at->get<std::uint64_t>());
    }

    /// From 1 on.
    Result<std::uint64_t> needed(std::string_view key, std::uint64_t most) const {
        LOCARA_TRY(const auto value, whole(key, 1, most));
        if (!value) {
            return Error(ErrorCode::Corrupt, file_ + " lacks " + std::string(key));
        }
        return *value;
    }

    Result<std::optional<double>> number(std::string_view key) const {
        const Json* at = find(key);
        if (at == nullptr) {
            return std::optional<double>();
        }
        if (!at->is_number() || !std::isfinite(static_cast<float>(at->get<double>()))) {
            return wrong(key, "a number");
        }
        return std::optional(at->get<double>());
    }

    Result<std::optional<bool>> flag(std::string_view key) const {
        const Json* at = find(key);
        if (at == nullptr) {
            return std::optional<bool>();
        }
        if (!at->is_boolean()) {
            return wrong(key, "true or false");
        }
        return std::optional(at->get<bool>());
    }

    /// Empty if absent.
    Result<std::string> text(std::string_view key) const {
        const Json* at = find(key);
        if (at == nullptr) {
            return std::string();
        }
        if (!at->is_string()) {
            return wrong(key, "a text");
        }
        return at->get<std::string>();
    }

    Result<std::optional<Members>> object(std::string_view key) const {
        const Json* at = find(key);
        if (at == nullptr) {
            return std::optional<Members>();
        }
        if (!at->is_object()) {
            return wrong(key, "an object");
        }
        return std::optional(Members(*at, file_));
    }

    Error wrong(std::string_view key, const std::string& wanted) const {
        return Error(ErrorCode::Corrupt, file_ + ": " + std::string(key) + " must be " + wanted);
    }

  private:
    const Json* object_; // a cursor over the caller's document
    std::string file_;
};

} // namespace locara::convert
