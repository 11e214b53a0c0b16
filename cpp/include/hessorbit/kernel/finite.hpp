// Whether numbers are finite.
#pragma once

#include <cstddef>

namespace hessorbit {

template <class T>
bool all_finite(const T* values, std::ptrdiff_t count) {
    bool finite = true;
    for (std::ptrdiff_t i = 0; i < count; ++i) finite &= values[i] - values[i] == 0;  // NaN for inf and NaN
    return finite;
}

}  // namespace hessorbit
