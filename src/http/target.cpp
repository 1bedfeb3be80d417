#include "target.hpp"

namespace locara::http {

Status parse_target(Request& request) {
    const std::string_view target = request.target;
    const std::size_t question = target.find('?');
    request.path = target.substr(0, question);
    if (target == "*" && request.method == "OPTIONS") {
        return {};
    }
    if (request.path.empty() || request.path.front() != '/') {
        return Error(ErrorCode::InvalidArgument,
                     "the request target must start with '/'; this server is no proxy");
    }
    LOCARA_TRY(request.segments, split_path(std::string_view(request.path).substr(1)));
    if (question != std::string_view::npos) {
        LOCARA_TRY(request.query, Query::parse(target.substr(question + 1)));
    }
    return {};
}

} // namespace locara::http
