#include <locara/crypto/chained_line.hpp>
#include <locara/crypto/sha256.hpp>

namespace locara::crypto {
namespace {

constexpr std::string_view kHashMember = ",\"hash\":\"";

} // namespace

std::string ChainedLine::render(const ChainEnd& before,
                                TimePoint time,
                                std::string_view event,
                                const Json& fields) {
    Json record = Json::object();
    record["seq"] = before.seq + 1;
    record["time"] = render_time(time);
    record["event"] = event;
    for (const auto& [name, value] : fields.items()) {
        record[name] = value;
    }
    record["prev"] = before.hash;
    std::string text = render_json(record);
    text.pop_back(); // The closing brace; the hash comes before it.
    const std::string hash = sha256(as_bytes(text)).render();
    text.append(kHashMember).append(hash).append("\"}");
    LOCARA_ASSERT(text.size() < kMaxLineBytes);
    return text;
}

// "<body>,"hash":"<64 hex>"}" -> body and hash, with the body's own members.
Result<ChainedLine> ChainedLine::parse(std::string_view text) {
    const auto bad = [](const char* why) { return Error(ErrorCode::Corrupt, why); };
    const std::size_t tail = kHashMember.size() + 64 + 2;
    if (text.size() <= tail || text.size() > kMaxLineBytes ||
        text.substr(text.size() - tail, kHashMember.size()) != kHashMember) {
        return bad("it does not end in a hash");
    }
    const auto body = text.substr(0, text.size() - tail);
    ChainedLine line;
    line.end_.hash = text.substr(text.size() - 66, 64);
    if (sha256(as_bytes(body)).render() != line.end_.hash) {
        return bad("its text does not have the hash it names");
    }
    auto json = parse_json(text);
    if (!json || !json->is_object() || !json->contains("seq") ||
        !(*json)["seq"].is_number_unsigned() || !json->contains("prev") ||
        !(*json)["prev"].is_string()) {
        return bad("it is not a line of this log");
    }
    line.end_.seq = (*json)["seq"].get<std::uint64_t>();
    line.prev_ = (*json)["prev"].get<std::string>();
    line.members_ = *std::move(json);
    return line;
}

} // namespace locara::crypto
