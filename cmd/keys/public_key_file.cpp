#include "public_key_file.hpp"

#include <locara/base/file.hpp>
#include <locara/base/json.hpp>

using namespace locara;

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kPublicKeyLimitBytes = 64U << 10U;

} // namespace

std::string render_public_key(const crypto::PublicKey& key) {
    return render_json({{"keytype", key.key_type()},
                        {"scheme", key.scheme()},
                        {"keyval", {{"public", key.value()}}}}) +
           "\n";
}

Result<crypto::PublicKey> read_public_key(const fs::path& path) {
    LOCARA_TRY(const std::string text, read_file(path, kPublicKeyLimitBytes));
    const auto json = parse_json(text);
    if (json && json->is_object()) {
        const auto type = json->find("keytype");
        const auto scheme = json->find("scheme");
        const auto value = json->find("keyval");
        if (type != json->end() && type->is_string() && scheme != json->end() &&
            scheme->is_string() && value != json->end() && value->is_object() &&
            value->contains("public") && value->at("public").is_string()) {
            auto key = crypto::PublicKey::parse(type->get<std::string>(),
                                                scheme->get<std::string>(),
                                                value->at("public").get<std::string>());
            return std::move(key).context(path.string());
        }
    }
    return Error(ErrorCode::InvalidArgument,
                 path.string() + ": a public key as `locara-hub keys new` writes it (FILE.pub) "
                                 "is wanted");
}
