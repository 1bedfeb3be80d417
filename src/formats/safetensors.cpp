#include "cursor.hpp"

#include <locara/base/utf8.hpp>
#include <locara/formats/safetensors.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace locara::formats {

namespace {

using Json = nlohmann::json;

struct Dtype {
    std::string_view name;
    unsigned bits;
};

/// safetensors/src/tensor.rs, enum Dtype and Dtype::bitsize (0.6 and later).
constexpr Dtype kDtypes[] = {
    {"BOOL", 8},        {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},
    {"I8", 8},          {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8},
    {"F8_E5M2FNUZ", 8}, {"I16", 16},    {"U16", 16},    {"F16", 16},    {"BF16", 16},
    {"I32", 32},        {"U32", 32},    {"F32", 32},    {"C64", 64},    {"F64", 64},
    {"I64", 64},        {"U64", 64},
};

Finding
finding(std::string_view rule, std::string reason, std::optional<std::uint64_t> offset = {}) {
    return Finding{"safetensors." + std::string(rule), std::move(reason), offset};
}

/// Builds the result straight from the parser's events, so that nothing but the expected shape of
/// document is ever held. The offsets of entries are relative to the data until the end.
class HeaderReader : public nlohmann::json_sax<Json> {
  public:
    HeaderReader(Safetensors& result, std::uint64_t data_size)
        : result_(result), data_size_(data_size) {}

    std::optional<Finding> problem;

    /// To be asked at the end: whether no two tensors have one name.
    bool names_differ() {
        std::vector<std::string_view> names;
        names.reserve(result_.tensors.size());
        for (const SafetensorsTensor& tensor : result_.tensors) {
            names.emplace_back(tensor.name);
        }
        std::sort(names.begin(), names.end());
        const auto twice = std::adjacent_find(names.begin(), names.end());
        return twice == names.end() || duplicate(*twice);
    }

    bool null() override { return misplaced("null"); }

    bool boolean(bool) override { return misplaced("a boolean"); }

    bool number_integer(number_integer_t value) override {
        return fail("header.number",
                    where() + " holds " + std::to_string(value) +
                        "; only integers from 0 to 2^53-1 are allowed");
    }

    bool number_float(number_float_t, const string_t& text) override {
        return fail("header.number",
                    where() + " holds " + quote_for_message(text) +
                        "; only integers from 0 to 2^53-1 are allowed");
    }

    bool number_unsigned(number_unsigned_t value) override {
        if (state_ == State::Shape) {
            if (value > kSafetensorsMaxExtent) {
                return fail("tensor.shape",
                            where() + " has an extent of " + std::to_string(value) +
                                "; at most 2^53-1 is allowed");
            }
            if (tensor_.shape.size() >= kSafetensorsMaxDimensions) {
                return fail("tensor.shape",
                            where() + " has more than " +
                                std::to_string(kSafetensorsMaxDimensions) + " dimensions");
            }
            tensor_.shape.push_back(value);
            return true;
        }
        if (state_ == State::Offsets) {
            if (offsets_ >= 2) {
                return fail("tensor.offsets", where() + " has more than two data_offsets");
            }
            if (value > data_size_) {
                return fail("tensor.offsets",
                            where() + " has a data offset of " + std::to_string(value) +
                                ", but the data is " + std::to_string(data_size_) + " bytes");
            }
            (offsets_++ == 0 ? tensor_.begin : tensor_.end) = value;
            return true;
        }
        return misplaced("a number");
    }

    bool string(string_t& value) override {
        if (state_ == State::Metadata) {
            result_.metadata.insert_or_assign(std::move(key_), std::move(value));
            return true;
        }
        if (state_ == State::Entry && key_ == "dtype") {
            if (!safetensors_dtype_bits(value)) {
                return fail("tensor.dtype",
                            where() + " has the dtype " + quote_for_message(value) +
                                ", which the format does not know");
            }
            tensor_.dtype = value;
            has_dtype_ = true;
            return true;
        }
        return misplaced("a string");
    }

    bool binary(binary_t&) override { return misplaced("binary data"); }

    bool start_object(std::size_t) override {
        switch (state_) {
        case State::Start:
            state_ = State::Top;
            return true;
        case State::Top:
            if (key_ == "__metadata__") {
                if (std::exchange(has_metadata_, true)) {
                    return duplicate(key_);
                }
                state_ = State::Metadata;
                return true;
            }
            if (result_.tensors.size() >= kSafetensorsMaxTensors) {
                return fail("header.tensors",
                            "the file has more than " + std::to_string(kSafetensorsMaxTensors) +
                                " tensors");
            }
            tensor_ = {};
            tensor_.name = std::move(key_);
            has_dtype_ = has_shape_ = has_offsets_ = false;
            offsets_ = 0;
            state_ = State::Entry;
            return true;
        default:
            return misplaced("an object");
        }
    }

    bool key(string_t& name) override {
        key_ = name;
        switch (state_) {
        case State::Top:
            return true; // two of one name are found at the end, without another copy of each
        case State::Metadata:
            if (result_.metadata.size() >= kSafetensorsMaxMetadata) {
                return fail("metadata.entries",
                            "__metadata__ has more than " +
                                std::to_string(kSafetensorsMaxMetadata) + " entries");
            }
            return !result_.metadata.contains(name) || duplicate(name);
        default:
            if (name == "dtype") {
                return !has_dtype_ || duplicate(name);
            }
            if (name == "shape") {
                return !has_shape_ || duplicate(name);
            }
            if (name == "data_offsets") {
                return !has_offsets_ || duplicate(name);
            }
            return fail("tensor.field",
                        where() + " has the field " + quote_for_message(name) +
                            "; only dtype, shape and data_offsets are allowed");
        }
    }

    bool end_object() override {
        if (state_ == State::Metadata) {
            state_ = State::Top;
        } else if (state_ == State::Entry) {
            if (!has_dtype_ || !has_shape_ || !has_offsets_) {
                return fail("tensor.field",
                            where() + " lacks " +
                                (!has_dtype_   ? "dtype"
                                 : !has_shape_ ? "shape"
                                               : "data_offsets"));
            }
            if (!check_size()) {
                return false;
            }
            result_.tensors.push_back(std::move(tensor_));
            state_ = State::Top;
        } else {
            state_ = State::End;
        }
        return true;
    }

    bool start_array(std::size_t) override {
        if (state_ == State::Entry && key_ == "shape") {
            state_ = State::Shape;
            has_shape_ = true;
            return true;
        }
        if (state_ == State::Entry && key_ == "data_offsets") {
            state_ = State::Offsets;
            has_offsets_ = true;
            return true;
        }
        return misplaced("an array");
    }

    bool end_array() override {
        if (state_ == State::Offsets && offsets_ != 2) {
            return fail("tensor.offsets", where() + " has fewer than two data_offsets");
        }
        state_ = State::Entry;
        return true;
    }

    bool parse_error(std::size_t offset,
                     const std::string&,
                     const nlohmann::detail::exception& why) override {
        // "[json.exception.parse_error.101] parse error at line 1, column 5: syntax error ..."
        std::string text = why.what();
        if (const auto colon = text.find("column"); colon != std::string::npos) {
            text = text.substr(std::min(text.find(':', colon) + 2, text.size()));
        }
        // The text may quote the file; keep the message one printable line.
        for (char& c : text) {
            const auto byte = static_cast<unsigned char>(c);
            c = byte < 0x20 || byte >= 0x7F ? '?' : c;
        }
        problem = finding("header.json",
                          "the header is not strict JSON: " + text.substr(0, 160),
                          8 + (offset > 0 ? offset - 1 : 0));
        return false;
    }

  private:
    enum class State { Start, Top, Metadata, Entry, Shape, Offsets, End };

    std::string where() const {
        switch (state_) {
        case State::Start:
        case State::End:
            return "the header";
        case State::Top:
            return "the header's entry " + quote_for_message(key_);
        case State::Metadata:
            return "the __metadata__ entry " + quote_for_message(key_);
        default:
            return "tensor " + quote_for_message(tensor_.name);
        }
    }

    bool fail(std::string_view rule, std::string reason) {
        problem = finding(rule, std::move(reason));
        return false;
    }

    bool misplaced(std::string_view what) {
        switch (state_) {
        case State::Start:
        case State::Top:
        case State::End:
            return fail("header.structure",
                        where() + " is " + std::string(what) + "; it must be an object");
        case State::Metadata:
            return fail("metadata.value",
                        where() + " is " + std::string(what) + "; it must be a string");
        case State::Entry:
            return fail("tensor.field", where() + " has " + std::string(what) + " as its " + key_);
        case State::Shape:
            return fail("tensor.shape", where() + " has " + std::string(what) + " in its shape");
        case State::Offsets:
            return fail("tensor.offsets",
                        where() + " has " + std::string(what) + " in its data_offsets");
        }
        return false;
    }

    bool duplicate(std::string_view name) {
        return fail("header.duplicate",
                    "the name " + quote_for_message(name) + " stands twice in one object");
    }

    bool check_size() {
        if (tensor_.begin > tensor_.end) {
            return fail("tensor.offsets",
                        where() + " begins at " + std::to_string(tensor_.begin) +
                            " and ends before, at " + std::to_string(tensor_.end));
        }
        std::uint64_t bits = 1;
        bool fits = true;
        for (const std::uint64_t extent : tensor_.shape) {
            fits = fits && checked_multiply(bits, extent, bits);
        }
        fits = fits && checked_multiply(bits, *safetensors_dtype_bits(tensor_.dtype), bits);
        if (!fits) {
            return fail("tensor.overflow", where() + " has a shape whose size overflows 64 bits");
        }
        if (bits % 8 != 0) {
            return fail("tensor.size",
                        where() + " is " + std::to_string(bits) + " bits, not whole bytes");
        }
        if (bits / 8 != tensor_.end - tensor_.begin) {
            return fail("tensor.size",
                        where() + " is " + std::to_string(bits / 8) +
                            " bytes by dtype and shape, but its data_offsets span " +
                            std::to_string(tensor_.end - tensor_.begin));
        }
        return true;
    }

    Safetensors& result_;
    std::uint64_t data_size_;
    State state_ = State::Start;
    std::string key_;
    SafetensorsTensor tensor_;
    bool has_metadata_ = false;
    bool has_dtype_ = false;
    bool has_shape_ = false;
    bool has_offsets_ = false;
    unsigned offsets_ = 0;
};

/// Offset of the first string of more than kSafetensorsMaxString bytes, as the JSON library would
/// hold three copies of it. On JSON that is malformed any answer will do: parsing comes next.
std::optional<std::size_t> find_long_string(std::string_view header) {
    std::size_t at = header.find('"');
    while (at != std::string_view::npos) {
        std::size_t end = at + 1;
        while (end < header.size() && header[end] != '"') {
            end += header[end] == '\\' ? 2 : 1;
        }
        if (end - at - 1 > kSafetensorsMaxString) {
            return at;
        }
        at = end < header.size() ? header.find('"', end + 1) : std::string_view::npos;
    }
    return std::nullopt;
}

/// The spans, sorted, must start at 0, touch, and end with the file.
std::optional<Finding> check_tiling(Safetensors& result, std::uint64_t data_size) {
    std::sort(result.tensors.begin(), result.tensors.end(), [](const auto& a, const auto& b) {
        return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    std::uint64_t reached = 0;
    for (SafetensorsTensor& tensor : result.tensors) {
        if (tensor.begin != reached) {
            return finding(tensor.begin < reached ? "layout.overlap" : "layout.hole",
                           "tensor " + quote_for_message(tensor.name) + " begins at " +
                               std::to_string(tensor.begin) + " of the data, but the one before " +
                               "ends at " + std::to_string(reached),
                           result.data_offset + tensor.begin);
        }
        reached = tensor.end;
        tensor.begin += result.data_offset;
        tensor.end += result.data_offset;
    }
    if (reached != data_size) {
        return finding("layout.trailing",
                       std::to_string(data_size - reached) +
                           " bytes follow the last tensor; the file must end with it",
                       result.data_offset + reached);
    }
    return std::nullopt;
}

} // namespace

std::optional<unsigned> safetensors_dtype_bits(std::string_view dtype) {
    for (const Dtype& known : kDtypes) {
        if (known.name == dtype) {
            return known.bits;
        }
    }
    return std::nullopt;
}

std::uint64_t Safetensors::parameter_count() const {
    std::uint64_t sum = 0;
    for (const SafetensorsTensor& tensor : tensors) {
        std::uint64_t product = 1;
        for (const std::uint64_t extent : tensor.shape) {
            product *= extent; // checked against overflow by the parser
        }
        sum += product;
    }
    return sum;
}

Checked<Safetensors> check_safetensors(const ByteSource& source) {
    const std::uint64_t size = source.size();
    Cursor cursor(source, 0, 8);
    std::uint64_t length = 0;
    if (!cursor.take_le(length)) {
        return tl::unexpected(cursor.io_error()
                                  ? read_failure(*cursor.io_error())
                                  : finding("header.length",
                                            "the file is " + std::to_string(size) +
                                                " bytes; the length of the header takes 8",
                                            0));
    }
    if (length < 2 || length > kSafetensorsMaxHeader) {
        return tl::unexpected(finding("header.length",
                                      "the header's length is given as " + std::to_string(length) +
                                          "; allowed are 2 to " +
                                          std::to_string(kSafetensorsMaxHeader) + " bytes",
                                      0));
    }
    if (length > size - 8) {
        return tl::unexpected(finding("header.length",
                                      "the header is given as " + std::to_string(length) +
                                          " bytes, but only " + std::to_string(size - 8) +
                                          " follow; the file may be cut short",
                                      0));
    }

    std::string header(static_cast<std::size_t>(length), '\0');
    if (auto status =
            source.read(8, std::as_writable_bytes(std::span(header.data(), header.size())));
        !status) {
        return tl::unexpected(read_failure(status.error()));
    }
    if (header.front() != '{') {
        return tl::unexpected(finding("header.start", "the header does not start with \"{\"", 8));
    }
    const std::size_t last = header.find_last_not_of(' ');
    if (header[last] != '}') {
        return tl::unexpected(
            finding("header.padding", "only spaces may follow the header's last \"}\"", 8 + last));
    }
    header.resize(last + 1);
    // The JSON library takes a NUL for the end of its input; strict JSON never holds one.
    if (const auto nul = header.find('\0'); nul != std::string::npos) {
        return tl::unexpected(finding("header.json", "the header holds a NUL byte", 8 + nul));
    }
    if (!is_utf8(header)) {
        return tl::unexpected(finding("header.utf8", "the header is not UTF-8"));
    }

    if (const auto at = find_long_string(header)) {
        return tl::unexpected(finding("header.string",
                                      "the header holds a string of more than " +
                                          std::to_string(kSafetensorsMaxString) + " bytes",
                                      8 + *at));
    }

    Safetensors result;
    result.data_offset = 8 + length;
    HeaderReader reader(result, size - result.data_offset);
    if (!Json::sax_parse(header, &reader) || !reader.names_differ()) {
        return tl::unexpected(
            reader.problem.value_or(finding("header.json", "the header is not strict JSON")));
    }
    if (auto problem = check_tiling(result, size - result.data_offset)) {
        return tl::unexpected(std::move(*problem));
    }
    return result;
}

Result<Safetensors> parse_safetensors(const ByteSource& source) {
    auto checked = check_safetensors(source);
    if (!checked) {
        return to_error(checked.error());
    }
    return std::move(*checked);
}

} // namespace locara::formats
