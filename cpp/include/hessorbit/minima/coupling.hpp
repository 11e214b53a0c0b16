// Neurons that share one constrained sum, their outgoing weights minimised away:
//
//     h(x) = Σ_k (x_k − s_k)² + ‖ρ + Σ_k t_k v_k‖² / (A + Σ_k t_k²),     t_k = σ(x_k)
//
// For copies of a homogeneous teacher neuron A = 0 and ρ is minus the teacher's outgoing weights; for constant neurons
// A = 1 stands for the output bias, where there is one. h is bounded below by the Lagrangian dual, for every μ:
//
//     h(x) ≥ 2 μ·ρ − A‖μ‖² + Σ_k min ψ_k,     ψ_k = (x − s_k)² + 2 μ·v_k σ(x) − ‖μ‖² σ(x)²
//
// which is concave in μ and usually tight. Where it is not, boxes of x are cut until it is.
#pragma once

#include "role_costs.hpp"

#include <Eigen/Cholesky>
#include <queue>
#include <vector>

namespace hessorbit::minima {

// A minimum found, and the bound that it cannot fall below.
struct Certified {
    double value = infinity, lower = -infinity;
    std::vector<double> x;
    Vector multiplier;        // μ
    double dual = -infinity;  // the dual at μ
};

template <class Response>
class Coupling {
public:
    // A sum of norm `negligible` or less counts as 0 where nothing can give way to it.
    Coupling(const Response& response, double largest_q, Vector residual, double spare, double negligible,
             Limits& limits)
        : response_(response), largest_q_(largest_q), residual_(std::move(residual)), spare_(spare),
          negligible_(negligible), limits_(limits) {}

    void add(double start, Vector outgoing) {
        start_.push_back(start);
        outgoing_.push_back(std::move(outgoing));
    }

    // The minimum to within `slack`; at most `max_boxes` boxes are looked at before the gap is left as it is.
    Certified minimise(double slack, int max_boxes) const {
        Certified result;
        if (count() == 0) {
            offer(result, {});
            result.lower = result.dual = result.value;
            double cost;
            result.multiplier = multiplier({}, cost);
            return result;
        }
        ascend(result);
        if (result.value - result.lower > slack && max_boxes > 0) split(result, slack, max_boxes);
        return result;
    }

private:
    struct Box {
        double bound;
        std::vector<double> lower, upper;
        bool operator<(const Box& other) const { return bound > other.bound; }  // the lowest bound first
    };

    int count() const { return static_cast<int>(start_.size()); }

    // μ at which the dual touches h, if h is smooth there.
    Vector multiplier(const std::vector<double>& x, double& cost) const {
        Vector sum = residual_;
        double weight = spare_;
        cost = 0;
        for (int k = 0; k < count(); ++k) {
            const double t = response_.t(x[k]);
            sum += t * outgoing_[k];
            weight += t * t;
            cost += (x[k] - start_[k]) * (x[k] - start_[k]);
        }
        if (weight == 0) {
            if (sum.norm() > negligible_) cost = infinity;
            return Vector::Zero(sum.size());
        }
        cost += sum.squaredNorm() / weight;
        return sum / weight;
    }

    void offer(Certified& result, const std::vector<double>& x) const {
        double cost;
        multiplier(x, cost);
        if (cost < result.value) {
            result.value = cost;
            result.x = x;
        }
    }

    // Newton's method on the dual. Every μ gives a bound, and every minimiser x(μ) a value.
    void ascend(Certified& result) const {
        const Index outputs = residual_.size();
        Vector mu = Vector::Zero(outputs), gradient;
        Eigen::MatrixXd hessian;
        std::vector<double> x;
        double value = dual(mu, x, &gradient, &hessian);
        offer(result, x);
        // Where every start is off, the minimisers are 0 and do not meet the constraint: equal x do.
        if (result.value == infinity)
            offer(result, std::vector<double>(count(), std::sqrt(residual_.norm() / count())));
        for (int step = 0; step < 60; ++step) {
            const Vector direction = hessian.ldlt().solve(gradient);
            const double gain = gradient.dot(direction);
            if (!(gain > 1e-16 * (1 + std::abs(value)))) break;
            double length = 1, next = -infinity;
            Vector trial;
            for (; length > 1e-9; length /= 3) {
                trial = mu + length * direction;
                if (trial.squaredNorm() >= largest_q_) continue;
                next = dual(trial, x, &gradient, &hessian);
                offer(result, x);
                if (next >= value + 0.1 * length * gain) break;
            }
            if (!(next > value)) break;
            mu = trial;
            value = next;
        }
        result.lower = result.dual = value;
        result.multiplier = mu;
    }

    // The dual at μ, its gradient and minus its Hessian; x receives the minimisers.
    double dual(const Vector& mu, std::vector<double>& x, Vector* gradient, Eigen::MatrixXd* hessian) const {
        const double q = mu.squaredNorm();
        double value = 2 * mu.dot(residual_) - spare_ * q;
        x.resize(count());
        *gradient = 2 * residual_ - 2 * spare_ * mu;
        double identity = 2 * spare_ + 1e-12;
        hessian->setZero(mu.size(), mu.size());
        for (int k = 0; k < count(); ++k) {
            limits_.poll();
            const Inner inner = response_.minimise(start_[k], mu.dot(outgoing_[k]), q, limits_);
            const double t = inner.t;
            value += inner.value;
            x[k] = inner.x;
            *gradient += 2 * t * (outgoing_[k] - t * mu);
            const Vector bent = outgoing_[k] - 2 * t * mu;
            *hessian += inner.stiffness * bent * bent.transpose();
            identity += 2 * t * t;
        }
        hessian->diagonal().array() += identity;
        return value;
    }

    // Branch and bound over boxes of x; the bound of a box is the dual at the multiplier of its best known point.
    void split(Certified& result, double slack, int max_boxes) const {
        Box all{result.lower, {}, {}};
        for (int k = 0; k < count(); ++k) {
            const double radius = std::sqrt(result.value);
            all.lower.push_back(std::max(Response::lowest, start_[k] - radius));
            all.upper.push_back(std::max(all.lower.back(), start_[k] + radius));
        }
        std::priority_queue<Box> open;
        open.push(std::move(all));
        for (int looked_at = 0; !open.empty() && open.top().bound < result.value - slack; ++looked_at) {
            limits_.poll();
            if (looked_at >= max_boxes) {
                result.lower = std::max(result.lower, open.top().bound);
                return;
            }
            const Box box = open.top();
            open.pop();
            int widest = 0;
            for (int k = 1; k < count(); ++k)
                if (box.upper[k] - box.lower[k] > box.upper[widest] - box.lower[widest]) widest = k;
            const double middle = (box.lower[widest] + box.upper[widest]) / 2;
            for (const bool left : {true, false}) {
                Box half = box;
                (left ? half.upper : half.lower)[widest] = middle;
                half.bound = std::max(box.bound, bound(half, result));
                if (half.bound < result.value - slack) open.push(std::move(half));
            }
        }
        result.lower = result.value - slack;
    }

    double bound(const Box& box, Certified& result) const {
        std::vector<double> x(count());
        for (int k = 0; k < count(); ++k) x[k] = (box.lower[k] + box.upper[k]) / 2;
        double best = -infinity;
        for (int round = 0; round < 3; ++round) {
            double cost;
            const Vector mu = multiplier(x, cost);
            offer(result, x);
            const double q = mu.squaredNorm();
            double value = 2 * mu.dot(residual_) - spare_ * q;
            for (int k = 0; k < count(); ++k) {
                const Inner inner =
                    response_.minimise(start_[k], mu.dot(outgoing_[k]), q, limits_, box.lower[k], box.upper[k]);
                value += inner.value;
                x[k] = inner.x;
            }
            best = std::max(best, value);
        }
        return best;
    }

    Response response_;
    double largest_q_;
    Vector residual_;
    double spare_, negligible_;
    Limits& limits_;
    std::vector<double> start_;
    std::vector<Vector> outgoing_;
};

}  // namespace hessorbit::minima
