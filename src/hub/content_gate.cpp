#include "content_gate.hpp"

#include "published_catalog.hpp"

#include <locara/gate/gate.hpp>
#include <locara/hub/git_repo.hpp>

#include <algorithm>

namespace locara::hub {

Status StoredSource::read(std::uint64_t offset, std::span<std::byte> out) const {
    if (offset > size_ || out.size() > size_ - offset) {
        return Error(ErrorCode::Corrupt, "a read beyond the end of " + file_.render());
    }
    if (out.empty()) {
        return {};
    }
    LOCARA_CHECK(cas_.read(
        file_, xet::ByteRange{offset, offset + out.size()}, [&out](ByteView piece) -> Status {
            const std::size_t count = std::min(piece.size(), out.size());
            std::copy_n(piece.begin(), count, out.begin());
            out = out.subspan(count);
            return {};
        }));
    return out.empty() ? Status{}
                       : Status(Error(ErrorCode::Corrupt, file_.render() + " ended early"));
}

Judgement make_judgement(formats::Examination seen, const std::string& scanners, TimePoint now) {
    return {std::move(seen.verdict),
            scanners,
            now,
            seen.facts ? render_json(formats::render_facts(*seen.facts)) : ""};
}

Result<formats::Verdict> judge_content(const VerdictStore& verdicts,
                                       const Clock& clock,
                                       const std::string& id,
                                       const std::string& name,
                                       const std::function<formats::Examination()>& ask) {
    // Asked first: what is judged while scanners change is judged again.
    const auto scanners = gate::shared_gate().scanners();
    if (scanners) {
        LOCARA_TRY(auto known, verdicts.find(id, name));
        if (known && known->scanners == *scanners) {
            return std::move(known->verdict);
        }
    }
    Judgement judgement = make_judgement(ask(), scanners ? *scanners : "", clock.now());
    LOCARA_CHECK(verdicts.note(id, name, judgement));
    return std::move(judgement.verdict);
}

namespace {

Status pass(const VerdictStore& verdicts,
            const Clock& clock,
            Log& log,
            const formats::ByteSource& content,
            const std::string& id,
            std::string_view path) {
    const std::string name = name_of(path);
    LOCARA_TRY(const formats::Verdict verdict, judge_content(verdicts, clock, id, name, [&] {
                   return gate::shared_gate().examine(content, name);
               }));
    const Status passed = policy::check(policy::Door::Upload, path, verdict);
    if (!passed) {
        log.info("hub", "upload_refused", {{"path", std::string(path)}, {"rule", verdict.rule}});
    }
    return passed;
}

} // namespace

Status pass_gate(const Services& services,
                 const formats::ByteSource& content,
                 const std::string& id,
                 std::string_view path) {
    LOCARA_CHECK(check_called_back(services, policy::Door::Upload, id).context(std::string(path)));
    return pass(services.verdicts, services.clock, services.log, content, id, path);
}

Status pass_gate(const Services& services, std::string_view blob, std::string_view path) {
    LOCARA_CHECK(
        check_called_back(services, policy::Door::Upload, crypto::sha256(as_bytes(blob)).render())
            .context(std::string(path)));
    return pass_gate(services.verdicts, services.clock, services.log, blob, path);
}

Status pass_gate(const VerdictStore& verdicts,
                 const Clock& clock,
                 Log& log,
                 std::string_view blob,
                 std::string_view path) {
    return pass(
        verdicts, clock, log, formats::MemorySource(as_bytes(blob)), id_of_blob(blob), path);
}

Status check_named(const Services& services, const std::string& id) {
    LOCARA_TRY(const auto names, services.verdicts.names_of(id));
    return names.empty() ? Status(Error(ErrorCode::NotFound,
                                        "this was uploaded, and is in no commit or bucket yet"))
                         : Status();
}

policy::Door door_of(Origin origin) {
    return origin == Origin::Here ? policy::Door::Serve : policy::Door::ServeMirrored;
}

Status check_called_back(const Services& services, policy::Door door, const std::string& id) {
    if (services.published == nullptr) {
        return {};
    }
    LOCARA_TRY(const auto catalog, services.published->get());
    const auto& files = catalog->called_back.files;
    const auto found = files.find(id);
    return found == files.end() ? Status()
                                : policy::check(door, "this file", std::optional(found->second));
}

Status check_served(const Services& services, std::int64_t repo, const std::string& id) {
    LOCARA_CHECK(check_called_back(services, policy::Door::Serve, id));
    LOCARA_TRY(const auto verdict, services.verdicts.find_refusal(id));
    if (!verdict) {
        return {};
    }
    LOCARA_TRY(const auto found, services.names.find_repo(repo));
    if (policy::answer(found ? door_of(found->origin) : policy::Door::Serve, *verdict) ==
        policy::Answer::Admit) {
        return {};
    }
    return Error(ErrorCode::Refused,
                 "the gate refuses this file by now: " + verdict->reason + " (" + verdict->rule +
                     "); it is not given away");
}

} // namespace locara::hub
