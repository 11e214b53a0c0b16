// SIMD vectors of doubles at any address, for matrices whose blocks begin anywhere.
#pragma once

#include "simd.hpp"

#include <cstring>

namespace hessorbit {

using Doubles = Register<double>;

inline constexpr int lane_count = Lanes<double>::count;

inline Doubles load(const double* from) {
    Doubles v;
    std::memcpy(&v, from, sizeof v);
    return v;
}

inline void store(double* to, Doubles v) { std::memcpy(to, &v, sizeof v); }

// The sum of the lanes, in a fixed order.
inline double sum(Doubles v) {
    double lane[lane_count], result = 0;
    std::memcpy(lane, &v, sizeof v);
    for (const double each : lane) result += each;
    return result;
}

// Column i of `to` becomes row i of `from`, for blocks of lane_count rows and columns that are so far apart.
inline void transpose(const double* from, Index from_stride, double* to, Index to_stride) {
#if defined(__AVX512F__)
    Doubles x[8], y[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) x[i] = load(from + i * from_stride);
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
        y[i] = __builtin_shufflevector(x[i], x[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
        y[i + 1] = __builtin_shufflevector(x[i], x[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
    }
#pragma GCC unroll 4
    for (const int i : {0, 1, 4, 5}) {
        x[i] = __builtin_shufflevector(y[i], y[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
        x[i + 2] = __builtin_shufflevector(y[i], y[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        store(to + i * to_stride, __builtin_shufflevector(x[i], x[i + 4], 0, 1, 2, 3, 8, 9, 10, 11));
        store(to + (i + 4) * to_stride, __builtin_shufflevector(x[i], x[i + 4], 4, 5, 6, 7, 12, 13, 14, 15));
    }
#elif defined(__AVX__)
    Doubles x[4], y[4];
    for (int i = 0; i < 4; ++i) x[i] = load(from + i * from_stride);
    for (int i = 0; i < 4; i += 2) {
        y[i] = __builtin_shufflevector(x[i], x[i + 1], 0, 4, 2, 6);
        y[i + 1] = __builtin_shufflevector(x[i], x[i + 1], 1, 5, 3, 7);
    }
    for (int i = 0; i < 2; ++i) {
        store(to + i * to_stride, __builtin_shufflevector(y[i], y[i + 2], 0, 1, 4, 5));
        store(to + (i + 2) * to_stride, __builtin_shufflevector(y[i], y[i + 2], 2, 3, 6, 7));
    }
#else
    for (int j = 0; j < lane_count; ++j)
        for (int i = 0; i < lane_count; ++i) to[i * to_stride + j] = from[j * from_stride + i];
#endif
}

}  // namespace hessorbit
