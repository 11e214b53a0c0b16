// Elementary functions of one SIMD vector of samples, or of one long double.
#pragma once

#include "rows.hpp"

#include <cmath>

namespace hessorbit::elementary {

namespace detail {

template <class T>
struct RegisterOf {
    using Type = T;
};

template <class V>
struct LaneOf {
    using Type = V;
    static constexpr int count = 1;
};

#if defined(__GNUC__)
using Doubles = double __attribute__((vector_size(8 * Lanes<double>::count)));

template <>
struct RegisterOf<double> {
    using Type = Doubles;
};

template <>
struct LaneOf<Doubles> {
    using Type = double;
    static constexpr int count = Lanes<double>::count;
};
#endif

}  // namespace detail

// One vector of T: Lanes<T>::Vector as a type that templates may take.
template <class T>
using Register = typename detail::RegisterOf<T>::Type;

template <class V>
using Lane = typename detail::LaneOf<V>::Type;

template <class V>
inline constexpr int lane_count = detail::LaneOf<V>::count;

// Applies a scalar function to every lane.
template <class V, class Function>
V lanewise(V x, Function function) {
    if constexpr (lane_count<V> == 1) {
        return function(x);
    } else {
        V result;
        for (int i = 0; i < lane_count<V>; ++i) result[i] = function(static_cast<Lane<V>>(x[i]));
        return result;
    }
}

template <class V> V exp(V x) { return lanewise(x, [](auto t) { return std::exp(t); }); }
template <class V> V expm1(V x) { return lanewise(x, [](auto t) { return std::expm1(t); }); }
template <class V> V log1p(V x) { return lanewise(x, [](auto t) { return std::log1p(t); }); }
template <class V> V erf(V x) { return lanewise(x, [](auto t) { return std::erf(t); }); }
template <class V> V erfc(V x) { return lanewise(x, [](auto t) { return std::erfc(t); }); }
template <class V> V sin(V x) { return lanewise(x, [](auto t) { return std::sin(t); }); }
template <class V> V cos(V x) { return lanewise(x, [](auto t) { return std::cos(t); }); }
template <class V> V magnitude(V x) { return x < 0 ? -x : x; }

}  // namespace hessorbit::elementary
