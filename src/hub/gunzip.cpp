#include "gunzip.hpp"

#include <zlib.h>

namespace locara::hub {
namespace {

constexpr std::size_t kBlock = 64U << 10U;
/// zlib.h, inflateInit2: 16 more than the window's size means gzip and nothing else.
constexpr int kGzipWindow = MAX_WBITS + 16;

} // namespace

struct Gunzip::State {
    explicit State(std::uint64_t most)
        : limit(most), open(inflateInit2(&stream, kGzipWindow) == Z_OK) {}

    State(const State&) = delete;
    State& operator=(const State&) = delete;

    ~State() {
        if (open) {
            inflateEnd(&stream);
        }
    }

    z_stream stream{};
    const std::uint64_t limit;
    const bool open;
    std::uint64_t made = 0;
    bool ended = false;
};

Gunzip::Gunzip(std::uint64_t limit) : state_(std::make_unique<State>(limit)) {}

Gunzip::Gunzip(Gunzip&&) noexcept = default;
Gunzip::~Gunzip() = default;

Status Gunzip::unpack(ByteView packed, const std::function<Status(ByteView)>& take) {
    State& state = *state_;
    if (!state.open) {
        return Error(ErrorCode::NoSpace, "no memory to unpack a request body");
    }
    Bytes block(kBlock);
    // zlib's interface is older than const; it only reads here.
    state.stream.next_in =
        const_cast<Bytef*>(reinterpret_cast<const Bytef*>(packed.data())); // NOLINT(*-const-cast)
    state.stream.avail_in = static_cast<uInt>(packed.size());
    do {
        if (state.ended) {
            return state.stream.avail_in == 0
                       ? Status()
                       : Status(Error(ErrorCode::Corrupt, "bytes follow the gzipped body"));
        }
        state.stream.next_out = reinterpret_cast<Bytef*>(block.data());
        state.stream.avail_out = static_cast<uInt>(block.size());
        const int code = inflate(&state.stream, Z_NO_FLUSH);
        if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
            return Error(ErrorCode::Corrupt, "the body is no gzip");
        }
        state.ended = code == Z_STREAM_END;
        const std::size_t count = block.size() - state.stream.avail_out;
        state.made += count;
        if (state.made > state.limit) {
            return Error(ErrorCode::TooLarge,
                         "the body unpacks to more than " + std::to_string(state.limit) + " bytes");
        }
        LOCARA_CHECK(take(ByteView(block).first(count)));
        // A full block may have left more inside.
    } while (state.stream.avail_in > 0 || state.stream.avail_out == 0);
    return {};
}

Status Gunzip::finish() const {
    return state_->ended ? Status()
                         : Status(Error(ErrorCode::Corrupt, "the gzipped body ends early"));
}

} // namespace locara::hub
