// Taking xorbs in.
#include "state.hpp"

#include <utility>

namespace locara::cas {

/// Its place must not change: the reader's sink refers to it.
struct XorbUpload::State {
    State(Cas::State& cas_in, const xet::XorbHash& hash, Staged staged_in)
        : cas(cas_in), expected(hash), staged(std::move(staged_in)),
          reader([this](const xet::XorbReader::Chunk& chunk) { return take(chunk); }) {}

    State(const State&) = delete;
    State& operator=(const State&) = delete;

    Cas::State& cas;
    const xet::XorbHash expected;
    Staged staged;
    xet::XorbReader reader;
    Bytes
        buffer; ///< Records on their way to `staged`: they may be far smaller than a write should.

    Status take(const xet::XorbReader::Chunk& chunk) {
        const auto header = xet::render(chunk.header);
        buffer.insert(buffer.end(), header.begin(), header.end());
        buffer.insert(buffer.end(), chunk.packed.begin(), chunk.packed.end());
        return buffer.size() < kWindowBytes ? Status() : flush();
    }

    Status flush() {
        LOCARA_CHECK(staged.append(buffer));
        buffer.clear();
        return {};
    }
};

XorbUpload::XorbUpload(std::unique_ptr<State> state) : state_(std::move(state)) {}

XorbUpload::XorbUpload(XorbUpload&&) noexcept = default;
XorbUpload& XorbUpload::operator=(XorbUpload&&) noexcept = default;
XorbUpload::~XorbUpload() = default;

Status XorbUpload::write(ByteView piece) {
    return state_->reader.update(piece).context("taking xorb " + state_->expected.render());
}

Result<Inserted> XorbUpload::finish() {
    State& s = *state_;
    LOCARA_TRY(const auto seen, s.reader.finish().context("taking xorb " + s.expected.render()));
    const xet::XorbHash found = seen.table.hash();
    if (found != s.expected) {
        return Error(ErrorCode::Corrupt,
                     "the chunks hash to " + found.render() + " and not to the xorb's name " +
                         s.expected.render());
    }
    const Key key = key_of(s.expected);
    LOCARA_TRY(const bool there, s.cas.touch_if_there(key));
    if (there) {
        return Inserted::No;
    }
    LOCARA_CHECK(s.flush());
    LOCARA_CHECK(s.staged.append(xet::render_footer({found, seen.table})));
    LOCARA_TRY(const Put put, s.cas.backend.put_if_absent(key, std::move(s.staged)));
    s.cas.lookup.add(found, seen.table);
    return put == Put::Stored ? Inserted::Yes : Inserted::No;
}

Result<XorbUpload> Cas::begin_xorb(const xet::XorbHash& hash) {
    if (hash.is_zero()) {
        return Error(ErrorCode::InvalidArgument, "the zero hash names no xorb");
    }
    LOCARA_TRY(Staged staged, state_->backend.stage());
    return XorbUpload(std::make_unique<XorbUpload::State>(*state_, hash, std::move(staged)));
}

Result<Inserted> Cas::put_xorb(const xet::XorbHash& hash, ByteView bytes) {
    LOCARA_TRY(XorbUpload upload, begin_xorb(hash));
    LOCARA_CHECK(upload.write(bytes));
    return upload.finish();
}

} // namespace locara::cas
