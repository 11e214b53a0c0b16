// Elementary functions of one SIMD vector of samples, or of one long double, in pieces that activations share: a value
// and all its derivatives need one exponential and, but for softplus and g, one division.
//
// The vector functions are ours; in long double the exponential, sin and cos are the C library's. Every series is what
// mpmath's chebyfit(f, [lower, upper], count) gives at 60 digits, in ascending order; f stands beside it.
#pragma once

#include "simd.hpp"

#include <cmath>
#include <limits>

namespace hessorbit::elementary {

// 2^k for an integer k of any size. Near the ends of the range of numbers it is applied in two factors, the first of
// them `value`: y 2^k underflows only if it is itself too small, and is rounded once.
template <class V>
struct PowerOfTwo {
    V factor, tail;

    V value() const { return factor; }
    V times(V y) const { return y * factor * tail; }
    PowerOfTwo times_four() const { return {4 * factor, tail}; }
};

#if defined(__GNUC__)
namespace detail {

using hessorbit::detail::Bits;
using hessorbit::detail::bits;
using hessorbit::detail::Doubles;
using hessorbit::detail::from_bits;

// x + round_to_integer has the nearest integer to x in its last bits, |x| < 2^51.
inline constexpr double round_to_integer = 0x1.8p52;

// The nearest integer to x/period.
inline Doubles periods(Doubles x, double inverse_period) {
    return multiply_add(x, constant<Doubles>(inverse_period), constant<Doubles>(round_to_integer)) - round_to_integer;
}

}  // namespace detail

template <>
struct PowerOfTwo<detail::Doubles> {
    using V = detail::Doubles;
    V k;

    PowerOfTwo times_four() const { return {k + 2}; }

#if defined(__AVX512F__)
    V value() const { return times(constant<V>(1)); }
    V times(V y) const { return _mm512_maskz_scalef_pd(0xff, y, k); }
#else
    V value() const { return power(near()); }
    V times(V y) const {
        y *= value();
        if (any_beyond(magnitude(k), 960)) [[unlikely]] y *= power(k - near());
        return y;
    }

private:
    V near() const { return at_most(at_least(k, -960), 960); }
    static V power(V k) { return detail::from_bits(detail::bits(k + (detail::round_to_integer + 1023)) << 52); }
#endif
};
#endif

// 1/(a + lost) = w (1 + error), where lost is a rounding error of a.
template <class V>
struct Reciprocal {
    V w, error;

    Reciprocal(V a, V lost) : w(1 / a), error(multiply_add(-lost, w, remainder(a, w, constant<V>(1)))) {}

    V value() const { return multiply_add(w, error, w); }
};

// e^x = 2^k above/below, 1 + e^x = sum/below and 1 − e^x = difference/below: one division serves whatever is made of
// them. Nothing here cancels.
template <class V>
struct Exponential {
    // above = above_head + up and below = below_head + down are not rounded before they are multiplied.
    static constexpr Lane<V> above_head = std::is_floating_point_v<V> ? 0 : 1, below_head = 1;

    V up, down;
    V sum, sum_lost;  // sum_lost: what rounding took from sum
    V difference;
    PowerOfTwo<V> power;

    V above() const { return above_head + up; }
    V below() const { return below_head + down; }

    V times_below(V w) const { return multiply_add(down, w, below_head * w); }
    V times_above(V w) const { return multiply_add(up, w, above_head * w); }
    V times_above(Reciprocal<V> r) const {  // to little more than half an ulp
        const V q = times_above(r.w);
        return q + multiply_add(q, r.error, multiply_add(up, r.w, above_head * r.w - q));
    }
};

template <class V>
struct SinCos {
    V sin, cos;
};

// e^{−a} times any low power of a is 0 from here on. Exponents are to be cut to ±decay_limit.
template <class T>
inline constexpr T decay_limit = std::numeric_limits<T>::max_exponent > 1024 ? 12000 : 800;

// e^{2 (y + dy)}, where |dy| < 1e-3 holds digits that y has no room for.
template <class T>
    requires std::is_floating_point_v<T>
Exponential<T> exponential_of_twice(T y, T dy = 0) {
    const bool extreme = std::abs(y) > decay_limit<T> * T(0.4375);
    const T half = std::exp(extreme ? y : 2 * y), e = half + half * std::expm1(2 * dy), sum = 1 + e;
    return {e, 0, sum, e - (sum - 1), -std::expm1(2 * (y + dy)), {1, extreme ? half : T(1)}};
}

template <class T>
    requires std::is_floating_point_v<T>
SinCos<T> sin_cos(T z) { return {std::sin(z), std::cos(z)}; }

template <class T>
    requires std::is_floating_point_v<T>
T log_one_plus(T x) { return std::log1p(x); }

#if defined(__GNUC__)
namespace detail {

// (√s coth √s − 1) / s, 0 ≤ s ≤ 0.0301.
inline constexpr long double coth_series[] = {
    3.33333333333333229677e-1L, -2.22222222220500258315e-2L, 2.11640207062098076611e-3L, -2.11635949914871259321e-4L,
    2.12157314534617227764e-5L};

// (2 artanh √s − 2√s) / s^{3/2}, 0 ≤ s ≤ 1/9.
inline constexpr long double artanh_series[] = {
    6.66666666666666668860e-1L, 3.99999999999995225053e-1L, 2.85714285716000992922e-1L, 2.22222221982367705570e-1L,
    1.81818198979627143826e-1L, 1.53845439648605492869e-1L, 1.33351786314492558366e-1L, 1.17342790613031974600e-1L,
    1.08451783948800148220e-1L, 7.49214379555076730083e-2L, 1.56305778009228504463e-1L};

inline constexpr double far_angle = 0x1p20;

// (sin √s − √s) / s^{3/2} and (cos √s − 1 + s/2) / s², 0 ≤ s ≤ 0.617.
inline constexpr long double sin_series[] = {
    -1.66666666666666666655e-1L, 8.33333333333333148940e-3L, -1.98412698412650591542e-4L, 2.75573192193346601591e-6L,
    -2.50521062308824115325e-8L, 1.60585313709319029159e-10L, -7.58668249715778583401e-13L};
inline constexpr long double cos_series[] = {
    4.16666666666666653869e-2L, -1.38888888888873954277e-3L, 2.48015872987629514529e-5L, -2.75573172703105073417e-7L,
    2.08761459726350809300e-9L, -1.13826111190256302420e-11L};

}  // namespace detail

// 2y = k log 2 + 2h and e^{2h} = (1 + b + h)/(1 + b − h), where 1 + b = h coth h is even in h: few terms, b small. Half
// of log 2 comes in two pieces, the first so short that k times it is exact.
inline Exponential<detail::Doubles> exponential_of_twice(detail::Doubles y, detail::Doubles dy = detail::Doubles{}) {
    using namespace detail;
    constexpr double half_log2_high = 0x1.62e42fefa3800p-2, half_log2_low = 0x1.ef35793c76730p-46;
    const Doubles k = periods(y, 0x1.71547652b82fep1);
    const Doubles h = multiply_add(k, constant<Doubles>(-half_log2_high), y) -
                      multiply_add(k, constant<Doubles>(half_log2_low), -dy);
    const Doubles square = h * h, series = horner<coth_series>(square);
    const Doubles up = multiply_add(square, series, h), down = multiply_add(square, series, -h);
    const PowerOfTwo<Doubles> power{k};
    const Doubles scale = power.value(), rest = 1 - scale;
    const Doubles small = scale + multiply_add(scale, up, down), sum = 1 + small;
    const Doubles difference = rest + multiply_add(rest, up, -(h + h));  // exactly −2h for k = 0
    return {up, down, sum, small - (sum - 1), difference, power};
}

// log(1 + x), x ≥ 0 or NaN: 1 + x = 2^k (m + lost) with √½ ≤ m < √2, and log m = 2 artanh t, t = (m − 1)/(m + 1).
inline detail::Doubles log_one_plus(detail::Doubles x) {
    using namespace detail;
    constexpr double log2_high = 0x1.62e42fefa3800p-1, log2_low = 0x1.ef35793c76730p-45;
    const Doubles sum = 1 + x, lost = x < 1 ? x - (sum - 1) : 1 - (sum - x);
    const Bits power = (bits(sum) - 0x3fe6a09e667f3bcd) >> 52;
    const Doubles k = from_bits(power + std::bit_cast<std::int64_t>(round_to_integer)) - round_to_integer;
    const Doubles m = from_bits(bits(sum) - (power << 52)), rest = lost * from_bits((1023 - power) << 52);
    const Doubles t = ((m - 1) + rest) / (m + 1), square = t * t;
    const Doubles log_m = multiply_add(t * square, polynomial<artanh_series>(square), t + t);
    const Doubles log = multiply_add(k, constant<Doubles>(log2_high), multiply_add(k, constant<Doubles>(log2_low), log_m));
    return x - x == 0 ? log : x;
}

// Lanes of z beyond the reach of our reduction, one by one. Out of line: rare.
[[gnu::noinline]] inline SinCos<detail::Doubles> far_sin_cos(detail::Doubles z, SinCos<detail::Doubles> near) {
    for (int i = 0; i < Lanes<double>::count; ++i)
        if (std::abs(z[i]) > detail::far_angle) near.sin[i] = std::sin(z[i]), near.cos[i] = std::cos(z[i]);
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
    return any_beyond(magnitude(z), far_angle) ? far_sin_cos(z, near) : near;
}
#endif

// What the normal distribution needs, as functions of a ≥ 0:
//
//     φ(a) = e^{−a²/2} / √(2π)        Φ(−a) = e^{−a²/2} R(a)
//
// R falls like 1/a, without underflow; it is erfcx(a/√2)/2.
namespace detail {

// 1/R(a) − a √(2π), with √(2π) rounded, as a quotient N/P of polynomials that agrees with it at as many Chebyshev
// points as it has coefficients: points of [0, tail_split] in a, and of [1/40, 1/tail_split] in 1/a. It falls from 2 to
// 0, so that its last digits hardly count but near a = 0; P = 7/8 there puts N, P and √(2π) a P + N where rounding takes
// least.
inline constexpr double root_two_pi = 0x1.40d931ff62706p+1, tail_split = 4.75;
inline constexpr long double near_numerator[] = {
    1.75000000000000002089L, 1.77729165132019776580L, 9.50588759717330382107e-1L, 3.27671643979091208436e-1L,
    7.81172455598410740556e-2L, 1.30452000795807960757e-2L, 1.48438045846874134894e-3L, 1.05297813826688844406e-4L,
    3.58686351979510316916e-6L};
inline constexpr long double near_denominator[] = {
    8.75000000000000000000e-1L, 1.28714670510865593759L, 9.41956757854265649004e-1L, 4.37958308385694498049e-1L,
    1.40888641152673433409e-1L, 3.23392953825908383695e-2L, 5.28834130613156641757e-3L, 5.95042165930108953366e-4L,
    4.20078011895762893314e-5L, 1.43095082550132351781e-6L};
inline constexpr long double far_numerator[] = {
    2.00109478211893968934L, 2.37027897840839483707L, 1.39331676972594198204L, 5.07878628094200951603e-1L,
    1.25046764833322804404e-1L, 1.91286247716714374963e-2L, 1.90758987297869631459e-3L};
inline constexpr long double far_denominator[] = {
    1.00000000000000000000L, 1.64238917846200923180L, 1.30506068179630718851L, 6.51059161981637495405e-1L,
    2.17876708366623642902e-1L, 5.14084777371409123621e-2L, 7.63121719047540177284e-3L, 7.61018253982097195778e-4L};

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

// R(a) = above/below and a R(a) = a_above/below, a ≥ 0.
template <class V>
struct ScaledTail {
    V above, a_above, below;
};

template <class T>
    requires std::is_floating_point_v<T>
ScaledTail<T> scaled_tail(T a) {
    constexpr T centre = detail::tail_centre, at_centre = detail::tail_at_centre;
    const T t = multiply_add(T(-2), a / (centre + a), T(1));
    const T above = multiply_add(t, polynomial<detail::tail_series>(t), at_centre);
    return {above, a * above, 1 + a};
}

#if defined(__GNUC__)
// R = P/(√(2π) a P + N), where the rounding errors of P, and in a R those of a P, hardly count.
inline ScaledTail<detail::Doubles> scaled_tail(detail::Doubles a) {
    using namespace detail;
    Doubles n = headed_polynomial<near_numerator>(a), p = headed_polynomial<near_denominator>(a);
    if (any_beyond(a, tail_split)) [[unlikely]] {
        const Bits far = a > tail_split;
        n = far ? headed_polynomial<far_numerator>(a) : n;
        p = far ? headed_polynomial<far_denominator>(a) : p;
    }
    const Doubles a_p = a * p;
    return {p, a_p, multiply_add(constant<Doubles>(root_two_pi), a_p, n)};
}
#endif

// erf(a/√2), 0 ≤ a ≤ 1.
template <class V>
V erf_near_zero(V a) {
    constexpr Lane<V> slope = 0.797884560802865355879892119869L;  // √(2/π)
    const V square = a * a;
    return multiply_add(a * square, polynomial<detail::erf_series>(square), slope * a);
}

}  // namespace hessorbit::elementary
