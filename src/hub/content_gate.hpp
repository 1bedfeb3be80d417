// The gate before content becomes part of a revision, whichever way it came.
#pragma once

#include "services.hpp"

#include <locara/formats/byte_source.hpp>
#include <locara/formats/scan.hpp>
#include <locara/policy/doors.hpp>

#include <functional>
#include <string>
#include <string_view>

namespace locara::hub {

/// A file of the chunk store, as the gate reads it: by ranges. Borrows the store.
class StoredSource final : public formats::ByteSource {
  public:
    StoredSource(const cas::Cas& cas, const xet::FileHash& file, std::uint64_t size)
        : cas_(cas), file_(file), size_(size) {}

    std::uint64_t size() const override { return size_; }

    Status read(std::uint64_t offset, std::span<std::byte> out) const override;

  private:
    const cas::Cas& cas_;
    const xet::FileHash file_;
    const std::uint64_t size_;
};

/// What the gate said just now, to be kept.
Judgement make_judgement(formats::Examination seen, const std::string& scanners, TimePoint now);

/// The verdict on content, by its id (verdict_store.hpp), under a name: what is kept of the same
/// scanners, else what `ask`, which asks the gate, gives, and that is kept.
Result<formats::Verdict> judge_content(const VerdictStore& verdicts,
                                       const Clock& clock,
                                       const std::string& id,
                                       const std::string& name,
                                       const std::function<formats::Examination()>& ask);

/// Refused, with path, reason and rule, if the gate refuses the content; what it flags is let in: a
/// curator decides whether it is ever listed. Blocks: for the pool only.
Status pass_gate(const Services& services,
                 const formats::ByteSource& content,
                 const std::string& id,
                 std::string_view path);

/// The same for a file that git itself holds; without services of a hub that need not serve, and
/// knows of no takedowns.
Status pass_gate(const Services& services, std::string_view blob, std::string_view path);
Status pass_gate(const VerdictStore& verdicts,
                 const Clock& clock,
                 Log& log,
                 std::string_view blob,
                 std::string_view path);

/// NotFound for content that was uploaded and that no commit or bucket has named yet, at any door:
/// nobody has judged it, so nobody is given it.
Status check_named(const Services& services, const std::string& id);

/// Refused, with date and reason, if the catalog's curators have called a file back; by its SHA-256
/// in hex.
Status check_called_back(const Services& services, policy::Door door, const std::string& id);

/// The door by which files of such a repository leave.
policy::Door door_of(Origin origin);

/// Refused if the gate refuses by now what it let into the repository before, or curators called it
/// back: nothing gives it away any more. Of a mirrored repository a format that is merely not
/// loaded does not count.
Status check_served(const Services& services, std::int64_t repo, const std::string& id);

} // namespace locara::hub
