// Activations σ with their first two derivatives, written once for a SIMD vector of samples and for long double.
//
// One table says everything about an activation: its name, the default of its parameter, its symmetry class and its
// derivatives. Adding one means one enumerator and one entry (and tests).
//
// At kinks the slope is the one torch takes, that of the left branch for relu, leaky_relu and selu (0, slope,
// scale·α) and 1 for elu and softsign; the curvature there is 0.
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
    int homogeneous_degree = 0;           // k with σ(c z) = c^k σ(z); 0 if none
    std::optional<double> even_linear{};  // (σ(z) − σ(−z)) / z, where that is a constant and σ neither even nor odd
};

// σ(z), σ'(z), σ''(z).
template <class V>
struct Derivatives {
    V value, slope, curvature;
};

namespace detail {

template <class V>
V constant(elementary::Lane<V> c) { return V{} + c; }

template <class V>
Derivatives<V> logistic_derivatives(V z) {
    const V e = elementary::exp(-elementary::magnitude(z)), w = 1 / (1 + e);
    const V slope = e * w * w, tanh = (1 - e) * w;
    return {z < 0 ? e * w : w, slope, z < 0 ? slope * tanh : -slope * tanh};
}

template <class V>
Derivatives<V> normal_cdf_derivatives(V z) {
    using T = elementary::Lane<V>;
    const T root_half = std::sqrt(T(0.5)), density_0 = T(0.398942280401432677939946059934381868L);
    const V density = density_0 * elementary::exp(-z * z / 2);
    return {elementary::erfc(-z * root_half) / 2, density, -z * density};
}

template <class V>
Derivatives<V> softplus_derivatives(V z) {
    const Derivatives<V> sigmoid = logistic_derivatives(z);
    const V positive = z > 0 ? z : V{};
    return {positive + elementary::log1p(elementary::exp(-elementary::magnitude(z))), sigmoid.value, sigmoid.slope};
}

// One row of the table.
template <class Formula>
struct ActivationEntry {
    ActivationKind kind;
    std::string_view name;
    std::optional<double> parameter;  // its default
    SymmetryClass (*symmetry)(double parameter);
    Formula formula;  // (z, parameter) → Derivatives
};

inline constexpr auto activation_entries = std::tuple{
    ActivationEntry{ActivationKind::identity, "identity", std::nullopt,
                    [](double) { return SymmetryClass{.positively_homogeneous = true, .linear = true, .odd = true, .homogeneous_degree = 1}; },
                    []<class V>(V z, double) { return Derivatives<V>{z, constant<V>(1), V{}}; }},
    ActivationEntry{ActivationKind::relu, "relu", std::nullopt,
                    [](double) { return SymmetryClass{.positively_homogeneous = true, .homogeneous_degree = 1, .even_linear = 1.0}; },
                    []<class V>(V z, double) { return Derivatives<V>{z > 0 ? z : V{}, z > 0 ? constant<V>(1) : V{}, V{}}; }},
    ActivationEntry{ActivationKind::leaky_relu, "leaky_relu", 0.01,
                    [](double slope) { return SymmetryClass{.positively_homogeneous = true, .homogeneous_degree = 1, .even_linear = 1 + slope}; },
                    []<class V>(V z, double slope) { return Derivatives<V>{z > 0 ? z : slope * z, z > 0 ? constant<V>(1) : constant<V>(slope), V{}}; }},
    ActivationEntry{ActivationKind::tanh, "tanh", std::nullopt,
                    [](double) { return SymmetryClass{.odd = true}; },
                    []<class V>(V z, double) {
                        const V a = elementary::magnitude(z), m = elementary::expm1(-2 * a), w = 1 / (2 + m);
                        const V t = -m * w, slope = 4 * (1 + m) * w * w;
                        return Derivatives<V>{z < 0 ? -t : t, slope, z < 0 ? 2 * t * slope : -2 * t * slope};
                    }},
    ActivationEntry{ActivationKind::sigmoid, "sigmoid", std::nullopt,
                    [](double) { return SymmetryClass{.constant_odd = 1.0}; },
                    []<class V>(V z, double) { return logistic_derivatives(z); }},
    ActivationEntry{ActivationKind::erf, "erf", std::nullopt,
                    [](double) { return SymmetryClass{.odd = true}; },
                    []<class V>(V z, double) {
                        using T = elementary::Lane<V>;
                        const Derivatives<V> d = normal_cdf_derivatives(z);
                        return Derivatives<V>{elementary::erf(z * std::sqrt(T(0.5))), 2 * d.slope, 2 * d.curvature};
                    }},
    ActivationEntry{ActivationKind::normal_cdf, "normal_cdf", std::nullopt,
                    [](double) { return SymmetryClass{.constant_odd = 1.0}; },
                    []<class V>(V z, double) { return normal_cdf_derivatives(z); }},
    ActivationEntry{ActivationKind::gelu, "gelu", std::nullopt,
                    [](double) { return SymmetryClass{.even_linear = 1.0}; },
                    []<class V>(V z, double) {
                        const Derivatives<V> d = normal_cdf_derivatives(z);
                        return Derivatives<V>{z * d.value, d.value + z * d.slope, d.slope * (2 - z * z)};
                    }},
    ActivationEntry{ActivationKind::silu, "silu", std::nullopt,
                    [](double) { return SymmetryClass{.even_linear = 1.0}; },
                    []<class V>(V z, double) {
                        const Derivatives<V> d = logistic_derivatives(z);
                        return Derivatives<V>{z * d.value, d.value + z * d.slope, 2 * d.slope + z * d.curvature};
                    }},
    ActivationEntry{ActivationKind::softplus, "softplus", std::nullopt,
                    [](double) { return SymmetryClass{.even_linear = 1.0}; },
                    []<class V>(V z, double) { return softplus_derivatives(z); }},
    ActivationEntry{ActivationKind::softsign, "softsign", std::nullopt,
                    [](double) { return SymmetryClass{.odd = true}; },
                    []<class V>(V z, double) {
                        const V w = 1 / (1 + elementary::magnitude(z)), third = 2 * w * w * w;
                        return Derivatives<V>{z * w, w * w, z < 0 ? third : z > 0 ? -third : V{}};
                    }},
    ActivationEntry{ActivationKind::elu, "elu", std::nullopt,
                    [](double) { return SymmetryClass{}; },
                    []<class V>(V z, double) {
                        const V m = elementary::expm1(z > 0 ? V{} : z), e = elementary::exp(z > 0 ? V{} : z);
                        return Derivatives<V>{z > 0 ? z : m, e, z < 0 ? e : V{}};
                    }},
    ActivationEntry{ActivationKind::selu, "selu", std::nullopt,
                    [](double) { return SymmetryClass{}; },
                    []<class V>(V z, double) {
                        using T = elementary::Lane<V>;
                        const T scale = T(1.0507009873554804934193349852946L), alpha = T(1.6732632423543772848170429916717L);
                        const V m = elementary::expm1(z > 0 ? V{} : z), e = elementary::exp(z > 0 ? V{} : z);
                        const T both = scale * alpha;
                        return Derivatives<V>{z > 0 ? scale * z : both * m, z > 0 ? constant<V>(scale) : both * e, z < 0 ? both * e : V{}};
                    }},
    ActivationEntry{ActivationKind::sin, "sin", std::nullopt,
                    [](double) { return SymmetryClass{.odd = true}; },
                    []<class V>(V z, double) { const V s = elementary::sin(z); return Derivatives<V>{s, elementary::cos(z), -s}; }},
    ActivationEntry{ActivationKind::cos, "cos", std::nullopt,
                    [](double) { return SymmetryClass{.even = true}; },
                    []<class V>(V z, double) { const V c = elementary::cos(z); return Derivatives<V>{c, -elementary::sin(z), -c}; }},
    ActivationEntry{ActivationKind::exp, "exp", std::nullopt,
                    [](double) { return SymmetryClass{}; },
                    []<class V>(V z, double) { const V e = elementary::exp(z); return Derivatives<V>{e, e, e}; }},
    ActivationEntry{ActivationKind::square, "square", std::nullopt,
                    [](double) { return SymmetryClass{.even = true, .homogeneous_degree = 2}; },
                    []<class V>(V z, double) { return Derivatives<V>{z * z, 2 * z, constant<V>(2)}; }},
    ActivationEntry{ActivationKind::cube, "cube", std::nullopt,
                    [](double) { return SymmetryClass{.odd = true, .homogeneous_degree = 3}; },
                    []<class V>(V z, double) { return Derivatives<V>{z * z * z, 3 * (z * z), 6 * z}; }},
    ActivationEntry{ActivationKind::g, "g", std::nullopt,
                    [](double) { return SymmetryClass{}; },
                    []<class V>(V z, double) {
                        const Derivatives<V> s = logistic_derivatives(4 * z), p = softplus_derivatives(z);
                        return Derivatives<V>{s.value + p.value, 4 * s.slope + p.slope, 16 * s.curvature + p.curvature};
                    }},
};

}  // namespace detail

// What is known of an activation, for whoever names or lists them.
struct ActivationDescription {
    ActivationKind kind;
    std::string_view name;
    std::optional<double> parameter;  // its default
    SymmetryClass (*symmetry)(double parameter);
};

inline constexpr auto activation_table = std::apply(
    [](const auto&... entry) {
        return std::array{ActivationDescription{entry.kind, entry.name, entry.parameter, entry.symmetry}...};
    },
    detail::activation_entries);

// σ, σ' and σ'' of a row. z (n), n a multiple of row_multiple; a null output is skipped; value may be z itself.
template <class T>
void evaluate(const Activation& activation, const T* z, Index n, T* value, T* slope, T* curvature) {
    const auto run = [&](const auto& entry) {
        using V = elementary::Register<T>;
        for (Index i = 0; i < n; i += Lanes<T>::count) {
            const V x = detail::lanes(z + i);
            const Derivatives<V> d = entry.formula(x, activation.parameter);
            if (value) detail::lanes(value + i) = d.value;
            if (slope) detail::lanes(slope + i) = d.slope;
            if (curvature) detail::lanes(curvature + i) = d.curvature;
        }
        return true;
    };
    std::apply([&](const auto&... entry) { return ((entry.kind == activation.kind && run(entry)) || ...); },
               detail::activation_entries);
}

}  // namespace hessorbit
