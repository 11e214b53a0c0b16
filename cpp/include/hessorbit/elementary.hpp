// Elementary functions of one SIMD vector of samples, or of one long double, in pieces that activations and losses
// share: a value and all its derivatives need one exponential.
//
// The vector functions are ours; in long double the exponential, log1p, sin and cos are the C library's. Every series
// is what mpmath's chebyfit(f, [lower, upper], count) gives at 60 digits, in ascending order; f stands beside it.
#pragma once

#include "simd.hpp"

#include <cmath>
#include <limits>

namespace hessorbit::elementary {

// e^x = value · tail and e^x − 1 = minus_one. The tail is 1 unless e^x is near the ends of the range of numbers: a
// result that takes it as its last factor underflows only if it is itself too small, and then is rounded once.
template <class V>
struct Exponential {
    V value, tail, minus_one;
};

template <class V>
struct SinCos {
    V sin, cos;
};

// e^{−a} times any low power of a is 0 from here on. Arguments of `exponential` are to be cut to ±decay_limit.
template <class T>
inline constexpr T decay_limit = std::numeric_limits<T>::max_exponent > 1024 ? 12000 : 800;

// e^{x + dx}, where |dx| < 1e-3 holds digits that x has no room for.
template <class T>
    requires std::is_floating_point_v<T>
Exponential<T> exponential(T x, T dx = 0) {
    const bool extreme = std::abs(x) > decay_limit<T> * T(0.875);
    const T e = std::exp(extreme ? x / 2 : x);
    return {e + e * std::expm1(dx), extreme ? e : T(1), std::expm1(x + dx)};
}

// log(1 + e), 0 ≤ e ≤ 1.
template <class T>
    requires std::is_floating_point_v<T>
T log1p(T e) { return std::log1p(e); }

template <class T>
    requires std::is_floating_point_v<T>
SinCos<T> sin_cos(T z) { return {std::sin(z), std::cos(z)}; }

#if defined(__GNUC__)
namespace detail {

using hessorbit::detail::Bits;
using hessorbit::detail::bits;
using hessorbit::detail::Doubles;
using hessorbit::detail::from_bits;

inline bool any(Bits mask) {
    bool result = false;
    for (int i = 0; i < Lanes<double>::count; ++i) result |= mask[i] != 0;
    return result;
}

// x + round_to_integer has the nearest integer to x in its last bits, |x| < 2^51.
inline constexpr double round_to_integer = 0x1.8p52;

// The nearest integer to x/period.
inline Doubles periods(Doubles x, double inverse_period) {
    return multiply_add(x, constant<Doubles>(inverse_period), constant<Doubles>(round_to_integer)) - round_to_integer;
}

// 2^k for an integer −1022 ≤ k ≤ 1023.
inline Doubles power_of_two(Doubles k) { return from_bits(bits(k + (round_to_integer + 1023)) << 52); }

// (e^r − 1 − r) / r², |r| ≤ 0.347.
inline constexpr long double exp_series[] = {
    5.00000000000000000000e-1L, 1.66666666666666710398e-1L, 4.16666666666666697897e-2L, 8.33333333332606975643e-3L,
    1.38888888888837016235e-3L, 1.98412698750489052330e-4L, 2.48015873257107583209e-5L, 2.75572551109788893147e-6L,
    2.75572734365704858097e-7L, 2.51053372446652102137e-8L, 2.09147728322480896450e-9L};

// (2 artanh √s − 2√s) / s^{3/2}, 0 ≤ s ≤ 1/9.
inline constexpr long double artanh_series[] = {
    6.66666666666666668860e-1L, 3.99999999999995225053e-1L, 2.85714285716000992922e-1L, 2.22222221982367705570e-1L,
    1.81818198979627143826e-1L, 1.53845439648605492869e-1L, 1.33351786314492558366e-1L, 1.17342790613031974600e-1L,
    1.08451783948800148220e-1L, 7.49214379555076730083e-2L, 1.56305778009228504463e-1L};

// (sin √s − √s) / s^{3/2} and (cos √s − 1 + s/2) / s², 0 ≤ s ≤ 0.617.
inline constexpr long double sin_series[] = {
    -1.66666666666666666655e-1L, 8.33333333333333148940e-3L, -1.98412698412650591542e-4L, 2.75573192193346601591e-6L,
    -2.50521062308824115325e-8L, 1.60585313709319029159e-10L, -7.58668249715778583401e-13L};
inline constexpr long double cos_series[] = {
    4.16666666666666653869e-2L, -1.38888888888873954277e-3L, 2.48015872987629514529e-5L, -2.75573172703105073417e-7L,
    2.08761459726350809300e-9L, -1.13826111190256302420e-11L};

}  // namespace detail

// e^x = 2^k (1 + q) with x = k log 2 + r, q = e^r − 1. log 2 comes in two pieces, the first so short that k times it
// is exact. Then e^x − 1 = 2^k q + (2^k − 1) cancels nowhere: for k = 0 it is q, and elsewhere |e^x − 1| > 1/4.
inline Exponential<detail::Doubles> exponential(detail::Doubles x, detail::Doubles dx = detail::Doubles{}) {
    using namespace detail;
    constexpr double log2_high = 0x1.62e42fefa3800p-1, log2_low = 0x1.ef35793c76730p-45;
    const Doubles k = periods(x, 0x1.71547652b82fep0);
    const Doubles high = multiply_add(k, constant<Doubles>(-log2_high), x);
    const Doubles low = multiply_add(k, constant<Doubles>(log2_low), -dx);
    const Doubles r = high - low;
    const Doubles bent = multiply_add(r * r, polynomial<exp_series>(r), (high - r) - low);  // q − r
    const Doubles q = r + bent, one_plus_r = 1 + r, lost = (1 - one_plus_r) + r;
    const Doubles near = at_most(at_least(k, -960), 960);
    const Doubles scale = power_of_two(near);
    return {scale * (one_plus_r + (lost + bent)), power_of_two(k - near), multiply_add(scale, q, scale - 1)};
}

// log(1 + e) = 2 artanh s with s = e/(2 + e); 2s = e − s e keeps the digits of e.
inline detail::Doubles log1p(detail::Doubles e) {
    const detail::Doubles s = e / (2 + e), square = s * s;
    return multiply_add(-s, multiply_add(-square, polynomial<detail::artanh_series>(square), e), e);
}

// Lanes of z beyond the reach of our reduction, one by one. Out of line: rare.
[[gnu::noinline]] inline SinCos<detail::Doubles> far_sin_cos(detail::Doubles z, SinCos<detail::Doubles> near,
                                                             detail::Bits far) {
    for (int i = 0; i < Lanes<double>::count; ++i)
        if (far[i]) near.sin[i] = std::sin(z[i]), near.cos[i] = std::cos(z[i]);
    return near;
}

// z = k π/2 + r, with π/2 in pieces of 33 bits: k times a piece is exact, and the first subtractions are exact whenever
// they cancel, so that r has full relative accuracy. Beyond 2^20 the C library takes over, lane by lane.
inline SinCos<detail::Doubles> sin_cos(detail::Doubles z) {
    using namespace detail;
    constexpr double pieces[] = {0x1.921fb544p0, 0x1.0b4611a6p-34, 0x1.3198a2ep-69, 0x1.b839a252049c1p-104};
    const Doubles k = periods(z, 0x1.45f306dc9c883p-1);
    Doubles r = z;
    for (const double piece : pieces) r = multiply_add(k, constant<Doubles>(-piece), r);
    const Doubles square = r * r;
    const Doubles s = multiply_add(r * square, polynomial<sin_series>(square), r);
    const Doubles c = multiply_add(square * square, polynomial<cos_series>(square),
                                   multiply_add(square, constant<Doubles>(-0.5), constant<Doubles>(1)));

    const Bits quadrant = bits(k + round_to_integer), odd = (quadrant & 1) != 0;
    const SinCos<Doubles> near{flip_sign(odd ? c : s, from_bits(quadrant << 62)),
                               flip_sign(odd ? s : c, from_bits((quadrant + 1) << 62))};
    const Bits far = magnitude(z) > 0x1p20;
    return any(far) ? far_sin_cos(z, near, far) : near;
}
#endif

// 1/(1 + a) and its powers, a ≥ 0, as w (1 + error): near enough that results are rounded about once.
template <class V>
struct Reciprocal {
    V w, error;

    Reciprocal(V sum, V rest)  // 1 + a = sum + rest, sum the rounded sum
        : w(1 / sum), error(multiply_add(-rest, w, remainder(sum, w, constant<V>(1)))) {}

    V first() const { return multiply_add(w, error, w); }
    V times(V x) const { return product(x, 1); }
    V second() const { return product(w, 2); }
    V third() const {
        const V square = w * w, lost = -remainder(w, w, square);
        return multiply_add(square, w, w * multiply_add(3 * square, error, lost));
    }

private:
    // x w (1 + error)^power.
    V product(V x, Lane<V> power) const {
        const V p = x * w, lost = -remainder(x, w, p);
        return p + multiply_add(power * p, error, lost);
    }
};

// What the normal distribution needs, as functions of a ≥ 0:
//
//     φ(a) = e^{−a²/2} / √(2π)        Φ(−a) = e^{−a²/2} R(a)
//
// R falls like 1/a, without underflow; it is erfcx(a/√2)/2.
namespace detail {

// (1 + a) R(a) as a series in t = (c − a)/(c + a), c = 5.5, −1 ≤ t ≤ 1: the whole half line. The factor 1 + a makes the
// first coefficient the bulk of the sum; c is one of those for which rounding that coefficient to double loses little.
inline constexpr double tail_centre = 5.5;
inline constexpr long double tail_at_centre = 4.57227511163331269610e-1L;
inline constexpr long double tail_series[] = {
    8.83389890444878966152e-2L, 3.61865260292456265483e-2L, -2.21502512478616690578e-3L,
    -2.14136345677304284356e-2L, -2.43050784664380464898e-2L, -1.82299663187142876050e-2L,
    -1.02214813604903944688e-2L, -4.25240093694027571086e-3L, -1.15871347544327302186e-3L,
    -8.14707410620205509135e-5L, 9.05596517613901032655e-5L, 3.88583298357121409707e-5L, 4.84687548819696509706e-7L,
    -4.69256893388521416562e-6L, -1.05953623413681858036e-6L, 4.46023046870307074879e-7L,
    2.15487964723453477489e-7L, -3.95520173557831178520e-8L, -3.61967875158526091233e-8L,
    3.72606177463318520300e-9L, 5.90656004757726979901e-9L, -4.39072876873068755079e-10L,
    -9.33855320307957792291e-10L, 5.88819527387449221930e-11L, 1.24853158454996827593e-10L,
    -5.21573684433911088819e-12L, -9.85752101636254360377e-12L};

// (erf(√(s/2)) / √s − √(2/π)) / s, 0 ≤ s ≤ 1.
inline constexpr long double erf_series[] = {
    -1.32980760133810892195e-1L, 1.99471140200716123568e-2L, -2.37465643096050623948e-3L,
    2.30869375228421734163e-4L, -1.88893124968263120155e-5L, 1.33193862298317762037e-6L,
    -8.24531567453290597456e-8L, 4.54675403469366335204e-9L, -2.25700042881193344086e-10L,
    1.00060669178387360911e-11L, -3.37564632637937518995e-13L};

}  // namespace detail

// R(a) = e^{a²/2} Φ(−a), a ≥ 0.
template <class V>
V scaled_normal_tail(V a) {
    constexpr Lane<V> centre = detail::tail_centre, at_centre = detail::tail_at_centre;
    const V t = multiply_add(constant<V>(-2), a / (centre + a), constant<V>(1));
    const V series = multiply_add(t, polynomial<detail::tail_series>(t), constant<V>(at_centre)), sum = 1 + a;
    return Reciprocal<V>(sum, 1 - (sum - a)).times(series);
}

// erf(a/√2), 0 ≤ a ≤ 1.
template <class V>
V erf_near_zero(V a) {
    constexpr Lane<V> slope = 0.797884560802865355879892119869L;  // √(2/π)
    const V square = a * a;
    return multiply_add(a * square, polynomial<detail::erf_series>(square), slope * a);
}

// a² = high + low, and e^{−a²/2}, 0 ≤ a ≤ √(2 decay_limit). The square is formed exactly: rounding it would cost the
// exponential up to a²/2 ulp.
template <class V>
struct Gaussian {
    V high, low;
    Exponential<V> exponential;
};

template <class V>
Gaussian<V> gaussian(V a) {
    const V leading = leading_digits(a), high = leading * leading, low = (a - leading) * (a + leading);
    return {high, low, exponential(high * Lane<V>(-0.5), low * Lane<V>(-0.5))};
}

}  // namespace hessorbit::elementary
