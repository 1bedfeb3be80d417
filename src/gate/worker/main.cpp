// locara-gate: the process that reads files which strangers made. Started by the gate in its
// sandbox, with one connected socket as standard input; src/gate/protocol.hpp says what is spoken.
#include "../protocol.hpp"
#include "../yara_scanner.hpp"

#include <locara/formats/scan.hpp>

#include <algorithm>
#include <cstdio>
#include <new>

namespace {

using namespace locara;

constexpr int kFailed = 125;
constexpr auto kForEver = std::chrono::hours(24 * 365);

gate::Deadline never() {
    return std::chrono::steady_clock::now() + kForEver;
}

/// Bytes that the gate reads for us, where there is no file to give away.
class RemoteSource final : public formats::ByteSource {
  public:
    RemoteSource(const Fd& socket, std::uint64_t size) : socket_(socket), size_(size) {}

    std::uint64_t size() const override { return size_; }

    Status read(std::uint64_t offset, std::span<std::byte> out) const override {
        if (offset > size_ || out.size() > size_ - offset) {
            return Error(ErrorCode::Corrupt, "a read beyond the end");
        }
        while (!out.empty()) {
            const std::size_t count = std::min(out.size(), gate::kMaxMessage);
            LOCARA_CHECK(gate::send_message(socket_, {{"read", {offset, count}}}, -1, never()));
            LOCARA_TRY(const Bytes bytes, gate::receive_block(socket_, never()));
            if (bytes.size() != count) {
                return Error(ErrorCode::Io, "the gate cannot read it");
            }
            std::copy(bytes.begin(), bytes.end(), out.begin());
            out = out.subspan(count);
            offset += count;
        }
        return {};
    }

  private:
    const Fd& socket_;
    std::uint64_t size_;
};

formats::Examination
judge(const Fd& socket, const Fd& file, const Json& request, gate::YaraScanner& yara) {
    formats::ScanBudget budget;
    budget.time = std::chrono::milliseconds(request["time_ms"].get<std::uint32_t>());
    try {
        const auto name = request["name"].get<std::string>();
        if (request["size"].is_null()) {
            return formats::examine_fd(file, name, budget, &yara);
        }
        const RemoteSource source(socket, request["size"].get<std::uint64_t>());
        return formats::examine_source(source, name, budget, &yara);
    } catch (const std::bad_alloc&) {
        return {formats::make_verdict(
                    "unreadable",
                    {"scan.memory", "reading the file takes more memory than one may", {}}),
                {}};
    }
}

Status serve(const Fd& socket) {
    LOCARA_TRY(const auto yara, gate::YaraScanner::create());
    LOCARA_CHECK(gate::send_message(socket, {{"ready", gate::kProtocol}}, -1, never()));
    while (true) {
        Fd file;
        LOCARA_TRY(const Json request, gate::receive_message(socket, &file, never()));
        const Json answer = gate::render_answer(judge(socket, file, request, *yara));
        file.reset();
        LOCARA_CHECK(gate::send_message(socket, answer, -1, never()));
    }
}

} // namespace

int main() {
    const Status ended = serve(Fd(0));
    if (ended.error().code() == ErrorCode::Unavailable) {
        return 0; // the gate closed the socket
    }
    std::fprintf(stderr, "locara-gate: %s\n", ended.error().describe().c_str());
    return kFailed;
}
