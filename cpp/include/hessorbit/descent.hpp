// Full-batch first-order training, step by step and deterministic:
//
//     gd         θ ← θ − η g
//     momentum   v ← μ v + g,  θ ← θ − η v                                            (as torch.optim.SGD)
//     adam       m ← β₁ m + (1−β₁) g,  s ← β₂ s + (1−β₂) g²,  θ ← θ − η m̂ / (√ŝ + ε)     (Kingma & Ba 2015)
//
// with m̂ = m/(1−β₁ᵗ), ŝ = s/(1−β₂ᵗ) after t steps.
#pragma once

#include "full_range.hpp"

#include <Eigen/Core>

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
          threads_(threads), at_{Eigen::Map<const Eigen::ArrayXd>(theta, objective.num_parameters()),
                                 Eigen::ArrayXd(objective.num_parameters())},
          next_(at_), velocity_(Eigen::ArrayXd::Zero(at_.theta.size())), second_moment_(velocity_) {
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

    const Eigen::ArrayXd& theta() const { return at_.theta; }
    const Eigen::ArrayXd& gradient() const { return at_.gradient; }
    double loss() const { return at_.loss; }
    double gradient_norm() const { return at_.gradient_norm; }
    Index steps() const { return steps_; }

private:
    struct Point {
        Eigen::ArrayXd theta, gradient;
        double loss = 0, gradient_norm = 0;
    };

    void evaluate(Point& point) {
        objective_.value_and_gradient(point.theta.data(), 1, threads_, &point.loss, point.gradient.data());
        point.gradient_norm = point.gradient.abs().maxCoeff<Eigen::PropagateNaN>();
    }

    // From at_ to next_.
    void step() {
        const Eigen::ArrayXd &theta = at_.theta, &gradient = at_.gradient;
        const double rate = options_.learning_rate, mu = options_.momentum, beta2 = options_.beta2;
        if (options_.method == DescentMethod::gd) {
            next_.theta = theta - rate * gradient;
        } else if (options_.method == DescentMethod::momentum) {
            velocity_ = mu * velocity_ + gradient;
            next_.theta = theta - rate * velocity_;
        } else {
            const double t = static_cast<double>(steps_ + 1);
            const double step_size = rate / (1 - std::pow(mu, t)), root = std::sqrt(1 - std::pow(beta2, t));
            velocity_ += (1 - mu) * (gradient - velocity_);
            second_moment_ = beta2 * second_moment_ + (1 - beta2) * gradient * gradient;
            next_.theta = theta - step_size * velocity_ / (second_moment_.sqrt() / root + options_.epsilon);
        }
    }

    FullRangeObjective& objective_;
    DescentOptions options_;
    int threads_;
    Point at_, next_;
    Eigen::ArrayXd velocity_, second_moment_;
    Index steps_ = 0;
};

}  // namespace hessorbit
