// Householder's reflections: (I − t v vᵀ) x = (value, 0, …), v_0 = 1.
#pragma once

#include "../kernel/unaligned.hpp"

#include <cmath>

namespace hessorbit {

struct Reflection {
    double value, factor;  // factor t is 0 where x has this form already
};

// v in place of x (n). Matrices are scaled, so that what is below the square root of underflow is taken for 0.
inline Reflection make_reflector(double* x, Index n) {
    constexpr double negligible = 1e-280;
    Doubles squares{};
    Index i = 1;
    for (; i + lane_count <= n; i += lane_count) squares += load(x + i) * load(x + i);
    double tail = sum(squares);
    for (; i < n; ++i) tail += x[i] * x[i];
    const double first = x[0];
    Reflection result{first, 0};
    double scale = 0;
    if (tail > negligible) {
        result.value = -std::copysign(std::sqrt(first * first + tail), first);
        result.factor = (result.value - first) / result.value;
        scale = 1 / (first - result.value);
    }
    x[0] = 1;
    for (i = 1; i + lane_count <= n; i += lane_count) store(x + i, scale * load(x + i));
    for (; i < n; ++i) x[i] *= scale;
    return result;
}

}  // namespace hessorbit
