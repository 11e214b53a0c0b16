// One SIMD vector of samples as a number: the few operations that C++ does not give it.
//
// Formulas are written for a type V that is either a vector of doubles, in the compiler's vector extension (so that one
// source serves every instruction level), or a floating-point type. Arithmetic, comparisons and `mask ? a : b` work on
// both; what follows makes up the rest.
//
// Wherever a product is added to something, formulas say multiply_add: what gets fused is then settled by the source,
// not by what else the compiler finds to do with the product, and a value has the same bits whichever of its
// derivatives are computed beside it. Products that are exact, because their factors are short, need no such care.
#pragma once

#include "rows.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <type_traits>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace hessorbit {

namespace detail {

template <class T>
struct RegisterOf {
    using Type = T;
};

template <class V>
struct LaneOf {
    using Type = V;
};

#if defined(__GNUC__)
using Doubles = double __attribute__((vector_size(8 * Lanes<double>::count)));
using Bits = std::int64_t __attribute__((vector_size(8 * Lanes<double>::count)));

template <>
struct RegisterOf<double> {
    using Type = Doubles;
};

template <>
struct LaneOf<Doubles> {
    using Type = double;
};
#endif

}  // namespace detail

// Lanes<T>::Vector as a type that templates may take.
template <class T>
using Register = typename detail::RegisterOf<T>::Type;

// The floating-point type of one lane of V.
template <class V>
using Lane = typename detail::LaneOf<V>::Type;

template <class V>
V constant(Lane<V> c) { return V{} + c; }

// a b + c, fused where the instruction level has a fused multiply-add.
template <class T>
    requires std::is_floating_point_v<T>
T multiply_add(T a, T b, T c) { return a * b + c; }

template <class T>
    requires std::is_floating_point_v<T>
T magnitude(T x) { return std::abs(x); }

template <class T>
    requires std::is_floating_point_v<T>
T square_root(T x) { return std::sqrt(x); }

// x, its sign flipped where that of s is set.
template <class T>
    requires std::is_floating_point_v<T>
T flip_sign(T x, T s) { return std::signbit(s) ? -x : x; }

// x rounded to half its digits: products of two such numbers are exact, as is the rest, x minus this.
template <class T>
    requires std::is_floating_point_v<T>
T leading_digits(T x) {
    constexpr T shift = T(std::uint64_t(1) << (std::numeric_limits<T>::digits + 1) / 2) + 1;
    const T shifted = shift * x;
    return shifted - (shifted - x);
}

#if defined(__GNUC__)
inline detail::Doubles multiply_add(detail::Doubles a, detail::Doubles b, detail::Doubles c) {
#if defined(__AVX512F__)
    return _mm512_fmadd_pd(a, b, c);
#elif defined(__FMA__)
    return _mm256_fmadd_pd(a, b, c);
#elif defined(__FP_FAST_FMA)
    for (int i = 0; i < Lanes<double>::count; ++i) c[i] = __builtin_fma(a[i], b[i], c[i]);
    return c;
#else
    return a * b + c;
#endif
}

namespace detail {

inline constexpr std::int64_t sign_bit = INT64_MIN;

inline Bits bits(Doubles x) { return std::bit_cast<Bits>(x); }
inline Doubles from_bits(Bits x) { return std::bit_cast<Doubles>(x); }

}  // namespace detail

// Whether x exceeds the bound in any lane.
inline bool any_beyond(detail::Doubles x, double bound) {
#if defined(__AVX512F__)
    return _mm512_cmp_pd_mask(x, constant<detail::Doubles>(bound), _CMP_GT_OQ) != 0;
#elif defined(__AVX__)
    return _mm256_movemask_pd(_mm256_cmp_pd(x, constant<detail::Doubles>(bound), _CMP_GT_OQ)) != 0;
#elif defined(__SSE2__)
    return _mm_movemask_pd(_mm_cmpgt_pd(x, constant<detail::Doubles>(bound))) != 0;
#else
    bool result = false;
    for (int i = 0; i < Lanes<double>::count; ++i) result |= x[i] > bound;
    return result;
#endif
}

inline detail::Doubles magnitude(detail::Doubles x) { return detail::from_bits(detail::bits(x) & ~detail::sign_bit); }

inline detail::Doubles square_root(detail::Doubles x) {
    for (int i = 0; i < Lanes<double>::count; ++i) x[i] = std::sqrt(x[i]);
    return x;
}

inline detail::Doubles flip_sign(detail::Doubles x, detail::Doubles s) {
    return detail::from_bits(detail::bits(x) ^ (detail::bits(s) & detail::sign_bit));
}

inline detail::Doubles leading_digits(detail::Doubles x) {
    return detail::from_bits(detail::bits(x) & ~((std::int64_t(1) << 27) - 1));
}
#endif

// c − a b, for c so close to a b that they cancel.
template <class V>
V remainder(V a, V b, V c) {
#if defined(__FMA__) || defined(__FP_FAST_FMA)
    if constexpr (!std::is_floating_point_v<V>) return multiply_add(-a, b, c);
#endif
    const V a_high = leading_digits(a), a_low = a - a_high, b_high = leading_digits(b), b_low = b - b_high;
    return (((c - a_high * b_high) - a_high * b_low) - a_low * b_high) - a_low * b_low;
}

// NaN stays NaN in both.
template <class T>
    requires std::is_floating_point_v<T>
T at_most(T x, std::type_identity_t<T> bound) { return x > bound ? bound : x; }

template <class T>
    requires std::is_floating_point_v<T>
T at_least(T x, std::type_identity_t<T> bound) { return x < bound ? bound : x; }

#if defined(__GNUC__)
inline detail::Doubles at_most(detail::Doubles x, double bound) {
#if defined(__AVX512F__)
    return _mm512_maskz_min_pd(0xff, constant<detail::Doubles>(bound), x);
#elif defined(__AVX__)
    return _mm256_min_pd(constant<detail::Doubles>(bound), x);
#elif defined(__SSE2__)
    return _mm_min_pd(constant<detail::Doubles>(bound), x);
#else
    return x > bound ? constant<detail::Doubles>(bound) : x;
#endif
}

inline detail::Doubles at_least(detail::Doubles x, double bound) {
#if defined(__AVX512F__)
    return _mm512_maskz_max_pd(0xff, constant<detail::Doubles>(bound), x);
#elif defined(__AVX__)
    return _mm256_max_pd(constant<detail::Doubles>(bound), x);
#elif defined(__SSE2__)
    return _mm_max_pd(constant<detail::Doubles>(bound), x);
#else
    return x < bound ? constant<detail::Doubles>(bound) : x;
#endif
}
#endif

namespace detail {

// Σ_{i ≥ first} series[i] x^{i − first}: pairs, side by side, then Horner's rule in x².
template <const auto& series, std::size_t first, class V>
V polynomial(V x, V square) {
    const auto term = [](std::size_t i) { return constant<V>(static_cast<Lane<V>>(series[i])); };
    if constexpr (first + 1 == std::size(series)) {
        return term(first);
    } else {
        const V pair = multiply_add(x, term(first + 1), term(first));
        if constexpr (first + 2 == std::size(series)) return pair;
        else return multiply_add(square, polynomial<series, first + 2>(x, square), pair);
    }
}

// Σ_{i ≥ first} series[i] x^{(i − first)/step}, i in steps of `step`.
template <const auto& series, std::size_t first, std::size_t step, class V>
V horner(V x) {
    const V c = constant<V>(static_cast<Lane<V>>(series[first]));
    if constexpr (first + step < std::size(series)) return multiply_add(x, horner<series, first + step, step>(x), c);
    else return c;
}

}  // namespace detail

// Σ_i series[i] x^i.
template <const auto& series, class V>
V polynomial(V x) { return detail::polynomial<series, 0>(x, x * x); }

// The same by Horner's rule: one multiplication less, for whoever does not wait for it.
template <const auto& series, class V>
V horner(V x) { return detail::horner<series, 0, 1>(x); }

// The same where the first term is the bulk of the sum: rounded about once. Even and odd terms make two chains, whose
// constants need no registers: for long series.
template <const auto& series, class V>
V headed_polynomial(V x) {
    const V square = x * x;
    const V rest = multiply_add(x, detail::horner<series, 2, 2>(square), detail::horner<series, 1, 2>(square));
    return multiply_add(x, rest, constant<V>(static_cast<Lane<V>>(series[0])));
}

}  // namespace hessorbit
