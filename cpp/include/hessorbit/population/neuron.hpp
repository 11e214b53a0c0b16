// A hidden neuron σ(w·x + b) that sees normal inputs, and what integrals must know of its σ.
#pragma once

#include "../activation.hpp"

#include <array>
#include <cmath>

namespace hessorbit::population {

// σ is analytic but at z = 0, where its slope may jump, or its curvature.
struct Shape {
    Activation activation;
    bool constant = false;  // σ = 1, of the neuron that stands for the output biases
    double jump = 0;        // σ'(0+) − σ'(0−)
    bool kinked = false;    // σ' or σ'' jumps
    double narrowness = 1;  // σ changes fast within 1/narrowness of 0, and its poles are π/2 of that away; 0: nowhere
    double frequency = 0;   // σ turns, or grows by e, this often in a unit of z, however large z is
    double growth = 0;      // |σ(z)| ≤ e^{growth |z|}, but for powers

    Shape() : constant(true), narrowness(0) {}

    explicit Shape(const Activation& of) : activation(of) {
        alignas(64) std::array<double, row_multiple> z{-0x1p-1000, 0x1p-1000}, value{}, slope{}, curvature{};
        evaluate<double>(activation, z.data(), row_multiple, value.data(), slope.data(), curvature.data());
        // Formulas of the two sides may differ by rounding.
        constexpr double rounding = 0x1p-44;
        if (const double step = slope[1] - slope[0]; std::abs(step) > rounding) jump = step;
        kinked = jump != 0 || std::abs(curvature[1] - curvature[0]) > rounding;
        using enum ActivationKind;
        switch (activation.kind) {
            case identity:
            case square:
            case cube:
            case relu:
            case leaky_relu:
                narrowness = 0;
                break;
            case sin:
            case cos:
                narrowness = 0, frequency = 1;
                break;
            case exp:
                narrowness = 0, frequency = growth = 1;
                break;
            case sigmoid:
            case softplus:
            case silu:
                narrowness = 0.5;
                break;
            case g:
                narrowness = 2;
                break;
            default:
                break;
        }
    }

    // σ, σ' and σ'' of a row; n a multiple of row_multiple, arrays aligned as rows are.
    void derivatives(const double* z, Index n, double* value, double* slope, double* curvature) const {
        if (!constant) return evaluate<double>(activation, z, n, value, slope, curvature);
        std::fill_n(value, n, 1.0);
        if (slope) std::fill_n(slope, n, 0.0);
        if (curvature) std::fill_n(curvature, n, 0.0);
    }
};

// The plane of two neurons' weights, in an orthonormal basis e₁ ∥ w_a, e₂: z_a = along_a t₁ + bias_a,
// z_b = along_b t₁ + across_b t₂ + bias_b. Where w_a is 0, w_b is along e₁ too.
struct Plane {
    double along_a, bias_a, along_b, across_b, bias_b;
};

}  // namespace hessorbit::population
