// Activations σ with their first two derivatives, written once for a SIMD vector of samples and for long double.
//
// One table says everything about an activation: its name, the default of its parameter, its symmetry class and its
// derivatives. Adding one means an enumerator, an entry and tests.
//
// At a kink, z = 0, the slope is the one torch returns: 0 for relu, the slope for leaky_relu, 1 for elu and softsign,
// scale·alpha for selu; the curvature there is 0.
//
// Accuracy. Value, slope and curvature are each within 4 ulp of the exact ones for every finite z (in float64 at any
// instruction level, and in 80-bit long double), an ulp being that of the smallest normal number below it: underflow is
// gradual. Where a derivative is the difference of two terms the ulp is that of the sum of their sizes. These are, with
// s = sigmoid and Φ, φ the normal distribution and density,
//     silu'  = s + z s'        silu'' = 2 s' + z s''        gelu'  = Φ + z φ        gelu'' = 2 φ − z² φ
//     g''    = 16 s''(4z) + s'(z)
// Beyond |z| = 2^20, sin and cos are as good as the C library's. At ±inf every result is the limit, where there is one.
//
// All work is lane by lane: a result depends on its z alone, not on its place in the row or on what else is asked for.
#pragma once

#include "elementary.hpp"
#include "rows.hpp"

#include <array>
#include <optional>
#include <string_view>
#include <tuple>

namespace hessorbit {

enum class ActivationKind {
    identity, relu, leaky_relu, tanh, sigmoid, erf, normal_cdf, gelu, silu, softplus,
    softsign, elu, selu, sin, cos, exp, square, cube, g,
};

struct Activation {
    ActivationKind kind = ActivationKind::identity;
    double parameter = 0;
};

// What σ does under z → −z and z → c z, c > 0.
struct SymmetryClass {
    bool positively_homogeneous = false;  // σ(c z) = c σ(z)
    bool linear = false;
    bool odd = false;
    std::optional<double> constant_odd{};  // σ(z) + σ(−z), where that is a constant other than 0
    bool even = false;
    int homogeneous_degree = 0;           // k with σ(c z) = c^k σ(z); 0 if there is none
    std::optional<double> even_linear{};  // (σ(z) − σ(−z)) / z, where that is a constant and σ neither even nor odd
};

// All that is known of an activation but its formula.
struct ActivationDescription {
    ActivationKind kind;
    std::string_view name;
    SymmetryClass (*symmetry)(double parameter);
    std::optional<double> parameter{};  // its default, if σ has one
};

namespace activations {

// σ(z), σ'(z), σ''(z).
template <class V>
struct Derivatives {
    V value, slope, curvature;
};

template <class V>
Derivatives<V> relu(V z) { return {z < 0 ? V{} : z, z > 0 ? constant<V>(1) : V{}, V{}}; }

template <class V>
Derivatives<V> leaky_relu(V z, double slope) {
    const V left = constant<V>(slope);
    return {z > 0 ? z : left * z, z > 0 ? constant<V>(1) : left, V{}};
}

// What tanh, sigmoid, silu and softplus are made of, with a = |z| cut where e^{−a} is nothing, and w = 1/(1 + e^{−a}):
// sigmoid(−a) = lower · e.tail, sigmoid'(z) = bell · e.tail, tanh(a/2) = tanh.
template <class V>
struct Logistic {
    V a;
    elementary::Exponential<V> e;
    elementary::Reciprocal<V> w;
    V lower, bell, tanh;

    explicit Logistic(V z)
        : a(at_most(magnitude(z), elementary::decay_limit<Lane<V>>)), e(elementary::exponential(-a)),
          w(1 + e.value, (1 - (1 + e.value)) + e.value), lower(w.times(e.value)), bell(e.value * w.second()),
          tanh(w.times(magnitude(e.minus_one))) {}

    V sigmoid(V z) const { return z < 0 ? lower * e.tail : w.first(); }

    // scale · sigmoid''(a), a ≥ 0.
    V bell_slope(Lane<V> scale) const { return scale * e.value * w.third() * e.minus_one * e.tail; }
};

template <class V>
Derivatives<V> sigmoid(V z) {
    const Logistic<V> l(z);
    return {l.sigmoid(z), l.bell * l.e.tail, flip_sign(l.bell_slope(1), z)};
}

template <class V>
Derivatives<V> tanh(V z) {
    const Logistic<V> l(2 * z);
    return {flip_sign(l.tanh, z), 4 * l.bell * l.e.tail, flip_sign(l.bell_slope(8), z)};
}

template <class V>
Derivatives<V> silu(V z) {
    const Logistic<V> l(z);
    const V left = l.bell * ((1 - l.a) + l.e.value) * l.e.tail;
    const V right = l.w.second() * multiply_add(l.e.value, l.a, 1 + l.e.value);
    return {z < 0 ? -l.a * l.lower * l.e.tail : z * l.w.first(), z < 0 ? left : right,
            l.bell * multiply_add(-l.a, l.tanh, constant<V>(2)) * l.e.tail};
}

template <class V>
Derivatives<V> softplus(V z) {
    const Logistic<V> l(z);
    return {multiply_add(elementary::log1p(l.e.value), l.e.tail, z > 0 ? z : V{}), l.sigmoid(z), l.bell * l.e.tail};
}

// sigmoid(4z) + softplus(z).
template <class V>
Derivatives<V> g(V z) {
    const Derivatives<V> s = sigmoid(4 * z), p = softplus(z);
    return {s.value + p.value, multiply_add(constant<V>(4), s.slope, p.slope),
            multiply_add(constant<V>(16), s.curvature, p.curvature)};
}

// What erf, normal_cdf and gelu are made of: a = |z|, cut where e^{−a²/2} is nothing; φ(z) = density · e.tail;
// centre = erf(a/√2), for a ≤ 1 only; Φ(−a) = lower · e.tail = e^{−a²/2} · ratio; Φ(a) = upper.
template <class V>
struct Normal {
    static constexpr Lane<V> density_at_zero = 0.398942280401432677939946059934L;  // 1/√(2π)
    static constexpr Lane<V> limit = std::numeric_limits<Lane<V>>::max_exponent > 1024 ? 154 : 40;

    V a;
    elementary::Gaussian<V> square;
    elementary::Exponential<V> e;
    V density, ratio, centre, lower, upper;

    explicit Normal(V z)
        : a(at_most(magnitude(z), limit)), square(elementary::gaussian(a)), e(square.exponential),
          density(density_at_zero * e.value), ratio(elementary::scaled_normal_tail(a)),
          centre(elementary::erf_near_zero(a)), lower(from_centre(-0.5, e.value * ratio)),
          upper(from_centre(0.5, multiply_add(-e.value, ratio, constant<V>(1)))) {}

    // 1/2 ± erf(a/√2)/2 near 0, where it is the more accurate.
    V from_centre(Lane<V> half, V otherwise) const {
        return a < Lane<V>(0.625) ? multiply_add(constant<V>(half), centre, constant<V>(0.5)) : otherwise;
    }
};

template <class V>
Derivatives<V> normal_cdf(V z) {
    const Normal<V> n(z);
    return {z < 0 ? n.lower * n.e.tail : n.upper, n.density * n.e.tail, flip_sign(-n.a * n.density * n.e.tail, z)};
}

// erf(z/√2).
template <class V>
Derivatives<V> erf(V z) {
    const Normal<V> n(z);
    const V value = n.a < 1 ? n.centre : multiply_add(constant<V>(-2), n.lower, constant<V>(1));
    return {flip_sign(value, z), 2 * n.density * n.e.tail, flip_sign(-2 * n.a * n.density * n.e.tail, z)};
}

// z Φ(z), with σ' = Φ + z φ and σ'' = (2 − z²) φ.
template <class V>
Derivatives<V> gelu(V z) {
    const Normal<V> n(z);
    const V left = multiply_add(constant<V>(-n.density_at_zero), n.a, n.ratio);  // times e^{−a²/2}
    return {z < 0 ? -n.a * n.lower * n.e.tail : z * n.upper,
            z < 0 ? n.e.value * left * n.e.tail : multiply_add(-n.e.value, left, constant<V>(1)),
            n.density * ((2 - n.square.high) - n.square.low) * n.e.tail};
}

template <class V>
Derivatives<V> softsign(V z) {
    const V a = at_most(magnitude(z), std::numeric_limits<Lane<V>>::max() * 0x1p-64), sum = 1 + a;
    const elementary::Reciprocal<V> w(sum, a < 1 ? (1 - sum) + a : (a - sum) + 1);
    return {flip_sign(a < 1 ? w.times(a) : 1 - w.first(), z), w.second(),
            a > 0 ? flip_sign(-2 * w.third(), z) : V{}};
}

// right · z above 0, left · (e^z − 1) below.
template <class V>
Derivatives<V> exponential_unit(V z, Lane<V> right, Lane<V> left) {
    const auto e = elementary::exponential(at_least(at_most(z, 0), -elementary::decay_limit<Lane<V>>));
    const V below = left * e.value * e.tail;
    return {z > 0 ? right * z : left * e.minus_one, z > 0 ? constant<V>(right) : below, z < 0 ? below : V{}};
}

// scale = 1.0507…, alpha = 1.6732…: right = scale, left = scale · alpha.
template <class V>
Derivatives<V> selu(V z) {
    return exponential_unit<V>(z, 1.0507009873554804934193349852946L, 1.7580993408473768599402175208123L);
}

template <class V>
Derivatives<V> exp(V z) {
    constexpr auto limit = elementary::decay_limit<Lane<V>>;
    const auto e = elementary::exponential(at_most(at_least(z, -limit), limit));
    const V value = e.value * e.tail;
    return {value, value, value};
}

template <class V>
Derivatives<V> sin(V z) {
    const auto [s, c] = elementary::sin_cos(z);
    return {s, c, -s};
}

template <class V>
Derivatives<V> cos(V z) {
    const auto [s, c] = elementary::sin_cos(z);
    return {c, -s, -c};
}

constexpr SymmetryClass no_symmetry(double) { return {}; }
constexpr SymmetryClass odd(double) { return {.odd = true}; }
constexpr SymmetryClass even(double) { return {.even = true}; }
constexpr SymmetryClass one_odd(double) { return {.constant_odd = 1}; }
constexpr SymmetryClass even_plus_half(double) { return {.even_linear = 1}; }
constexpr SymmetryClass linear(double) {
    return {.positively_homogeneous = true, .linear = true, .odd = true, .homogeneous_degree = 1};
}
constexpr SymmetryClass rectified(double slope) {
    if (slope == 1) return linear(slope);
    if (slope == -1) return {.positively_homogeneous = true, .even = true, .homogeneous_degree = 1};
    return {.positively_homogeneous = true, .homogeneous_degree = 1, .even_linear = 1 + slope};
}
constexpr SymmetryClass quadratic(double) { return {.even = true, .homogeneous_degree = 2}; }
constexpr SymmetryClass cubic(double) { return {.odd = true, .homogeneous_degree = 3}; }

// Formula: V z [, double parameter] → Derivatives<V>.
template <class Formula>
struct Entry {
    ActivationDescription description;
    Formula formula;
};

inline constexpr auto entries = std::tuple{
    Entry{{ActivationKind::identity, "identity", linear},
          []<class V>(V z) { return Derivatives<V>{z, constant<V>(1), V{}}; }},
    Entry{{ActivationKind::relu, "relu", rectified}, [](auto z) { return relu(z); }},
    Entry{{ActivationKind::leaky_relu, "leaky_relu", rectified, 0.01},
          [](auto z, double slope) { return leaky_relu(z, slope); }},
    Entry{{ActivationKind::tanh, "tanh", odd}, [](auto z) { return tanh(z); }},
    Entry{{ActivationKind::sigmoid, "sigmoid", one_odd}, [](auto z) { return sigmoid(z); }},
    Entry{{ActivationKind::erf, "erf", odd}, [](auto z) { return erf(z); }},
    Entry{{ActivationKind::normal_cdf, "normal_cdf", one_odd}, [](auto z) { return normal_cdf(z); }},
    Entry{{ActivationKind::gelu, "gelu", even_plus_half}, [](auto z) { return gelu(z); }},
    Entry{{ActivationKind::silu, "silu", even_plus_half}, [](auto z) { return silu(z); }},
    Entry{{ActivationKind::softplus, "softplus", even_plus_half}, [](auto z) { return softplus(z); }},
    Entry{{ActivationKind::softsign, "softsign", odd}, [](auto z) { return softsign(z); }},
    Entry{{ActivationKind::elu, "elu", no_symmetry}, [](auto z) { return exponential_unit(z, 1, 1); }},
    Entry{{ActivationKind::selu, "selu", no_symmetry}, [](auto z) { return selu(z); }},
    Entry{{ActivationKind::sin, "sin", odd}, [](auto z) { return sin(z); }},
    Entry{{ActivationKind::cos, "cos", even}, [](auto z) { return cos(z); }},
    Entry{{ActivationKind::exp, "exp", no_symmetry}, [](auto z) { return exp(z); }},
    Entry{{ActivationKind::square, "square", quadratic},
          []<class V>(V z) { return Derivatives<V>{z * z, 2 * z, constant<V>(2)}; }},
    Entry{{ActivationKind::cube, "cube", cubic},
          []<class V>(V z) { return Derivatives<V>{z * z * z, 3 * (z * z), 6 * z}; }},
    Entry{{ActivationKind::g, "g", no_symmetry}, [](auto z) { return g(z); }},
};

// Derivatives up to `order` of a row by one formula. Flattened: what an order does not need is then never computed.
template <int order, class T, class Formula>
[[gnu::flatten]] void evaluate_row(Formula formula, const T* z, Index n, T* value, T* slope, T* curvature) {
    for (Index i = 0; i < n; i += Lanes<T>::count) {
        const Derivatives<Register<T>> d = formula(Register<T>(hessorbit::detail::lanes(z + i)));
        if (value) hessorbit::detail::lanes(value + i) = d.value;
        if constexpr (order > 0)
            if (slope) hessorbit::detail::lanes(slope + i) = d.slope;
        if constexpr (order > 1) hessorbit::detail::lanes(curvature + i) = d.curvature;
    }
}

}  // namespace activations

// Every activation, at the index its kind has.
inline constexpr auto activation_table = std::apply(
    [](const auto&... entry) { return std::array{entry.description...}; }, activations::entries);

static_assert([] {
    for (std::size_t i = 0; i < activation_table.size(); ++i)
        if (static_cast<std::size_t>(activation_table[i].kind) != i) return false;
    return true;
}());

// σ, σ' and σ'' of a row. z (n), n a multiple of row_multiple; a null output is skipped; value may be z itself.
template <class T>
void evaluate(const Activation& activation, const T* z, Index n, T* value, T* slope, T* curvature) {
    const auto run = [&](const auto& entry) {
        if (entry.description.kind != activation.kind) return false;
        const auto formula = [&](auto x) {
            if constexpr (std::is_invocable_v<decltype(entry.formula), decltype(x), double>)
                return entry.formula(x, activation.parameter);
            else return entry.formula(x);
        };
        if (curvature) activations::evaluate_row<2, T>(formula, z, n, value, slope, curvature);
        else if (slope) activations::evaluate_row<1, T>(formula, z, n, value, slope, curvature);
        else activations::evaluate_row<0, T>(formula, z, n, value, slope, curvature);
        return true;
    };
    std::apply([&](const auto&... entry) { return (run(entry) || ...); }, activations::entries);
}

}  // namespace hessorbit
