// Whether numbers are finite.
#pragma once

#include <cstddef>

namespace hessorbit {

// Sums of x − x, which is 0 for a finite x and NaN for any other; several side by side, as one would wait for itself.
template <class T>
bool all_finite(const T* values, std::ptrdiff_t count) {
    constexpr std::ptrdiff_t sums = 32;
    T sum[sums] = {};
    std::ptrdiff_t i = 0;
    for (; i + sums <= count; i += sums)
        for (std::ptrdiff_t j = 0; j < sums; ++j) sum[j] += values[i + j] - values[i + j];
    for (; i < count; ++i) sum[0] += values[i] - values[i];
    T total = 0;
    for (const T each : sum) total += each;
    return total == 0;
}

}  // namespace hessorbit
