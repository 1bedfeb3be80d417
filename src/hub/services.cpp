#include "services.hpp"

namespace locara::hub {

Status own_file(const Services& services, std::int64_t repo, const xet::FileHash& hash) {
    LOCARA_TRY(const auto sha256, services.cas.verify_sha256(hash));
    LOCARA_TRY(const auto info, services.cas.file_info(hash));
    LOCARA_TRY(const auto xorbs, services.cas.xorbs_of(hash));
    for (const xet::XorbHash& xorb : xorbs) {
        LOCARA_CHECK(services.names.add_xorb(repo, xorb));
    }
    return services.names.add_file(repo, {sha256, hash, info.size}, services.clock.now());
}

std::string author_email(const Account& account) {
    return account.name + "@users.noreply.locara.dev";
}

} // namespace locara::hub
