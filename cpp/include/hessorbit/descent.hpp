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
        : objective_(objective), options_(options),
          threads_(threads), at_{{theta, theta + objective.num_parameters()},
                                 std::vector<double>(objective.num_parameters())},
          next_(at_), velocity_(at_.theta.size(), 0.0),
          second_moment_(options.method == DescentMethod::adam ? at_.theta.size() : 0, 0.0) {
        evaluate(at_);
    }

    // Takes up to max_steps steps; stops where max|g| ≤ gradient_tolerance, L ≤ loss_tolerance, or L or g is not finite.
    // Interrupted, it stays at the last point that has been evaluated.
    Index advance(Index max_steps, double gradient_tolerance, double loss_tolerance) {
        Index taken = 0;
        while (taken < max_steps && std::isfinite(at_.loss) && std::isfinite(at_.gradient_norm) &&
               at_.gradient_norm > gradient_tolerance && at_.loss > loss_tolerance) {
            stop_if_interrupted();
            step();
            evaluate(next_);
            std::swap(at_, next_);
            ++steps_;
            ++taken;
        }
        return taken;
    }

    const std::vector<double>& theta() const { return at_.theta; }
    const std::vector<double>& gradient() const { return at_.gradient; }
    double loss() const { return at_.loss; }
    double gradient_norm() const { return at_.gradient_norm; }
    Index steps() const { return steps_; }

private:
    struct Point {
        std::vector<double> theta, gradient;
        double loss = 0, gradient_norm = 0;
    };

    void evaluate(Point& point) {
        objective_.value_and_gradient(point.theta.data(), 1, threads_, &point.loss, point.gradient.data());
        point.gradient_norm = 0;
        for (const double g : point.gradient)
            point.gradient_norm = g == g ? std::max(point.gradient_norm, std::abs(g)) : g;
    }

    // From at_ to next_.
    void step() {
        const std::vector<double>&theta = at_.theta, &gradient = at_.gradient;
        std::vector<double>& next = next_.theta;
        const std::size_t p = theta.size();
        const double rate = options_.learning_rate, mu = options_.momentum;
        if (options_.method == DescentMethod::gd) {
            for (std::size_t i = 0; i < p; ++i) next[i] = theta[i] - rate * gradient[i];
        } else if (options_.method == DescentMethod::momentum) {
            for (std::size_t i = 0; i < p; ++i) {
                velocity_[i] = mu * velocity_[i] + gradient[i];
                next[i] = theta[i] - rate * velocity_[i];
            }
        } else {
            const double t = static_cast<double>(steps_ + 1), beta2 = options_.beta2;
            const double step_size = rate / (1 - std::pow(mu, t)), root = std::sqrt(1 - std::pow(beta2, t));
            for (std::size_t i = 0; i < p; ++i) {
                velocity_[i] += (1 - mu) * (gradient[i] - velocity_[i]);
                second_moment_[i] = beta2 * second_moment_[i] + (1 - beta2) * gradient[i] * gradient[i];
                next[i] =
                    theta[i] - step_size * velocity_[i] / (std::sqrt(second_moment_[i]) / root + options_.epsilon);
            }
        }
    }

    FullRangeObjective& objective_;
    DescentOptions options_;
    int threads_;
    Point at_, next_;
    std::vector<double> velocity_, second_moment_;
    Index steps_ = 0;
};

}  // namespace hessorbit
