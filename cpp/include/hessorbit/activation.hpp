// Activations σ with their first two derivatives, written once for a SIMD vector of samples and for long double.
//
// One table says everything about an activation: its name, the default of its parameter, its properties (symmetries,
// bounds, the atoms it is made of) and its derivatives. Adding one means an enumerator, an entry and tests.
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

#include "kernel/elementary.hpp"
#include "kernel/rows.hpp"

#include <array>
#include <numbers>
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

// A function φ of one number that activations are made of, and no sum of others. Its parity is +1 if it is even, −1 if
// odd, else 0; if degree is not 0, φ(c z) = c^degree φ(z) for c > 0. Bounds are those of |φ| and |φ'|, if any.
struct Atom {
    std::string_view name;
    int parity = 0, degree = 0;
    std::optional<double> bound{}, slope_bound{};
};

// amplitude · φ(scale · z)
struct Term {
    double amplitude, scale;
    Atom atom;
};

// σ(z) = constant + slope · z + Σ terms; an amplitude of 0 marks a term that is not there.
struct Expansion {
    double constant = 0, slope = 0;
    std::array<Term, 2> terms{};
};

// What is known of σ for one value of its parameter.
struct Properties {
    bool positively_homogeneous = false;  // σ(c z) = c σ(z)
    bool linear = false;
    bool odd = false;
    std::optional<double> constant_odd{};  // σ(z) + σ(−z), where that is a constant other than 0
    bool even = false;
    int homogeneous_degree = 0;            // k with σ(c z) = c^k σ(z); 0 if there is none
    std::optional<double> even_linear{};   // (σ(z) − σ(−z)) / z, where that is a constant and σ neither even nor odd
    bool exponential = false;              // σ(z + τ) = e^τ σ(z)
    std::optional<double> phase{};         // σ(z) = sin(z + phase)
    int power = 0;                         // k > 1 with σ(z) = z^k; 0 if there is none
    bool zero_below = false;               // σ(z) = 0 for every z ≤ 0
    std::optional<double> bound{};         // |σ| is at most this, if it is bounded
    std::optional<double> slope_bound{};   // |σ'| is at most this; else |σ| ≤ σ(c) and |σ'| ≤ σ'(c) for |z| ≤ c
    std::optional<Expansion> expansion{};  // where σ is not an atom of its own beside a constant and a linear part
};

// All that is known of an activation but its formula.
struct ActivationDescription {
    ActivationKind kind;
    std::string_view name;
    Properties (*properties)(double parameter);
    std::optional<double> parameter{};  // its default, if σ has one

    // σ in atoms.
    constexpr Expansion expansion(double at) const {
        const Properties p = properties(at);
        if (p.expansion) return *p.expansion;
        if (p.linear) return {.slope = 1};
        const int parity = p.even || p.even_linear ? 1 : p.odd || p.constant_odd ? -1 : 0;
        const double constant = p.constant_odd.value_or(0) / 2, slope = p.even_linear.value_or(0) / 2;
        Atom own{name, parity, p.homogeneous_degree};
        if (p.bound) own.bound = *p.bound + (constant < 0 ? -constant : constant);
        if (p.slope_bound) own.slope_bound = *p.slope_bound + (slope < 0 ? -slope : slope);
        return {constant, slope, {Term{1, 1, own}}};
    }
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

// What tanh, sigmoid, silu and softplus start with: a = |z|, cut where e^{−2a} is nothing, the exponential of −2a, and the
// division.
template <class V>
struct LogisticQuotient {
    V a;
    elementary::Exponential<V> e;
    V w;

    explicit LogisticQuotient(V z)
        : a(at_most(magnitude(z), elementary::decay_limit<Lane<V>> / 2)), e(elementary::exponential_of_twice(-a)),
          w(1 / e.sum) {}
};

// What they are made of: sigmoid(−2a) = lower = 2^k unscaled, sigmoid(2a) = upper, tanh(a) = tanh.
template <class V>
struct Logistic : LogisticQuotient<V> {
    using LogisticQuotient<V>::a, LogisticQuotient<V>::e, LogisticQuotient<V>::w;
    V lower, upper, tanh;

    explicit Logistic(const LogisticQuotient<V>& quotient)
        : LogisticQuotient<V>(quotient), lower(e.power.times(unscaled())), upper(1 - lower), tanh(e.difference * w) {}
    explicit Logistic(V z) : Logistic(LogisticQuotient<V>(z)) {}

    V unscaled() const { return e.times_above(w); }
    V scaled(V y) const { return e.power.times(y); }

    V sigmoid(V z) const { return z < 0 ? lower : upper; }
    V bell() const { return lower * upper; }

    // tanh(a) for bell' = −bell · tanh. What rounding took from w counts there 1 + tanh/upper times, for which 1 + tanh is
    // near enough; what it took from tanh counts too.
    V tanh_beside_bell() const {
        const V lost = elementary::Reciprocal<V>(e.sum, e.sum_lost).error * (1 + tanh);
        return tanh + multiply_add(tanh, lost, -remainder(e.difference, w, tanh));
    }
};

template <class V>
V half(V z) { return z * Lane<V>(0.5); }

template <class V>
Derivatives<V> sigmoid(V z, const Logistic<V>& l) {
    const V bell = l.bell();
    return {l.sigmoid(z), bell, flip_sign(bell * l.tanh_beside_bell(), -z)};
}

template <class V>
Derivatives<V> sigmoid(V z) { return sigmoid(z, Logistic<V>(half(z))); }

template <class V>
Derivatives<V> tanh(V z, const Logistic<V>& l) {
    const V four_lower = l.e.power.times_four().times(l.unscaled());
    const V slope = four_lower * multiply_add(constant<V>(-0.25), four_lower, constant<V>(1));
    return {flip_sign(l.tanh, z), slope, flip_sign((slope + slope) * l.tanh_beside_bell(), -z)};
}

// z s with s = sigmoid(z), s̄ = sigmoid(−z); σ' = s (1 + z s̄). Where σ and σ' are tiny, the factor a comes before 2^k.
template <class V>
Derivatives<V> silu(V z, const Logistic<V>& l) {
    const V a = l.a + l.a, unscaled = l.unscaled(), below = -a * unscaled;
    const V left = unscaled * multiply_add(-a, l.upper, constant<V>(1));
    const V right = l.upper * multiply_add(a, l.lower, constant<V>(1));
    const V tanh = multiply_add(constant<V>(-2), l.lower, constant<V>(1));
    return {z < 0 ? l.scaled(below) : multiply_add(l.e.power.value(), below, z), z < 0 ? l.scaled(left) : right,
            l.scaled(unscaled * l.upper * multiply_add(-a, tanh, constant<V>(2)))};
}

// log(1 + e^z) = max(z, 0) + 2 artanh s with s = e^{−a}/(2 + e^{−a}).
template <class V>
Derivatives<V> softplus(V z, const Logistic<V>& l) {
    const V s = l.e.above() / (l.e.below() + l.e.sum), scaled = l.e.power.value() * s, square = scaled * scaled;
    const V y = multiply_add(s * square, polynomial<elementary::detail::artanh_series>(square), s + s);
    return {z > 0 ? multiply_add(l.e.power.value(), y, z) : l.scaled(y), l.sigmoid(z), l.bell()};
}

template <class V>
Derivatives<V> softplus(V z) { return softplus(z, Logistic<V>(half(z))); }

// sigmoid(4z) + softplus(z).
template <class V>
Derivatives<V> g(V z) {
    const Derivatives<V> s = sigmoid(4 * z), p = softplus(z);
    return {s.value + p.value, multiply_add(constant<V>(4), s.slope, p.slope),
            multiply_add(constant<V>(16), s.curvature, p.curvature)};
}

// What erf, normal_cdf and gelu are made of: a = |z|, cut where e^{−a²/2} is nothing; Φ(−a) = 2^k lower,
// φ(z) = 2^k density, Φ(a) = upper.
template <class V>
struct Normal {
    static constexpr Lane<V> density_at_zero = 0.398942280401432677939946059934L;  // 1/√(2π)
    static constexpr Lane<V> limit = std::numeric_limits<Lane<V>>::max_exponent > 1024 ? 154 : 40;

    V a, square, square_lost;  // a² = square + square_lost: rounding it would cost the exponential up to a²/2 ulp
    elementary::Exponential<V> e;
    elementary::ScaledTail<V> tail;
    V w;  // e^{−a²/2} / (2^k tail.below)
    V lower, density, upper;

    explicit Normal(V z)
        : a(at_most(magnitude(z), limit)), square(a * a), square_lost(-remainder(a, a, square)),
          e(elementary::exponential_of_twice(Lane<V>(-0.25) * square, Lane<V>(-0.25) * square_lost)),
          tail(elementary::scaled_tail(a)), w(quotient()), lower(w * tail.above),
          density(w * (density_at_zero * tail.below)),
          upper(multiply_add(-e.power.value(), lower, constant<V>(1))) {}

    V scaled(V y) const { return e.power.times(y); }

private:
    V quotient() const {
        const V b = e.times_below(tail.below), lost = multiply_add(e.down, tail.below, e.below_head * tail.below - b);
        return e.times_above(elementary::Reciprocal<V>(b, lost));
    }
};

template <class V>
Derivatives<V> normal_cdf(V z) {
    const Normal<V> n(z);
    return {z < 0 ? n.scaled(n.lower) : n.upper, n.scaled(n.density), flip_sign(n.scaled(-n.a * n.density), z)};
}

// erf(z/√2).
template <class V>
Derivatives<V> erf(V z) {
    const Normal<V> n(z);
    const V value = n.a < 1 ? elementary::erf_near_zero(n.a)
                            : multiply_add(-2 * n.e.power.value(), n.lower, constant<V>(1));
    return {flip_sign(value, z), n.scaled(2 * n.density), flip_sign(n.scaled(-2 * n.a * n.density), z)};
}

// z Φ(z), with σ' = Φ + z φ and σ'' = (2 − z²) φ.
template <class V>
Derivatives<V> gelu(V z) {
    const Normal<V> n(z);
    const V left = n.w * multiply_add(-n.density_at_zero * n.a, n.tail.below, n.tail.above);  // Φ(−a) − a φ
    const V below = n.w * n.tail.a_above;  // −σ(−a) / 2^k
    return {z < 0 ? n.scaled(-below) : multiply_add(-n.e.power.value(), below, z),
            z < 0 ? n.scaled(left) : multiply_add(-n.e.power.value(), left, constant<V>(1)),
            n.scaled(n.density * ((2 - n.square) - n.square_lost))};
}

template <class V>
Derivatives<V> softsign(V z) {
    const V a = at_most(magnitude(z), std::numeric_limits<Lane<V>>::max() * 0x1p-64), sum = 1 + a;
    const V w = elementary::Reciprocal<V>(sum, a < 1 ? (1 - sum) + a : (a - sum) + 1).value();
    return {flip_sign(a < 1 ? w * a : 1 - w, z), w * w, a > 0 ? flip_sign(-2 * w * w * w, z) : V{}};
}

// right · z above 0, left · (e^z − 1) below.
template <class V>
Derivatives<V> exponential_unit(V z, Lane<V> right, Lane<V> left) {
    const auto e = elementary::exponential_of_twice(half(at_least(at_most(z, 0), -elementary::decay_limit<Lane<V>>)));
    const V w = left / e.below(), below = e.power.times(e.above() * w);
    return {z > 0 ? right * z : -e.difference * w, z > 0 ? constant<V>(right) : below, z < 0 ? below : V{}};
}

// scale = 1.0507…, alpha = 1.6732…: right = scale, left = scale · alpha.
inline constexpr long double selu_right = 1.0507009873554804934193349852946L;
inline constexpr long double selu_left = 1.7580993408473768599402175208123L;

template <class V>
Derivatives<V> selu(V z) { return exponential_unit<V>(z, selu_right, selu_left); }

template <class V>
Derivatives<V> exp(V z) {
    constexpr auto limit = elementary::decay_limit<Lane<V>>;
    const auto e = elementary::exponential_of_twice(half(at_most(at_least(z, -limit), limit)));
    const V value = e.power.times(e.above() / e.below());
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

inline constexpr Atom absolute_atom{"absolute value", +1, 1, {}, 1}, tanh_atom{"tanh", -1, 0, 1, 1};
inline constexpr Atom erf_atom{"erf", -1, 0, 1, 0.79789}, elu_atom{"elu", 0, 0, {}, 1};
inline constexpr Atom softplus_atom{"softplus", +1, 0, {}, 1.5};

constexpr Properties linear() {
    return {.positively_homogeneous = true, .linear = true, .odd = true, .homogeneous_degree = 1, .slope_bound = 1};
}

// An odd function between −1 and 1.
constexpr Properties odd(double slope_bound) { return {.odd = true, .bound = 1, .slope_bound = slope_bound}; }

// z above 0, slope · z below.
constexpr Properties rectified(double slope) {
    if (slope == 1) return linear();
    Properties p{.positively_homogeneous = true, .homogeneous_degree = 1, .zero_below = slope == 0};
    if (slope == -1) p.even = true;
    else p.even_linear = 1 + slope;
    p.slope_bound = slope > 1 ? slope : slope < -1 ? -slope : 1;
    p.expansion = Expansion{0, (1 + slope) / 2, {Term{(1 - slope) / 2, 1, absolute_atom}}};
    return p;
}

// left · elu(z) + (right − left) · relu(z)
constexpr Expansion selu_expansion() {
    constexpr double left = selu_left, half = (selu_right - selu_left) / 2;
    return {0, half, {Term{left, 1, elu_atom}, Term{half, 1, absolute_atom}}};
}

// A formula in two steps: start(z), which ends with a division, and derivatives(z, start(z)). Starts in a row hide each
// other's latency better than whole formulas do, which are longer than a processor looks ahead.
template <class Start, class Finish>
struct InSteps {
    Start start;
    Finish derivatives;
};

// Formula: V z [, double parameter] → Derivatives<V>, or in two steps.
template <class Formula>
struct Entry {
    ActivationDescription description;
    Formula formula;
};

inline constexpr auto start_logistic = []<class V>(V z) { return LogisticQuotient<V>(z); };
inline constexpr auto start_half_logistic = []<class V>(V z) { return LogisticQuotient<V>(half(z)); };

// Bounds on slopes are rounded up: √(2/π) for erf, half of it for normal_cdf, at z = √2 for gelu, at 2.3994 for silu.
inline constexpr auto entries = std::tuple{
    Entry{{ActivationKind::identity, "identity", [](double) { return linear(); }},
          []<class V>(V z) { return Derivatives<V>{z, constant<V>(1), V{}}; }},
    Entry{{ActivationKind::relu, "relu", [](double) { return rectified(0); }}, [](auto z) { return relu(z); }},
    Entry{{ActivationKind::leaky_relu, "leaky_relu", rectified, 0.01},
          [](auto z, double slope) { return leaky_relu(z, slope); }},
    Entry{{ActivationKind::tanh, "tanh", [](double) { return odd(1); }},
          InSteps{start_logistic, []<class V>(V z, const auto& q) { return tanh(z, Logistic<V>(q)); }}},
    Entry{{ActivationKind::sigmoid, "sigmoid",
           [](double) {
               return Properties{.constant_odd = 1, .bound = 1, .slope_bound = 0.25,
                                 .expansion = Expansion{0.5, 0, {Term{0.5, 0.5, tanh_atom}}}};
           }},
          InSteps{start_half_logistic, []<class V>(V z, const auto& q) { return sigmoid(z, Logistic<V>(q)); }}},
    Entry{{ActivationKind::erf, "erf", [](double) { return odd(0.79789); }},
          [](auto z) { return erf(z); }},
    Entry{{ActivationKind::normal_cdf, "normal_cdf",
           [](double) {
               return Properties{.constant_odd = 1, .bound = 1, .slope_bound = 0.39895,
                                 .expansion = Expansion{0.5, 0, {Term{0.5, 1, erf_atom}}}};
           }},
          [](auto z) { return normal_cdf(z); }},
    Entry{{ActivationKind::gelu, "gelu", [](double) { return Properties{.even_linear = 1, .slope_bound = 1.1290}; }},
          [](auto z) { return gelu(z); }},
    Entry{{ActivationKind::silu, "silu", [](double) { return Properties{.even_linear = 1, .slope_bound = 1.0999}; }},
          InSteps{start_half_logistic, []<class V>(V z, const auto& q) { return silu(z, Logistic<V>(q)); }}},
    Entry{{ActivationKind::softplus, "softplus", [](double) { return Properties{.even_linear = 1, .slope_bound = 1}; }},
          InSteps{start_half_logistic, []<class V>(V z, const auto& q) { return softplus(z, Logistic<V>(q)); }}},
    Entry{{ActivationKind::softsign, "softsign", [](double) { return odd(1); }},
          [](auto z) { return softsign(z); }},
    Entry{{ActivationKind::elu, "elu", [](double) { return Properties{.slope_bound = 1}; }},
          [](auto z) { return exponential_unit(z, 1, 1); }},
    Entry{{ActivationKind::selu, "selu",
           [](double) { return Properties{.slope_bound = 1.7581, .expansion = selu_expansion()}; }},
          [](auto z) { return selu(z); }},
    Entry{{ActivationKind::sin, "sin",
           [](double) { return Properties{.odd = true, .phase = 0, .bound = 1, .slope_bound = 1}; }},
          [](auto z) { return sin(z); }},
    Entry{{ActivationKind::cos, "cos",
           [](double) {
               return Properties{.even = true, .phase = std::numbers::pi / 2, .bound = 1, .slope_bound = 1};
           }},
          [](auto z) { return cos(z); }},
    Entry{{ActivationKind::exp, "exp", [](double) { return Properties{.exponential = true}; }},
          [](auto z) { return exp(z); }},
    Entry{{ActivationKind::square, "square",
           [](double) { return Properties{.even = true, .homogeneous_degree = 2, .power = 2}; }},
          []<class V>(V z) { return Derivatives<V>{z * z, 2 * z, constant<V>(2)}; }},
    Entry{{ActivationKind::cube, "cube",
           [](double) { return Properties{.odd = true, .homogeneous_degree = 3, .power = 3}; }},
          []<class V>(V z) { return Derivatives<V>{z * z * z, 3 * (z * z), 6 * z}; }},
    Entry{{ActivationKind::g, "g",
           [](double) {
               const std::array terms{Term{0.5, 2, tanh_atom}, Term{1, 1, softplus_atom}};
               return Properties{.slope_bound = 2, .expansion = Expansion{0.5, 0.5, terms}};
           }},
          [](auto z) { return g(z); }},
};

template <class T, class Formula>
auto with_parameter(const Formula& formula, double parameter) {
    if constexpr (std::is_invocable_v<Formula, Register<T>, double>)
        return [=](Register<T> z) { return formula(z, parameter); };
    else
        return formula;
}

// Derivatives up to `order` of a row by one formula. Flattened: what an order does not need is then never computed. A
// row that is not asked for is written where the next order goes, which then covers it: the loop has no branches.
// Several vectors at a time, as a formula is one long chain of operations and would wait for itself: of eight that are
// started, all that the second steps need stays in cache at least; whole formulas have no room for more than two.
template <int order, class T, class Formula>
[[gnu::flatten]] void evaluate_row(Formula formula, const T* z, Index n, T* value, T* slope, T* curvature) {
    using V = Register<T>;
    constexpr Index lane_count = Lanes<T>::count;
    if (!slope) slope = curvature;
    if (!value) value = slope;
    const auto store = [=](const Derivatives<V>& derivatives, Index i) {
        hessorbit::detail::lanes(value + i) = derivatives.value;
        if constexpr (order > 0) hessorbit::detail::lanes(slope + i) = derivatives.slope;
        if constexpr (order > 1) hessorbit::detail::lanes(curvature + i) = derivatives.curvature;
    };
    const auto evaluate = [&](auto... at) {
        const auto load = [z](Index i) { return V(hessorbit::detail::lanes(z + i)); };
        if constexpr (requires { formula.start; }) {
            const std::array started{formula.start(load(at))...};
            std::size_t i = 0;
            (store(formula.derivatives(load(at), started[i++]), at), ...);
        } else {
            const std::array derivatives{formula(load(at))...};
            std::size_t i = 0;
            (store(derivatives[i++], at), ...);
        }
    };
    Index i = 0;
    const auto blocks = [&]<Index... j>(std::integer_sequence<Index, j...>) {
        for (constexpr Index size = sizeof...(j) * lane_count; i + size <= n; i += size)
            evaluate(i + j * lane_count...);
    };
    if constexpr (requires { formula.start; }) blocks(std::make_integer_sequence<Index, 8>());
    blocks(std::make_integer_sequence<Index, 2>());
    blocks(std::make_integer_sequence<Index, 1>());
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
        const auto formula = with_parameter<T>(entry.formula, activation.parameter);
        if (curvature) activations::evaluate_row<2, T>(formula, z, n, value, slope, curvature);
        else if (slope) activations::evaluate_row<1, T>(formula, z, n, value, slope, curvature);
        else if (value) activations::evaluate_row<0, T>(formula, z, n, value, slope, curvature);
        return true;
    };
    std::apply([&](const auto&... entry) { return (run(entry) || ...); }, activations::entries);
}

}  // namespace hessorbit
