#include "chat_template.hpp"
#include "cursor.hpp"
#include "media.hpp"
#include "model_formats.hpp"
#include "names.hpp"
#include "numpy.hpp"
#include "secrets.hpp"
#include "sniff.hpp"
#include "stream.hpp"
#include "tar.hpp"
#include "text_rules.hpp"
#include "zip.hpp"

#include <locara/formats/gguf.hpp>
#include <locara/formats/pickle.hpp>
#include <locara/formats/safetensors.hpp>
#include <locara/formats/scan.hpp>

#include <algorithm>

#include <fcntl.h>

namespace locara::formats {

namespace {

constexpr std::uint64_t kRatioFrom = 1U << 20U; // unpacked bytes below which any ratio goes
constexpr std::size_t kTarHeader = 512;
constexpr std::string_view kAdvice = "; publish the weights as safetensors or GGUF";

Verdict verdict_on(Kind kind, Finding finding) {
    return make_verdict(std::string(render(kind)), std::move(finding));
}

Verdict verdict_on(Kind kind, std::string rule, std::string reason) {
    return verdict_on(kind, Finding{std::move(rule), std::move(reason), {}});
}

Verdict verdict_on(Kind kind, const Error& error) {
    return verdict_on(kind, read_failure(error));
}

/// What all levels of one file share.
struct Spent {
    std::chrono::steady_clock::time_point deadline;
    std::uint64_t memory = 0;
    std::uint64_t members = 0;
    std::uint64_t unpacked = 0;
};

/// A stream that stops when the budget is spent.
class MeteredStream final : public Stream {
  public:
    MeteredStream(Stream& inner, const ScanBudget& budget, Spent& spent, std::uint64_t packed)
        : inner_(inner), budget_(budget), spent_(spent), packed_(packed) {}

    Checked<std::size_t> read(std::span<std::byte> out) override {
        if (std::chrono::steady_clock::now() > spent_.deadline) {
            return tl::unexpected(Finding{"scan.time", "the archive takes too long to unpack", {}});
        }
        auto count = inner_.read(out);
        if (!count) {
            return count;
        }
        position_ = inner_.position();
        if (inner_.plain() == nullptr) {
            spent_.unpacked += *count;
            if (spent_.unpacked > budget_.unpacked_bytes) {
                return tl::unexpected(
                    Finding{"scan.unpacked", "the archive unpacks to more than 4 GiB", {}});
            }
            if (position_ > kRatioFrom && position_ / budget_.ratio > packed_) {
                return tl::unexpected(Finding{"scan.ratio",
                                              "the archive unpacks to more than " +
                                                  std::to_string(budget_.ratio) +
                                                  " times its size, as archive bombs do",
                                              {}});
            }
        }
        return count;
    }

    std::optional<Finding> finish() override { return inner_.finish(); }

    const ByteSource* plain() const override { return inner_.plain(); }

    bool skip(std::uint64_t count) override {
        const bool skipped = inner_.skip(count);
        position_ = inner_.position();
        return skipped;
    }

  private:
    Stream& inner_;
    const ScanBudget& budget_;
    Spent& spent_;
    std::uint64_t packed_;
};

/// Whether all that a pickle of TorchScript would import are classes of its own archive.
bool is_of_torchscript(const Verdict& verdict) {
    return verdict.rule == "pickle.import.malicious" && verdict.imports.size() < 256 &&
           std::all_of(verdict.imports.begin(), verdict.imports.end(), [](const auto& found) {
               return found.listed || found.module == "__torch__" ||
                      found.module.starts_with("__torch__.") || found.module == "torch.jit._pickle";
           });
}

/// The worst that was said of the members of one archive.
class Worst {
  public:
    /// `archive` is what the archive as a whole is, if that is known.
    explicit Worst(std::optional<Verdict> archive = {}) : worst_(std::move(archive)) {}

    /// Takes a verdict on the archive itself, or on a member that it names.
    void take(Verdict verdict) {
        if (worst_ && worst_->rule == "format.torchscript" && is_of_torchscript(verdict)) {
            return;
        }
        if (verdict.decision != Decision::Allow && (!worst_ || is_worse(verdict, *worst_))) {
            worst_ = std::move(verdict);
        }
    }

    /// Nothing worse can follow: the rest need not be looked at.
    bool is_final() const { return worst_ && worst_->label == Label::Malicious; }

    Verdict answer(Kind kind) const {
        return worst_ ? *worst_
                      : verdict_on(kind, "archive.members", "every member of the archive passes");
    }

  private:
    std::optional<Verdict> worst_;
};

class Scanner {
  public:
    Scanner(const ScanBudget& budget, ContentScanner* also) : budget_(budget), also_(also) {
        spent_.deadline = std::chrono::steady_clock::now() + budget.time;
    }

    /// Three questions in this order: is it a pickle, whatever else it is; is it two formats at
    /// once; and is it right by the rules of the one that it is.
    Verdict scan(const ByteSource& source, std::string_view name, unsigned level) {
        tensors_at_.reset();
        facts_.reset();
        if (level > budget_.levels) {
            return make_verdict(
                "archive",
                {"scan.levels",
                 "archives are nested more than " + std::to_string(budget_.levels) + " levels deep",
                 {}});
        }
        if (out_of_time()) {
            return make_verdict("archive",
                                {"scan.time", "the archive takes too long to check", {}});
        }
        const auto sniffed = sniff(source);
        if (!sniffed) {
            return verdict_on(Kind::Unknown, sniffed.error());
        }
        const Kind kind = *sniffed;
        if (auto pickle = judge_as_pickle(source, kind)) {
            return std::move(*pickle);
        }
        if (auto polyglot = judge_as_polyglot(source, kind)) {
            return std::move(*polyglot);
        }
        Verdict verdict = judge(source, kind, base_name(name), level);
        if (also_ != nullptr && verdict.decision != Decision::Refuse && !is_archive(kind)) {
            if (auto finding = also_->look(source, tensors_at_.value_or(source.size()))) {
                Verdict hit = verdict_on(kind, std::move(*finding));
                hit.scanner = also_->name();
                hit.scanner_version = also_->version();
                if (is_worse(hit, verdict)) {
                    return hit;
                }
            }
        }
        return verdict;
    }

  public:
    /// Of the source scanned last, if it is weights that pass.
    std::optional<std::uint64_t> tensors_at() const { return tensors_at_; }

    const std::optional<WeightsFacts>& facts() const { return facts_; }

  private:
    /// Every byte of these belongs to members, or is packed.
    static bool is_archive(Kind kind) {
        switch (kind) {
        case Kind::Zip:
        case Kind::Tar:
        case Kind::Gzip:
        case Kind::Bzip2:
        case Kind::Xz:
        case Kind::Zstd:
        case Kind::Zlib:
        case Kind::Lzma:
            return true;
        default:
            return false;
        }
    }

    bool out_of_time() const { return std::chrono::steady_clock::now() > spent_.deadline; }

    static std::optional<Verdict> judge_as_pickle(const ByteSource& source, Kind kind) {
        bool text =
            kind == Kind::Text || kind == Kind::Json || kind == Kind::Svg || kind == Kind::Script;
        if (kind == Kind::Unknown) { // with control characters it is still prose to the walk
            const auto letters = is_text(source, Controls::Any);
            if (!letters) {
                return verdict_on(kind, letters.error());
            }
            text = *letters;
        }
        const PickleContext context =
            text ? PickleContext::Text
            : kind == Kind::Unknown || kind == Kind::Pickle || kind == Kind::LegacyText
                ? PickleContext::Unknown
                : PickleContext::Known;
        auto walk = walk_pickle(source);
        if (!walk) {
            return verdict_on(kind, walk.error());
        }
        auto finding = judge_pickle(*walk, context);
        if (!finding) {
            return std::nullopt;
        }
        if (context == PickleContext::Known) {
            finding->reason = "the file is " + std::string(render(kind)) +
                              " and at the same time " + finding->reason;
        }
        Verdict verdict = verdict_on(Kind::Pickle, std::move(*finding));
        verdict.imports = std::move(walk->imports);
        return verdict;
    }

    /// Formats that are found from the end, or in the middle, whatever comes first.
    static std::optional<Verdict> judge_as_polyglot(const ByteSource& source, Kind kind) {
        const auto both = [kind](std::string rule, std::string_view other) {
            return verdict_on(kind,
                              std::move(rule),
                              "the file is " + std::string(render(kind)) +
                                  " and at the same time " + std::string(other));
        };
        if (kind != Kind::Zip && kind != Kind::Tar) { // a tar may end in a zip member
            const auto zip = ends_as_zip(source);
            if (!zip) {
                return verdict_on(kind, zip.error());
            }
            if (*zip) {
                return both("polyglot.zip", "ends as a zip archive");
            }
        }
        if (kind != Kind::Tar && source.size() >= kTarHeader) {
            std::array<std::byte, kTarHeader> head{};
            if (auto status = source.read(0, head); !status) {
                return verdict_on(kind, status.error());
            }
            if (is_tar_header(head)) {
                return both("polyglot.tar", "starts as a tar archive");
            }
        }
        if (kind != Kind::Hdf5) {
            const auto hdf5 = holds_hdf5(source);
            if (!hdf5) {
                return verdict_on(kind, hdf5.error());
            }
            if (*hdf5) {
                return both("polyglot.hdf5", "a file of HDF5 behind other bytes");
            }
        }
        return std::nullopt;
    }

    Verdict judge(const ByteSource& source, Kind kind, std::string_view name, unsigned level) {
        switch (kind) {
        case Kind::Safetensors:
            return judge_safetensors(source);
        case Kind::Gguf:
            return judge_gguf(source);
        case Kind::NumPy:
            return judge_numpy(source);
        case Kind::Hdf5:
            return verdict_on(kind, check_hdf5(source));
        case Kind::Onnx:
            return verdict_on(kind, check_onnx(source));
        case Kind::Zip:
            return judge_zip(source, level);
        case Kind::Tar: {
            auto stream = open_plain(source);
            return judge_tar(*stream, source.size(), kind, level);
        }
        case Kind::Gzip:
        case Kind::Bzip2:
        case Kind::Xz:
        case Kind::Zstd:
        case Kind::Zlib:
        case Kind::Lzma:
            return judge_packed(source, kind, name, level);
        case Kind::Script:
        case Kind::Svg:
        case Kind::Json:
        case Kind::Text:
        case Kind::LegacyText:
            return judge_text(source, kind, name);
        case Kind::Unknown:
        case Kind::Pickle: // only by its first bytes, else judge_as_pickle had said so
            return judge_unknown(source, name);
        default:
            return is_media(kind) ? judge_media(source, kind, name) : judge_by_kind(kind, name);
        }
    }

    /// Kinds of which the table says everything, and what is inert but for its name.
    static Verdict judge_by_kind(Kind kind, std::string_view name) {
        const std::string rule(row_of(kind).rule.empty() ? "content.inert" : row_of(kind).rule);
        const Rule* known = find_rule(rule);
        if (known != nullptr && known->decision == Decision::Allow) {
            if (auto mismatch = judge_name(kind, name)) {
                return std::move(*mismatch);
            }
            return verdict_on(kind,
                              rule,
                              kind == Kind::Empty ? "the file is empty"
                                                  : "the content is " + std::string(render(kind)) +
                                                        ", which carries no code for our loaders");
        }
        std::string reason =
            known == nullptr ? std::string(render(kind)) : std::string(known->meaning);
        if (known != nullptr && known->decision == Decision::Flag) {
            reason += "; a curator looks at it first";
        } else if (rule.starts_with("executable.")) {
            reason += "; models and apps hold no programs";
        } else if (rule.starts_with("archive.")) {
            reason += "; use zip, or tar with gzip or zstd";
        } else {
            reason += ", which is not loaded" + std::string(kAdvice);
        }
        return verdict_on(kind, Finding{rule, std::move(reason), 0});
    }

    /// "name.*" where the name is that of code, or of weights that the content is not.
    static std::optional<Verdict> judge_name(Kind kind, std::string_view name) {
        const std::string extension = extension_of(name);
        const NameMeaning meaning = meaning_of(extension);
        const bool text = kind == Kind::Json || kind == Kind::Text || kind == Kind::LegacyText ||
                          kind == Kind::Svg;
        if (text && meaning.code) {
            return verdict_on(kind,
                              "name.code",
                              "named " + extension +
                                  ", which is run and not read; it is never fetched with a model, "
                                  "and a curator looks at it first");
        }
        const bool weights =
            text || kind == Kind::Empty ? meaning.weights : meaning.parsed.has_value();
        if (weights) {
            return verdict_on(kind,
                              "name.mismatch",
                              "named " + extension + ", but the content is " +
                                  std::string(render(kind)));
        }
        return std::nullopt;
    }

    template <class T> Verdict judge_weights(const Checked<T>& checked, Kind kind) {
        if (!checked) {
            return verdict_on(kind, checked.error());
        }
        const std::string format(render(kind));
        tensors_at_ = checked->data_offset;
        return verdict_on(
            kind, format + ".valid", "every byte is accounted for by the rules of " + format);
    }

    Verdict judge_safetensors(const ByteSource& source) {
        const auto checked = check_safetensors(source);
        if (checked) {
            facts_ = facts_of(*checked);
        }
        Verdict verdict = judge_weights(checked, Kind::Safetensors);
        return checked ? worse_for_secrets(source, std::move(verdict)) : verdict;
    }

    /// What stands before the tensors is text, in which secrets may have stayed.
    Verdict worse_for_secrets(const ByteSource& source, Verdict verdict) const {
        const SliceSource header(source, 0, tensors_at_.value_or(0));
        auto secret = find_secret(header);
        if (!secret) {
            return make_verdict(verdict.format, secret.error());
        }
        return *secret ? make_verdict(verdict.format, std::move(**secret)) : verdict;
    }

    /// Right by its format; then the templates that it brings.
    Verdict judge_gguf(const ByteSource& source) {
        const auto checked = check_gguf(source);
        if (checked) {
            for (const auto& [key, value] : checked->metadata) {
                if (auto finding = check_template_key(key, value)) {
                    return verdict_on(Kind::Gguf, std::move(*finding));
                }
            }
            facts_ = facts_of(*checked, source);
        }
        Verdict verdict = judge_weights(checked, Kind::Gguf);
        if (checked) {
            // Alone, each value ends where it ends; in the file the next length may go on.
            for (const auto& [key, value] : checked->metadata) {
                if (value.type == GgufType::String && value.held) {
                    if (auto finding = find_secret(value.text)) {
                        finding->offset = value.offset + finding->offset.value_or(0);
                        return verdict_on(Kind::Gguf, std::move(*finding));
                    }
                }
            }
            return worse_for_secrets(source, std::move(verdict));
        }
        return verdict;
    }

    /// Source of the keys: llama.cpp, LLM_KV_TOKENIZER_CHAT_TEMPLATE, with a name behind it or not.
    static std::optional<Finding> check_template_key(std::string_view key, const GgufValue& value) {
        constexpr std::string_view kKey = "tokenizer.chat_template";
        if (key != kKey && !key.starts_with(std::string(kKey) + '.')) {
            return std::nullopt;
        }
        if (value.type != GgufType::String) {
            return Finding{
                "template.syntax", "the chat template of the file is no text", value.offset};
        }
        if (!value.held) {
            return Finding{
                "template.limits", "the chat template is larger than 256 KiB", value.offset};
        }
        auto finding = check_chat_template(value.text);
        if (finding) {
            finding->reason += " (" + quote_for_message(key) + ")";
            finding->offset = value.offset + finding->offset.value_or(0);
        }
        return finding;
    }

    static Verdict judge_numpy(const ByteSource& source) {
        const auto array = check_numpy(source);
        if (!array) {
            return verdict_on(Kind::NumPy, array.error());
        }
        return *array == NumpyArray::Plain
                   ? verdict_on(Kind::NumPy, "numpy.valid", "a plain array that fills the file")
                   : verdict_on(Kind::NumPy,
                                "numpy.record",
                                "an array of records, whose size is not checked");
    }

    static Verdict judge_text(const ByteSource& source, Kind kind, std::string_view name) {
        if (kind == Kind::Script && meaning_of(extension_of(name)).weights) {
            return verdict_on(
                kind, Finding{"executable.script", "a script under the name of weights", 0});
        }
        if (auto finding = check_text(source, kind, name)) {
            return verdict_on(kind, std::move(*finding));
        }
        if (kind == Kind::Script) {
            return verdict_on(
                kind, "code.script", "a script; it is never run, and a curator looks at it first");
        }
        if (auto mismatch = judge_name(kind, name)) {
            return std::move(*mismatch);
        }
        return verdict_on(kind, "content.inert", "the content is " + std::string(render(kind)));
    }

    /// Inert inside; outside the layout that the file declares there may be zeros only.
    static Verdict judge_media(const ByteSource& source, Kind kind, std::string_view name) {
        Verdict named = judge_by_kind(kind, name);
        auto finding = check_layout(source, kind);
        if (!finding) {
            return named;
        }
        Verdict verdict = verdict_on(kind, std::move(*finding));
        return is_worse(verdict, named) ? verdict : named;
    }

    static std::optional<Finding> check_layout(const ByteSource& source, Kind kind) {
        const auto layout = walk_media(source, kind);
        if (!layout) {
            return read_failure(layout.error());
        }
        const SliceSource behind(source, layout->end, source.size() - layout->end);
        if (layout->whole && behind.size() == 0) {
            return std::nullopt;
        }
        const auto other = find_format(behind);
        if (!other) {
            return read_failure(other.error());
        }
        const std::string format(render(kind));
        if (!other->empty()) {
            return Finding{"polyglot.media",
                           "the file is " + format + " and at the same time " + *other +
                               " behind its end",
                           layout->end};
        }
        return layout->whole ? Finding{"media.trailing",
                                       "other bytes follow the end of the " + format +
                                           "; a curator looks at it first",
                                       layout->end}
                             : Finding{"media.damaged",
                                       "the " + format +
                                           " is cut short or broken; a curator looks at it first",
                                       layout->end};
    }

    /// What the bytes behind an end are, if they are a file of their own; empty if they are not, or
    /// one as inert as what comes before them.
    static Result<std::string> find_format(const ByteSource& behind) {
        LOCARA_TRY(const Kind kind, sniff(behind));
        if (const auto pickle = judge_as_pickle(behind, kind)) {
            return pickle->format;
        }
        const bool text = kind == Kind::Text || kind == Kind::LegacyText;
        std::string start;
        Cursor(behind).take_text(std::min<std::uint64_t>(behind.size(), 64), start);
        const std::size_t first = start.find_first_not_of(" \t\r\n\f");
        const bool markup = text && first != std::string::npos && start[first] == '<';
        const bool inert = is_media(kind) || text || kind == Kind::Empty || kind == Kind::Unknown ||
                           kind == Kind::Pickle; // only by its first bytes
        return std::string(markup ? "markup" : inert ? "" : render(kind));
    }

    Verdict judge_unknown(const ByteSource& source, std::string_view name) {
        // Under these names somebody will try to load it: say what is wrong with it.
        const auto parsed = meaning_of(extension_of(name)).parsed;
        if (parsed == Kind::Safetensors) {
            return judge_safetensors(source);
        }
        if (parsed == Kind::Gguf) {
            return judge_gguf(source);
        }
        return verdict_on(Kind::Unknown,
                          "content.unknown",
                          "bytes of no known format; they are kept, but never loaded");
    }

    // --- archives --------------------------------------------------------------------------

    /// Judges one member. False when nothing worse can follow.
    bool
    take_member(const ByteSource& source, const std::string& name, unsigned level, Worst& worst) {
        Verdict verdict = scan(source, name, level + 1);
        verdict.member = verdict.member.empty() ? name : name + "!/" + verdict.member;
        worst.take(std::move(verdict));
        return !worst.is_final();
    }

    Finding too_many_members() const {
        return {"scan.members",
                "the archive has more than " + std::to_string(budget_.members) + " members",
                {}};
    }

    std::optional<Finding> charge_memory(std::uint64_t bytes) const {
        if (bytes > budget_.memory_bytes - std::min(budget_.memory_bytes, spent_.memory)) {
            return Finding{
                "scan.memory", "a packed file is too large to look into; publish it unpacked", {}};
        }
        return std::nullopt;
    }

    Verdict judge_zip(const ByteSource& source, unsigned level) {
        const auto members = check_zip(source, budget_.members);
        if (!members) {
            return verdict_on(Kind::Zip, members.error());
        }
        Worst worst(judge_model_zip(source, *members));
        for (const ZipMember& member : *members) {
            if (++spent_.members > budget_.members) {
                worst.take(verdict_on(Kind::Zip, too_many_members()));
                break;
            }
            if (member.folder) {
                continue;
            }
            if (worst.is_final()) {
                break;
            }
            if (auto problem = judge_zip_member(source, member, level, worst)) {
                Verdict verdict = verdict_on(Kind::Zip, std::move(*problem));
                verdict.member = member.name;
                worst.take(std::move(verdict));
            }
        }
        return worst.answer(Kind::Zip);
    }

    /// What is wrong with the member as a part of the archive; on its content `worst` is told.
    std::optional<Finding> judge_zip_member(const ByteSource& source,
                                            const ZipMember& member,
                                            unsigned level,
                                            Worst& worst) {
        if (member.method == 0) {
            const SliceSource slice(source, member.data_offset, member.packed);
            // The content first: a pickle is a better reason than a wrong sum.
            if (!take_member(slice, member.name, level, worst)) {
                return std::nullopt;
            }
            const auto crc = crc_of(slice, [this] { return !out_of_time(); });
            if (!crc) {
                return crc.error();
            }
            return *crc == member.crc
                       ? std::nullopt
                       : std::optional(Finding{
                             "zip.crc", "the member does not match its CRC", member.data_offset});
        }
        if (member.unpacked > kRatioFrom && member.unpacked / budget_.ratio > member.packed) {
            return Finding{"scan.ratio",
                           "the member unpacks to more than " + std::to_string(budget_.ratio) +
                               " times its size, as archive bombs do",
                           {}};
        }
        spent_.unpacked += member.unpacked;
        if (spent_.unpacked > budget_.unpacked_bytes) {
            return Finding{"scan.unpacked", "the archive unpacks to more than 4 GiB", {}};
        }
        if (auto problem = charge_memory(member.unpacked)) {
            return problem;
        }
        const auto bytes = unpack(source, member, budget_.memory_bytes);
        if (!bytes) {
            return bytes.error();
        }
        spent_.memory += bytes->size();
        take_member(MemorySource(*bytes), member.name, level, worst);
        spent_.memory -= bytes->size();
        return std::nullopt;
    }

    /// Archives that are models keep their code where no member shows it alone.
    std::optional<Verdict> judge_model_zip(const ByteSource& source,
                                           const std::vector<ZipMember>& members) {
        std::vector<std::string> names;
        names.reserve(members.size());
        for (const ZipMember& member : members) {
            names.push_back(member.name);
        }
        const auto text_of = [&](const std::string& name) -> std::optional<std::string> {
            for (const ZipMember& member : members) {
                if (member.name == name) {
                    const auto bytes = unpack(source, member, kMaxModelConfig);
                    return bytes ? std::optional(std::string(as_text(*bytes))) : std::nullopt;
                }
            }
            return std::nullopt;
        };
        if (auto model = check_model_zip(names, text_of)) {
            Verdict verdict = make_verdict(std::move(model->format), std::move(model->finding));
            verdict.member = std::move(model->member);
            return verdict;
        }
        const bool arrays = std::any_of(names.begin(), names.end(), [](const std::string& name) {
            return extension_of(name) == ".npy";
        });
        if (arrays) {
            return make_verdict("npz",
                                {"zip.npz",
                                 "a NumPy archive, which is not among the formats that are loaded" +
                                     std::string(kAdvice),
                                 0});
        }
        return std::nullopt;
    }

    Verdict judge_tar(Stream& inner, std::uint64_t packed, Kind kind, unsigned level) {
        MeteredStream stream(inner, budget_, spent_, packed);
        Worst worst;
        const Finding stop{"", "", {}}; // `worst` says the rest
        auto problem = walk_tar(stream, [&](const TarMember& member) -> std::optional<Finding> {
            if (++spent_.members > budget_.members) {
                return too_many_members();
            }
            if (member.folder) {
                return std::nullopt;
            }
            if (const ByteSource* plain = stream.plain()) {
                if (member.size > plain->size() - stream.position()) {
                    return Finding{
                        "tar.truncated", "the tar archive is cut short", stream.position()};
                }
                const SliceSource slice(*plain, stream.position(), member.size);
                if (!take_member(slice, member.name, level, worst)) {
                    return stop;
                }
                stream.skip(member.size);
                return std::nullopt;
            }
            if (auto full = charge_memory(member.size)) {
                return full;
            }
            Bytes bytes;
            auto broken = fill(stream, member.size, bytes);
            if (!broken && bytes.size() != member.size) {
                broken = Finding{"tar.truncated", "the tar archive is cut short", {}};
            }
            spent_.memory += bytes.size();
            const bool go_on = take_member(MemorySource(bytes), member.name, level, worst);
            spent_.memory -= bytes.size();
            return go_on ? broken : stop;
        });
        if (!problem) {
            problem = stream.finish();
        }
        if (problem && !problem->rule.empty()) {
            worst.take(verdict_on(kind, std::move(*problem)));
        }
        return worst.answer(kind);
    }

    /// Reads up to `limit` bytes, growing with what really arrives and not with what is stated.
    static std::optional<Finding> fill(Stream& stream, std::uint64_t limit, Bytes& out) {
        constexpr std::size_t kStep = 256U << 10U;
        while (out.size() < limit) {
            const std::size_t begin = out.size();
            const auto step =
                static_cast<std::size_t>(std::min<std::uint64_t>(kStep, limit - begin));
            out.resize(begin + step);
            const auto count = stream.read(std::span(out).subspan(begin));
            out.resize(begin + count.value_or(0));
            if (!count) {
                return count.error();
            }
            if (*count < step) {
                break;
            }
        }
        return std::nullopt;
    }

    Verdict
    judge_packed(const ByteSource& source, Kind kind, std::string_view name, unsigned level) {
        // Twice from the start: once to see whether it is a tar, once to go through it.
        Bytes head;
        {
            auto inner = open_packed(source, kind);
            if (!inner) {
                return verdict_on(kind, inner.error());
            }
            fill(**inner, kTarHeader, head); // damage is met again below
        }
        auto inner = open_packed(source, kind);
        if (!inner) {
            return verdict_on(kind, inner.error());
        }
        if (is_tar_header(head)) {
            return judge_tar(**inner, source.size(), kind, level);
        }
        MeteredStream stream(**inner, budget_, spent_, source.size());
        const std::uint64_t room =
            budget_.memory_bytes - std::min(budget_.memory_bytes, spent_.memory);
        Bytes bytes;
        auto problem = fill(stream, room + 1, bytes);
        if (!problem) {
            problem = bytes.size() > room ? charge_memory(bytes.size()) : stream.finish();
        }
        std::string inside(name);
        if (const auto dot = inside.rfind('.'); dot != std::string::npos && dot > 0) {
            inside.resize(dot); // "vocab.json.gz" holds "vocab.json"
        }
        // What comes before the problem is judged too: a loader would have run it by then.
        Worst worst;
        spent_.memory += bytes.size();
        take_member(MemorySource(bytes), inside.empty() ? "content" : inside, level, worst);
        spent_.memory -= bytes.size();
        if (problem) {
            worst.take(verdict_on(kind, std::move(*problem)));
        }
        return worst.answer(kind);
    }

    const ScanBudget budget_;
    std::optional<std::uint64_t> tensors_at_;
    std::optional<WeightsFacts> facts_;
    ContentScanner* const also_; // borrowed from the caller of the scan
    Spent spent_;
};

} // namespace

Verdict scan_source(const ByteSource& source,
                    std::string_view name,
                    const ScanBudget& budget,
                    ContentScanner* also) {
    return Scanner(budget, also).scan(source, name, 0);
}

Examination examine_source(const ByteSource& source,
                           std::string_view name,
                           const ScanBudget& budget,
                           ContentScanner* also) {
    Scanner scanner(budget, also);
    Verdict verdict = scanner.scan(source, name, 0);
    // Of a member that was weights nothing is said: the archive has no tensors.
    const bool passes = verdict.rule == "gguf.valid" || verdict.rule == "safetensors.valid";
    return {std::move(verdict),
            passes ? scanner.tensors_at() : std::nullopt,
            passes ? scanner.facts() : std::nullopt};
}

Examination
examine_fd(const Fd& fd, std::string_view name, const ScanBudget& budget, ContentScanner* also) {
    const auto source = FileSource::create(fd, std::filesystem::path(name));
    if (!source) {
        return {make_verdict(
                    "unreadable",
                    {source.error().code() == ErrorCode::InvalidArgument ? "io.type" : "io.open",
                     source.error().describe(),
                     {}}),
                {}};
    }
    return examine_source(*source, name, budget, also);
}

Verdict
scan_fd(const Fd& fd, std::string_view name, const ScanBudget& budget, ContentScanner* also) {
    return examine_fd(fd, name, budget, also).verdict;
}

Verdict scan_file(const std::filesystem::path& path, const ScanBudget& budget) {
    return judge_file(
        path, [&](const Fd& fd, std::string_view name) { return scan_fd(fd, name, budget); });
}

Verdict judge_file(const std::filesystem::path& path, const Judge& judge) {
    auto fd = open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (!fd) {
        const bool link = fd.error().system_errno() == ELOOP;
        return make_verdict("unreadable",
                            {link ? "io.symlink" : "io.open",
                             link ? "a symbolic link; models and apps hold plain files only"
                                  : fd.error().describe(),
                             {}});
    }
    return judge(*fd, path.filename().string());
}

} // namespace locara::formats
