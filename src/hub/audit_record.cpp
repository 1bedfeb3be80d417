#include "audit_record.hpp"

#include <locara/hub/audit.hpp>

namespace locara::hub {
namespace {

const std::string& address_of(const http::Request& request) {
    const std::string& told = request.notes->address;
    return told.empty() ? request.peer.address : told;
}

} // namespace

void record(const Services& services,
            const http::Request& request,
            std::string_view event,
            Json fields) {
    fields["by"] = request.notes->user;
    fields["address"] = address_of(request);
    fields["request"] = request.id;
    const Status written = services.audit.append(event, fields);
    if (!written) {
        services.log.error("audit",
                           "not_written",
                           {{"event", std::string(event)},
                            {"request", request.id},
                            {"error", written.error().describe()}});
    }
}

void record(const Services& services,
            const http::Request& request,
            std::string_view event,
            const Repo& repo,
            const Json& fields) {
    Json all = {{"repo", repo.id.render()},
                {"type", render(repo.id.type)},
                {"private", repo.visibility == Visibility::Private}};
    all.update(fields);
    record(services, request, event, std::move(all));
}

void record_sign_in(const Services& services, const http::Request& request, const Token& token) {
    if (services.audit.is_new(token.id + " " + address_of(request))) {
        record(services, request, "signed-in", {{"token", token.id}});
    }
}

} // namespace locara::hub
