// Verifying every stored object again.
#include "state.hpp"

#include <algorithm>
#include <utility>

namespace locara::cas {

namespace {

Error bad(std::string_view why) {
    return Error(ErrorCode::Corrupt, std::string(why));
}

/// Whether the error says that the object is bad, and not that it could not be looked at.
bool is_verdict(const Error& error) {
    switch (error.code()) {
    case ErrorCode::Corrupt:
    case ErrorCode::NotFound:
    case ErrorCode::TooLarge:
    case ErrorCode::Unsupported:
    case ErrorCode::InvalidArgument:
        return true;
    default:
        return false;
    }
}

/// The whole object in pieces, in memory of one.
Status read_through(Cas::State& cas, const ObjectInfo& object, const Sink& sink) {
    Bytes window(kWindowBytes);
    for (std::uint64_t offset = 0; offset < object.size;) {
        const auto piece = std::span(window).first(
            static_cast<std::size_t>(std::min<std::uint64_t>(window.size(), object.size - offset)));
        LOCARA_CHECK(cas.backend.read(object.key, offset, piece));
        LOCARA_CHECK(sink(piece));
        offset += piece.size();
    }
    return {};
}

Status check_xorb(Cas::State& cas, const xet::XorbHash& xorb, const ObjectInfo& object) {
    xet::XorbReader reader(nullptr);
    LOCARA_CHECK(read_through(cas, object, [&](ByteView piece) { return reader.update(piece); }));
    LOCARA_TRY(const auto seen, reader.finish());
    if (!seen.footer) {
        return bad("it has no footer");
    }
    return seen.table.hash() == xorb ? Status() : Status(bad("its chunks have another hash"));
}

Status check_file(Cas::State& cas, const xet::FileHash& file, const ObjectInfo& object) {
    LOCARA_TRY(const Bytes bytes, read_object(cas.backend, object.key, xet::kMaxShardBytes));
    LOCARA_TRY(const auto block, Cas::State::parse_file(file, bytes));
    std::shared_ptr<const xet::XorbTable> held;
    const auto table = [&](const xet::XorbHash& xorb) -> const xet::XorbTable* {
        auto found = cas.table(xorb);
        held = found ? std::move(*found) : nullptr;
        return held.get();
    };
    return xet::verify_file(block, table, xet::Proofs::Required);
}

Status check_entry(Cas::State& cas, const Entry& entry) {
    auto table = cas.table(entry.xorb);
    if (!table && table.error().code() == ErrorCode::NotFound) {
        return {}; // left by a gc that was killed; no answer uses it, the next gc removes it
    }
    LOCARA_TRY(const auto found, std::move(table));
    const auto chunks = found->chunks();
    const bool there = std::any_of(
        chunks.begin(), chunks.end(), [&](const auto& c) { return c.hash == entry.chunk; });
    return there ? Status() : Status(bad("the xorb has no such chunk"));
}

Status check_digest(Cas::State& cas, const xet::FileHash& file, const ObjectInfo& object) {
    if (object.size != Sha256().bytes.size()) {
        return bad("it is no SHA-256");
    }
    LOCARA_TRY(const Bytes stored, read_object(cas.backend, object.key, object.size));
    auto block = cas.file(file);
    if (!block && block.error().code() == ErrorCode::NotFound) {
        return {}; // its file may be about to come; gc removes it otherwise
    }
    LOCARA_TRY(auto found, std::move(block));
    const auto digest = cas.compute_sha256(std::move(found));
    if (!digest && is_verdict(digest.error())) { // not the digest's own fault
        return Error(ErrorCode::NotFound, "its file cannot be read: " + digest.error().describe());
    }
    LOCARA_CHECK(digest);
    return std::ranges::equal(digest->bytes, stored)
               ? Status()
               : Status(bad("the file has the SHA-256 " + digest->render()));
}

Status check_object(Cas::State& cas, const ObjectInfo& object) {
    const std::string& key = object.key.render();
    if (const auto xorb = parse_xorb_key(key)) {
        return check_xorb(cas, *xorb, object);
    }
    if (const auto file = parse_file_key(key)) {
        return check_file(cas, *file, object);
    }
    if (const auto entry = parse_entry_key(key)) {
        return check_entry(cas, *entry);
    }
    if (const auto file = parse_digest_key(key)) {
        return check_digest(cas, *file, object);
    }
    return bad("no object of a chunk store has this key");
}

/// Copies the object below quarantine/ and removes it.
Status set_aside(Cas::State& cas, const ObjectInfo& object) {
    LOCARA_TRY(const Key aside, Key::parse(std::string(kQuarantine) + object.key.render()));
    LOCARA_TRY(Staged staged, cas.backend.stage());
    LOCARA_CHECK(read_through(cas, object, [&](ByteView piece) { return staged.append(piece); }));
    LOCARA_CHECK(cas.backend.put_if_absent(aside, std::move(staged)));
    LOCARA_CHECK(cas.backend.remove(object.key));
    if (const auto xorb = parse_xorb_key(object.key.render())) {
        cas.tables.erase(*xorb);
        cas.lookup.forget(*xorb);
    }
    if (const auto file = parse_file_key(object.key.render())) {
        cas.files.erase(*file);
    }
    return {};
}

} // namespace

Result<FsckReport> Cas::fsck(const FsckOptions& options) {
    FsckReport report;
    std::optional<std::string> after = options.after;
    while (after) {
        LOCARA_TRY(Page page, state_->backend.list("", *after));
        for (const ObjectInfo& object : page.objects) {
            const bool spent = options.budget_bytes > 0 && report.bytes >= options.budget_bytes;
            if (spent || options.stop.stop_requested()) {
                report.next = *after;
                return report;
            }
            after = object.key.render();
            if (after->starts_with(kQuarantine)) {
                continue;
            }
            ++report.objects;
            report.bytes += object.size;
            const auto checked = check_object(*state_, object);
            if (checked) {
                continue;
            }
            if (!is_verdict(checked.error())) {
                return checked.error();
            }
            LOCARA_TRY(const auto there, state_->backend.find(object.key));
            if (!there) {
                continue; // removed while it was looked at
            }
            report.bad.push_back({*after, checked.error().describe()});
            // What only lacks another object is whole again when that comes back.
            const bool lacks = checked.error().code() == ErrorCode::NotFound;
            if (options.on_bad == FsckOptions::OnBad::SetAside && !lacks) {
                LOCARA_CHECK(set_aside(*state_, object));
            }
        }
        after = std::move(page.next);
    }
    return report;
}

} // namespace locara::cas
