// Full-batch first-order training, step by step and deterministic:
//
//     gd         θ ← θ − η g
//     momentum   v ← μ v + g,  θ ← θ − η v                                            (as torch.optim.SGD)
//     adam       m ← β₁ m + (1−β₁) g,  s ← β₂ s + (1−β₂) g²,  θ ← θ − η m̂ / (√ŝ + ε)     (Kingma & Ba 2015)
//
// with m̂ = m/(1−β₁ᵗ), ŝ = s/(1−β₂ᵗ) after t steps.
#pragma once

#include "full_range.hpp"

#include <cmath>

namespace hessorbit {

enum class DescentMethod { gd, momentum, adam };

struct DescentOptions {
    DescentMethod method = DescentMethod::gd;
    double learning_rate = 1e-2, momentum = 0.9, beta2 = 0.999, epsilon = 1e-8;
};

class Descent {
public:
    // objective must outlive this; theta (P).
    Descent(FullRangeObjective& objective, const double* theta, const DescentOptions& options, int threads)
        : objective_(objective), options_(options), threads_(threads),
          theta_(theta, theta + objective.num_parameters()), gradient_(theta_.size()), velocity_(theta_.size(), 0.0),
          second_moment_(options.method == DescentMethod::adam ? theta_.size() : 0, 0.0) {
        evaluate();
    }

    // Takes up to max_steps steps; stops where max|g| ≤ gradient_tolerance, L ≤ loss_tolerance, or L or g is not finite.
    Index advance(Index max_steps, double gradient_tolerance, double loss_tolerance) {
        Index taken = 0;
        while (taken < max_steps && std::isfinite(loss_) && std::isfinite(gradient_norm_) &&
               gradient_norm_ > gradient_tolerance && loss_ > loss_tolerance) {
            step();
            evaluate();
            ++taken;
        }
        return taken;
    }

    const std::vector<double>& theta() const { return theta_; }
    const std::vector<double>& gradient() const { return gradient_; }
    double loss() const { return loss_; }
    double gradient_norm() const { return gradient_norm_; }
    Index steps() const { return steps_; }

private:
    void evaluate() {
        objective_.value_and_gradient(theta_.data(), 1, threads_, &loss_, gradient_.data());
        gradient_norm_ = 0;
        for (const double g : gradient_) gradient_norm_ = g == g ? std::max(gradient_norm_, std::abs(g)) : g;
    }

    void step() {
        ++steps_;
        const std::size_t p = theta_.size();
        const double rate = options_.learning_rate, mu = options_.momentum;
        if (options_.method == DescentMethod::gd) {
            for (std::size_t i = 0; i < p; ++i) theta_[i] -= rate * gradient_[i];
        } else if (options_.method == DescentMethod::momentum) {
            for (std::size_t i = 0; i < p; ++i) {
                velocity_[i] = mu * velocity_[i] + gradient_[i];
                theta_[i] -= rate * velocity_[i];
            }
        } else {
            const double t = static_cast<double>(steps_), beta2 = options_.beta2;
            const double step_size = rate / (1 - std::pow(mu, t)), root = std::sqrt(1 - std::pow(beta2, t));
            for (std::size_t i = 0; i < p; ++i) {
                velocity_[i] += (1 - mu) * (gradient_[i] - velocity_[i]);
                second_moment_[i] = beta2 * second_moment_[i] + (1 - beta2) * gradient_[i] * gradient_[i];
                theta_[i] -= step_size * velocity_[i] / (std::sqrt(second_moment_[i]) / root + options_.epsilon);
            }
        }
    }

    FullRangeObjective& objective_;
    DescentOptions options_;
    int threads_;
    std::vector<double> theta_, gradient_, velocity_, second_moment_;
    double loss_ = 0, gradient_norm_ = 0;
    Index steps_ = 0;
};

}  // namespace hessorbit
