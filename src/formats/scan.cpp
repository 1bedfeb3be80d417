#include "cursor.hpp"
#include "names.hpp"
#include "numpy.hpp"
#include "sniff.hpp"
#include "stream.hpp"
#include "tar.hpp"
#include "zip.hpp"

#include <locara/base/json.hpp>
#include <locara/formats/gguf.hpp>
#include <locara/formats/pickle.hpp>
#include <locara/formats/safetensors.hpp>
#include <locara/formats/scan.hpp>
#include <locara/formats/sniff.hpp>

#include <algorithm>
#include <system_error>

#include <fcntl.h>

namespace locara::formats {

namespace {

constexpr std::uint64_t kMaxInspectedText = 8U << 20U; // configuration, SVG
constexpr std::uint64_t kRatioFrom = 1U << 20U;        // unpacked bytes below which any ratio goes
constexpr std::string_view kAdvice = "; publish the weights as safetensors or GGUF";

Verdict allow(Kind kind, std::string rule, std::string reason) {
    Verdict verdict;
    verdict.decision = Decision::Allow;
    verdict.label = std::string(render(kind));
    verdict.rule = std::move(rule);
    verdict.reason = std::move(reason);
    return verdict;
}

Verdict flag(std::string label, std::string rule, std::string reason) {
    Verdict verdict;
    verdict.decision = Decision::Flag;
    verdict.label = std::move(label);
    verdict.rule = std::move(rule);
    verdict.reason = std::move(reason);
    return verdict;
}

Verdict refuse(std::string label, Finding finding) {
    Verdict verdict;
    verdict.label = std::move(label);
    verdict.rule = std::move(finding.rule);
    verdict.reason = std::move(finding.reason);
    verdict.offset = finding.offset;
    return verdict;
}

Verdict refuse(Kind kind, Finding finding) {
    return refuse(std::string(render(kind)), std::move(finding));
}

Verdict refuse(Kind kind, const Error& error) {
    return refuse(kind, read_failure(error));
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

class Scanner {
  public:
    explicit Scanner(const ScanBudget& budget) : budget_(budget) {
        spent_.deadline = std::chrono::steady_clock::now() + budget.time;
    }

    Verdict scan(const ByteSource& source, std::string_view name, unsigned level) {
        if (level > budget_.levels) {
            return refuse(
                "archive",
                {"scan.levels",
                 "archives are nested more than " + std::to_string(budget_.levels) + " levels deep",
                 {}});
        }
        if (out_of_time()) {
            return refuse("archive", {"scan.time", "the archive takes too long to check", {}});
        }
        const auto sniffed = sniff(source);
        if (!sniffed) {
            return refuse(Kind::Unknown, sniffed.error());
        }
        const Kind kind = *sniffed;

        const bool text =
            kind == Kind::Text || kind == Kind::Json || kind == Kind::Svg || kind == Kind::Script;
        const PickleContext context = text ? PickleContext::Text
                                      : kind == Kind::Unknown || kind == Kind::Pickle
                                          ? PickleContext::Unknown
                                          : PickleContext::Known;
        const auto walk = walk_pickle(source);
        if (!walk) {
            return refuse(kind, walk.error());
        }
        if (auto finding = judge_pickle(*walk, context)) {
            if (context == PickleContext::Known) {
                finding->reason = "the file is " + std::string(render(kind)) +
                                  " and at the same time " + finding->reason;
            }
            return refuse(Kind::Pickle, std::move(*finding));
        }

        if (kind != Kind::Zip) {
            const auto zip = ends_as_zip(source);
            if (!zip) {
                return refuse(kind, zip.error());
            }
            if (*zip && kind != Kind::Tar) { // an uncompressed tar may end in a zip member
                return refuse(kind,
                              {"polyglot.zip",
                               "the file is " + std::string(render(kind)) +
                                   " and at the same time ends as a zip archive",
                               {}});
            }
        }
        return judge(source, kind, name, level);
    }

  private:
    bool out_of_time() const { return std::chrono::steady_clock::now() > spent_.deadline; }

    Verdict judge(const ByteSource& source, Kind kind, std::string_view name, unsigned level) {
        const std::string extension = extension_of(name);
        switch (kind) {
        case Kind::Safetensors:
            return check_weights(check_safetensors(source), kind);
        case Kind::Gguf:
            return check_weights(check_gguf(source), kind);
        case Kind::NumPy:
            return judge_numpy(source);
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
            return judge_packed(source, kind, name, level);
        case Kind::SevenZip:
        case Kind::Rar:
        case Kind::OtherArchive:
            return refuse(kind,
                          {"archive.kind",
                           "an archive that is not looked into; use zip, or tar with gzip or zstd",
                           0});
        case Kind::OldGgml:
        case Kind::Hdf5:
        case Kind::Onnx:
        case Kind::SavedModel:
        case Kind::TfLite:
            return refuse(kind,
                          {"format." + std::string(render(kind)),
                           "weights in the format " + std::string(render(kind)) +
                               ", which is not among those that are loaded" + std::string(kAdvice),
                           0});
        case Kind::Elf:
        case Kind::PortableExecutable:
        case Kind::MachO:
        case Kind::PythonBytecode:
        case Kind::JavaClass:
            return refuse(kind,
                          {"executable." + std::string(render(kind)),
                           "an executable program; models hold none",
                           0});
        case Kind::Script:
            return meaning_of(extension).weights
                       ? refuse(kind,
                                {"executable.script", "a script under the name of weights", 0})
                       : flag("script",
                              "executable.script",
                              "a script; it is never run, and a curator looks at it first");
        case Kind::Pdf:
            return flag("pdf",
                        "document.pdf",
                        "a PDF may hold active content; a curator looks at it first");
        case Kind::Svg:
            return judge_svg(source, extension);
        case Kind::Json:
        case Kind::Text:
            return judge_text(source, kind, name, extension);
        case Kind::Empty:
            return meaning_of(extension).weights
                       ? flag("empty", "name.mismatch", "the file is empty, not " + extension)
                       : allow(kind, "empty", "the file is empty");
        case Kind::Unknown:
            return judge_unknown(source, extension);
        case Kind::Pickle: // the walk above refuses these; stay closed if it ever does not
            return refuse(kind,
                          {"pickle.wrong-format", "a Python pickle" + std::string(kAdvice), 0});
        case Kind::SentencePiece:
        case Kind::Png:
        case Kind::Jpeg:
        case Kind::Gif:
        case Kind::WebP:
        case Kind::Icon:
        case Kind::Font:
        case Kind::Audio:
        case Kind::Video:
        case Kind::WebAssembly:
            break;
        }
        if (meaning_of(extension).parsed) {
            return flag(std::string(render(kind)),
                        "name.mismatch",
                        "named " + extension + ", but the content is " + std::string(render(kind)));
        }
        return allow(kind,
                     "content.inert",
                     "the content is " + std::string(render(kind)) +
                         ", which carries no code for "
                         "our loaders");
    }

    template <class T> static Verdict check_weights(const Checked<T>& checked, Kind kind) {
        const std::string label(render(kind));
        if (!checked) {
            return refuse(label, checked.error());
        }
        return allow(
            kind, label + ".valid", "every byte is accounted for by the rules of " + label);
    }

    static Verdict judge_numpy(const ByteSource& source) {
        const auto array = check_numpy(source);
        if (!array) {
            return refuse(Kind::NumPy, array.error());
        }
        return *array == NumpyArray::Plain
                   ? allow(Kind::NumPy, "numpy.valid", "a plain array that fills the file")
                   : flag(
                         "numpy", "numpy.record", "an array of records, whose size is not checked");
    }

    static Verdict judge_unknown(const ByteSource& source, const std::string& extension) {
        // Under these names somebody will try to load it: say what is wrong with it.
        const auto parsed = meaning_of(extension).parsed;
        if (parsed == Kind::Safetensors) {
            return check_weights(check_safetensors(source), Kind::Safetensors);
        }
        if (parsed == Kind::Gguf) {
            return check_weights(check_gguf(source), Kind::Gguf);
        }
        return flag("unknown",
                    "content.unknown",
                    "bytes of no known format; they are kept, but never loaded");
    }

    /// Up to kMaxInspectedText bytes; nullopt if longer or unreadable.
    static std::optional<std::string> read_text(const ByteSource& source) {
        if (source.size() > kMaxInspectedText) {
            return std::nullopt;
        }
        std::string text(static_cast<std::size_t>(source.size()), '\0');
        if (!source.read(0, std::as_writable_bytes(std::span(text.data(), text.size())))) {
            return std::nullopt;
        }
        return text;
    }

    static Verdict judge_text(const ByteSource& source,
                              Kind kind,
                              std::string_view name,
                              const std::string& extension) {
        const std::string label(render(kind));
        if (meaning_of(extension).python) {
            return flag(label,
                        "name.code",
                        "named " + extension +
                            ", which Python runs; it is never fetched with a "
                            "model, and a curator looks at it first");
        }
        if (meaning_of(extension).weights) {
            return flag(label, "name.mismatch", "named " + extension + ", but the content is text");
        }
        const std::string_view base = base_name(name);
        if (kind == Kind::Json && base.ends_with("config.json")) {
            const auto text = read_text(source);
            if (!text || text->find("\"auto_map\"") != std::string::npos) {
                return flag(label,
                            "json.remote-code",
                            "a configuration with auto_map, which names Python code to fetch and "
                            "run; it is ignored, and a curator looks at it first");
            }
        }
        return allow(kind, "content.inert", "the content is " + label);
    }

    static Verdict judge_svg(const ByteSource& source, const std::string& extension) {
        if (meaning_of(extension).weights) {
            return flag("svg", "name.mismatch", "named " + extension + ", but the content is svg");
        }
        auto text = read_text(source);
        bool active = !text;
        if (text) {
            for (char& c : *text) {
                c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
            }
            constexpr std::string_view kActive[] = {
                "<script", "javascript:", "<foreignobject", "<!entity", ":script"};
            for (const std::string_view word : kActive) {
                active = active || text->find(word) != std::string::npos;
            }
            active = active || has_event_attribute(*text);
        }
        if (active) {
            return flag("svg",
                        "svg.script",
                        "an SVG that holds scripts or cannot be looked through; it is shown "
                        "without them, and a curator looks at it first");
        }
        return allow(Kind::Svg, "content.inert", "the content is svg without scripts");
    }

    /// onload=, onclick= and so on, after a blank, a quote or a slash.
    static bool has_event_attribute(std::string_view text) {
        for (std::size_t at = text.find("on"); at != std::string_view::npos;
             at = text.find("on", at + 1)) {
            const char before = at == 0 ? ' ' : text[at - 1];
            if (std::string_view(" \t\r\n\f\"'/").find(before) == std::string_view::npos) {
                continue;
            }
            std::size_t end = at + 2;
            while (end < text.size() && text[end] >= 'a' && text[end] <= 'z') {
                ++end;
            }
            const std::size_t letters = end - at - 2;
            while (end < text.size() && (text[end] == ' ' || text[end] == '\t' ||
                                         text[end] == '\n' || text[end] == '\r')) {
                ++end;
            }
            if (letters > 2 && end < text.size() && text[end] == '=') {
                return true;
            }
        }
        return false;
    }

    // --- archives --------------------------------------------------------------------------

    /// Judges one member; a refusal or the first flag is kept, with the member's path.
    /// False when the archive as a whole is refused by it.
    bool take_member(const ByteSource& source,
                     const std::string& name,
                     unsigned level,
                     std::optional<Verdict>& worst) {
        Verdict verdict = scan(source, name, level + 1);
        if (verdict.decision == Decision::Allow) {
            return true;
        }
        verdict.member = verdict.member.empty() ? name : name + "!/" + verdict.member;
        if (verdict.decision == Decision::Refuse || !worst) {
            worst = std::move(verdict);
        }
        return worst->decision != Decision::Refuse;
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
            return refuse(Kind::Zip, members.error());
        }
        if (auto verdict = judge_model_zip(source, *members)) {
            return *verdict;
        }
        std::optional<Verdict> worst;
        bool arrays = false;
        for (const ZipMember& member : *members) {
            if (++spent_.members > budget_.members) {
                return refuse(Kind::Zip, too_many_members());
            }
            if (member.folder) {
                continue;
            }
            arrays = arrays || extension_of(member.name) == ".npy";
            if (!judge_zip_member(source, member, level, worst)) {
                return *worst;
            }
        }
        if (arrays) {
            return refuse(Kind::Zip,
                          {"zip.npz",
                           "a NumPy archive, which is not among the formats that are loaded" +
                               std::string(kAdvice),
                           0});
        }
        return worst ? *worst
                     : allow(Kind::Zip, "archive.members", "every member of the archive passes");
    }

    bool judge_zip_member(const ByteSource& source,
                          const ZipMember& member,
                          unsigned level,
                          std::optional<Verdict>& worst) {
        const auto fail = [&](Finding finding) {
            worst = refuse(Kind::Zip, std::move(finding));
            worst->member = member.name;
            return false;
        };
        if (member.method == 0) {
            const SliceSource slice(source, member.data_offset, member.packed);
            // Judge first: a pickle is a better reason than a wrong sum.
            if (!take_member(slice, member.name, level, worst)) {
                return false;
            }
            const auto crc = crc_of(slice, [this] { return !out_of_time(); });
            if (!crc) {
                return fail(crc.error());
            }
            return *crc == member.crc ||
                   fail({"zip.crc", "the member does not match its CRC", member.data_offset});
        }
        if (member.unpacked > kRatioFrom && member.unpacked / budget_.ratio > member.packed) {
            return fail({"scan.ratio",
                         "the member unpacks to more than " + std::to_string(budget_.ratio) +
                             " times its size, as archive bombs do",
                         {}});
        }
        spent_.unpacked += member.unpacked;
        if (spent_.unpacked > budget_.unpacked_bytes) {
            return fail({"scan.unpacked", "the archive unpacks to more than 4 GiB", {}});
        }
        if (auto problem = charge_memory(member.unpacked)) {
            return fail(std::move(*problem));
        }
        const auto bytes = unpack(source, member, budget_.memory_bytes);
        if (!bytes) {
            return fail(bytes.error());
        }
        spent_.memory += bytes->size();
        const bool go_on = take_member(MemorySource(*bytes), member.name, level, worst);
        spent_.memory -= bytes->size();
        return go_on;
    }

    /// Keras and skops keep their code in JSON, where nothing else would see it.
    std::optional<Verdict> judge_model_zip(const ByteSource& source,
                                           const std::vector<ZipMember>& members) {
        const auto find = [&](std::string_view name) -> const ZipMember* {
            for (const ZipMember& member : members) {
                if (member.name == name) {
                    return &member;
                }
            }
            return nullptr;
        };
        const auto text_of = [&](const ZipMember& member) {
            const auto bytes = unpack(source, member, kMaxInspectedText);
            return bytes ? std::string(as_text(*bytes)) : std::string();
        };
        const ZipMember* config = find("config.json");
        const bool weights = std::any_of(members.begin(), members.end(), [](const auto& member) {
            return member.name.ends_with(".weights.h5");
        });
        if (config != nullptr && (weights || find("metadata.json") != nullptr)) {
            const std::string text = text_of(*config);
            const bool keras = weights || text.find("\"class_name\"") != std::string::npos;
            if (keras && text.find("\"Lambda\"") != std::string::npos) {
                Verdict verdict =
                    refuse("keras",
                           {"keras.lambda",
                            "a Keras model with a Lambda layer, which is Python code" +
                                std::string(kAdvice),
                            config->data_offset});
                verdict.member = config->name;
                return verdict;
            }
            if (keras) {
                return refuse("keras",
                              {"format.keras",
                               "a Keras model, which is not among the formats that are "
                               "loaded" +
                                   std::string(kAdvice),
                               0});
            }
        }
        if (const ZipMember* schema = find("schema.json");
            schema != nullptr && text_of(*schema).find("\"__module__\"") != std::string::npos) {
            return refuse(
                "skops",
                {"format.skops",
                 "a skops file, which names Python classes to make" + std::string(kAdvice),
                 0});
        }
        return std::nullopt;
    }

    Verdict judge_tar(Stream& inner, std::uint64_t packed, Kind kind, unsigned level) {
        MeteredStream stream(inner, budget_, spent_, packed);
        std::optional<Verdict> worst;
        const auto problem =
            walk_tar(stream, [&](const TarMember& member) -> std::optional<Finding> {
                if (++spent_.members > budget_.members) {
                    return too_many_members();
                }
                if (member.folder) {
                    return std::nullopt;
                }
                const Finding stop{"", "", {}}; // `worst` says the rest
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
                if (auto broken = fill(stream, member.size, bytes)) {
                    return broken;
                }
                if (bytes.size() != member.size) {
                    return Finding{"tar.truncated", "the tar archive is cut short", {}};
                }
                spent_.memory += bytes.size();
                const bool go_on = take_member(MemorySource(bytes), member.name, level, worst);
                spent_.memory -= bytes.size();
                return go_on ? std::nullopt : std::optional(stop);
            });
        if (problem && !problem->rule.empty()) {
            return refuse(kind, *problem);
        }
        return worst ? *worst
                     : allow(kind, "archive.members", "every member of the archive passes");
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
            if (!count) {
                return count.error();
            }
            out.resize(begin + *count);
            if (*count < step) {
                break;
            }
        }
        return std::nullopt;
    }

    Verdict
    judge_packed(const ByteSource& source, Kind kind, std::string_view name, unsigned level) {
        // Twice from the start: once to see what is in it, once to go through it.
        Bytes head;
        for (const bool look : {true, false}) {
            auto inner = open_packed(source, kind);
            if (!inner) {
                return refuse(kind, inner.error());
            }
            if (look) {
                if (auto problem = fill(**inner, 512, head)) {
                    return refuse(kind, std::move(*problem));
                }
                continue;
            }
            if (is_tar_header(head)) {
                return judge_tar(**inner, source.size(), kind, level);
            }
            MeteredStream stream(**inner, budget_, spent_, source.size());
            const std::uint64_t room =
                budget_.memory_bytes - std::min(budget_.memory_bytes, spent_.memory);
            Bytes bytes;
            if (auto problem = fill(stream, room + 1, bytes)) {
                return refuse(kind, std::move(*problem));
            }
            if (auto problem = charge_memory(bytes.size())) {
                return refuse(kind, std::move(*problem));
            }
            std::string inside(base_name(name));
            if (const auto dot = inside.rfind('.'); dot != std::string::npos && dot > 0) {
                inside.resize(dot); // "vocab.json.gz" holds "vocab.json"
            }
            spent_.memory += bytes.size();
            std::optional<Verdict> worst;
            take_member(MemorySource(bytes), inside.empty() ? "content" : inside, level, worst);
            spent_.memory -= bytes.size();
            return worst ? *worst : allow(kind, "archive.members", "what is packed in it passes");
        }
        return refuse(kind, {"archive.damaged", "the archive could not be read", {}});
    }

    const ScanBudget budget_;
    Spent spent_;
};

Verdict
scan_named(const std::filesystem::path& path, std::string_view name, const ScanBudget& budget) {
    auto fd = open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (!fd) {
        const bool link = fd.error().system_errno() == ELOOP;
        return refuse("unreadable",
                      {link ? "io.symlink" : "io.open",
                       link ? "a symbolic link; models and apps hold plain files only"
                            : fd.error().describe(),
                       {}});
    }
    return scan_fd(*fd, name, budget);
}

} // namespace

Verdict scan_source(const ByteSource& source, std::string_view name, const ScanBudget& budget) {
    return Scanner(budget).scan(source, name, 0);
}

Verdict scan_fd(const Fd& fd, std::string_view name, const ScanBudget& budget) {
    const auto source = FileSource::create(fd, std::filesystem::path(name));
    if (!source) {
        return refuse("unreadable",
                      {source.error().code() == ErrorCode::InvalidArgument ? "io.type" : "io.open",
                       source.error().describe(),
                       {}});
    }
    return scan_source(*source, name, budget);
}

Verdict scan_file(const std::filesystem::path& path, const ScanBudget& budget) {
    return scan_named(path, path.filename().string(), budget);
}

Result<std::vector<ScanItem>> scan_paths(std::span<const std::filesystem::path> paths) {
    namespace fs = std::filesystem;
    std::vector<ScanItem> items;
    for (const fs::path& path : paths) {
        std::error_code error;
        const fs::path real = fs::canonical(path, error); // a path given by hand may be a link
        if (error) {
            return Error(error == std::errc::no_such_file_or_directory ||
                                 error == std::errc::not_a_directory
                             ? ErrorCode::NotFound
                             : ErrorCode::Io,
                         "cannot scan " + path.string() + ": " + error.message(),
                         error.value());
        }
        if (!fs::is_directory(real, error)) {
            Verdict verdict = scan_named(real, path.filename().string(), {});
            items.push_back({path.string(), std::move(verdict)});
            continue;
        }
        std::vector<fs::path> found;
        auto iterator = fs::recursive_directory_iterator(real, error);
        for (; !error && iterator != fs::end(iterator); iterator.increment(error)) {
            const auto status = iterator->symlink_status(error);
            if (!error && !fs::is_directory(status)) {
                found.push_back(iterator->path());
            }
        }
        if (error) {
            return Error(ErrorCode::Io,
                         "cannot walk " + path.string() + ": " + error.message(),
                         error.value());
        }
        std::sort(found.begin(), found.end());
        for (const fs::path& file : found) {
            items.push_back({(path / file.lexically_relative(real)).string(), scan_file(file)});
        }
    }
    return items;
}

std::string render_scan_report(std::span<const ScanItem> items) {
    Json files = Json::array();
    for (const ScanItem& item : items) {
        const Verdict& verdict = item.verdict;
        Json file = {{"path", item.path},
                     {"verdict", render(verdict.decision)},
                     {"label", verdict.label},
                     {"rule", verdict.rule},
                     {"reason", verdict.reason}};
        if (verdict.offset) {
            file["offset"] = *verdict.offset;
        }
        if (!verdict.member.empty()) {
            file["member"] = verdict.member;
        }
        file["scanner"] = verdict.scanner;
        file["scanner_version"] = verdict.scanner_version;
        files.push_back(std::move(file));
    }
    Json report;
    report["schema"] = "locara.scan/1";
    report["files"] = std::move(files);
    return render_json(report);
}

} // namespace locara::formats
