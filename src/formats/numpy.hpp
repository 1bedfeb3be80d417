// NumPy arrays (.npy): the header read as data, never evaluated.
// Source: NEP 1 and numpy/lib/format.py, versions 1.0 to 3.0.
#pragma once

#include <locara/formats/byte_source.hpp>
#include <locara/formats/verdict.hpp>

namespace locara::formats {

enum class NumpyArray {
    Plain,  ///< Numbers or text of a fixed size that fill the file exactly.
    Record, ///< Named fields; their size was not checked.
};

/// "numpy.object" for arrays of Python objects (a pickle follows), "numpy.header" for a header that
/// is more than data, "numpy.size" when the file is not exactly as long as the header says.
Checked<NumpyArray> check_numpy(const ByteSource& source);

} // namespace locara::formats
