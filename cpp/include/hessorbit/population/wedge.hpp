// The probability that two jointly normal numbers are both large: that of a wedge between two half planes.
//
//     P(x·n_a > h, x·n_b > k) = corner(h, u_a) + corner(k, u_b),   h, k ≥ 0,   n_a·n_b = cos α,   x ~ N(0, I)
//
// Seen from the origin the wedge is two corners, {x·n_a > h beyond the ray through the apex}. The apex lies at the foot
// of the line of n_a, moved along the line by u_a = (k − h cos α)/sin α; likewise u_b. With Owen's function
//
//     T(h, a) = 1/2π ∫_0^a e^{−h²(1+x²)/2}/(1+x²) dx,      corner(h, u) = Q(h)/2 − T(h, u/h) = T(h, ∞) − T(h, u/h),
//     T(h, a) + T(ah, 1/a) = (Q(h) + Q(ah))/2 − Q(h) Q(ah),   Q(h) = P(x > h),
//
// from Owen, "Tables for computing bivariate normal probabilities", Ann. Math. Statist. 27 (1956). By the last line the
// integral is needed for a ≤ 1 alone, where Gauss–Legendre gives it to rounding: its poles are at ±i. Where u ≥ 1 the
// difference would cancel, and is an integral from u/h to ∞ instead: probabilities are accurate relative to themselves,
// however small they are.
#pragma once

#include "legendre.hpp"

#include <algorithm>
#include <limits>

namespace hessorbit::population {

template <class T>
T normal_density(T x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi_v<T>); }

// Q(x)
template <class T>
T upper_tail(T x) { return std::erfc(x / std::numbers::sqrt2_v<T>) / 2; }

// As many points of Gauss and Legendre, and digits of e^{−y}, as integrals of normal densities need.
template <class T>
inline constexpr int tail_points = std::numeric_limits<T>::digits > 53 ? 48 : 32;
template <class T>
inline constexpr T tail_digits = std::numeric_limits<T>::digits > 53 ? 46 : 37;

// ∫_0^length f(x) dx
template <class T, class Function>
T integrate(T length, const Function& f) {
    static const Legendre<tail_points<T>, T> rule;
    T sum = 0;
    for (int i = 0; i < tail_points<T>; ++i) sum += rule.weight[i] * f(length / 2 * (1 + rule.node[i]));
    return length / 2 * sum;
}

// T(h, a) for h ≥ 0 and 0 ≤ a ≤ 1.
template <class T>
T owen(T h, T a) {
    const T cut = std::sqrt(2 * tail_digits<T>), end = h * a > cut ? cut / h : a;
    const T integral = integrate(end, [&](T x) { return std::exp(-h * x * (h * x) / 2) / (1 + x * x); });
    return integral * std::exp(-h * h / 2) / (2 * std::numbers::pi_v<T>);
}

// h ≥ 0; h and u not both 0.
template <class T>
T corner(T h, T u) {
    if (u < 0) return upper_tail(h) - corner(h, -u);
    if (u >= 1) {  // x = (u + v)/h
        const T end = 2 * tail_digits<T> / (u + std::sqrt(u * u + 2 * tail_digits<T>));
        const T integral = integrate(end, [&](T v) { return std::exp(-v * (u + v / 2)) * h / (h * h + (u + v) * (u + v)); });
        return integral * std::exp(-(h * h + u * u) / 2) / (2 * std::numbers::pi_v<T>);
    }
    if (u <= h) return upper_tail(h) / 2 - owen(h, u / h);
    return owen(u, h / u) - upper_tail(u) * std::erf(h / std::numbers::sqrt2_v<T>) / 2;
}

// Two half planes x·n_a > h and x·n_b > k at an angle α of this cosine and sine ≥ 0. Where they are nearly parallel, the
// two places of the apex are one number, to which errors of h and k are common, and a part that has none.
template <class T>
struct Wedge {
    T h, k, angle, u_a, u_b;

    Wedge(T h, T k, T cosine, T sine) : h(h), k(k), angle(std::atan2(sine, cosine)) {
        const T turn = std::copysign(T(1), cosine), narrow = turn * sine / (1 + std::abs(cosine));
        const T apart = k - turn * h;
        const T far = apart == 0 ? 0 : std::clamp(apart / sine, -farthest, farthest);
        u_a = far + h * narrow;
        u_b = -turn * far + k * narrow;
    }

    // Of where both inequalities hold.
    T probability() const {
        if (h == 0 && k == 0) return (1 - angle / std::numbers::pi_v<T>) / 2;
        if (h >= 0 && k >= 0) return corner(h, u_a) + corner(k, u_b);
        if (h >= 0) return upper_tail(h) - (corner(h, -u_a) + corner(-k, u_b));
        if (k >= 0) return upper_tail(k) - (corner(-h, u_a) + corner(k, -u_b));
        return 1 - upper_tail(-h) - upper_tail(-k) + (corner(-h, -u_a) + corner(-k, -u_b));
    }

private:
    static constexpr T farthest = 1e10;
};

}  // namespace hessorbit::population
