// A lower bound on the distance² to the nearest minimum, over all roles at once: the Lagrangian dual.
//
// With multipliers λ_i for Σ t v = v*_i, λ_c for the output bias and ε_i for the number n_i of copies of teacher neuron
// i, kept between fewest_i and most_i, every neuron chooses its role alone. For all λ and ε
//
//     distance² ≥ D = Σ_k min_o c_ko − 2 Σ_i λ_i·v*_i + 2 λ_c·(c − c*) − A ‖λ_c‖² + Σ_i min(fewest_i ε_i, most_i ε_i)
//     c_ko = fixed_ko + min over t of [… + 2 t μ_o·v_k − t²‖μ_o‖²] − ε_i,      μ_o = λ_i, plus or minus, plus C λ_c
//
// with A = 1 if there is an output bias, else 0, and the cost of being idle is a neuron's share in any zero group
// (GroupBounds), with ν = C λ_c where copies are mirrored.
// D is concave but has kinks. The minima are smoothed by the barrier of an interior-point method,
//
//     min_o c_o  →  max_y [y + τ Σ_o log(c_o − y)],      which also gives probabilities  p_o = τ/(c_o − y),
//
// and Newton's method follows the maximum as τ falls. The probabilities tend to a solution of the relaxed problem, in
// which a neuron may be torn between roles: what is torn is where to branch. (Interior-point methods: Nesterov and
// Nemirovskii 1994; dual bounds of separable nonconvex problems: Aubin and Ekeland 1976.)
#pragma once

#include "group_bounds.hpp"
#include "role_costs.hpp"

#include <Eigen/Cholesky>
#include <cstdint>
#include <vector>

namespace hessorbit::minima {

// Where a node is to be cut: at a number of copies of a teacher neuron, or between the roles of a neuron.
struct Branch {
    int teacher = -1, neuron = -1, number = 0;
};

// A part of the search tree.
struct Node {
    double bound = -infinity;
    std::vector<std::uint8_t> allowed;  // (m, roles)
    std::vector<int> fewest, most;      // (r)  numbers of copies
    Vector multipliers;                 // λ_0, ε_0, λ_1, ε_1, …, λ_c
    Branch branch;
    int64_t order = 0;
};

class Dual {
public:
    Dual(const RoleCosts& costs, const GroupBounds& bounds, Limits& limits)
        : costs_(costs), bounds_(bounds), limits_(limits), outputs_(costs.outputs()), teachers_(costs.teachers()),
          size_(teachers_ * (outputs_ + 1) + (costs.geometry.couples_outputs() ? outputs_ : 0)), fixed_(costs.fixed) {
        for (const Role& role : costs.roles) {
            teacher_sign_.push_back(role.kind == Role::Kind::copy ? role.sign : 1);
            output_sign_.push_back(costs.joins_outputs(role));
        }
        limit_.assign(teachers_, costs.copies().scales ? 1 : infinity);
    }

    Node root() const {
        const int r = teachers_, most = costs_.neurons() - r + 1;
        return {-infinity,
                std::vector<std::uint8_t>(costs_.neurons() * costs_.num_roles(), 1),
                std::vector<int>(r, 1),
                std::vector<int>(r, most),
                Vector::Zero(size_),
                {},
                0};
    }

    // D where all multipliers are 0.
    double first_bound(const Node& root) {
        prepare(root);
        return evaluate(root, root.multipliers);
    }

    // Raises D towards its maximum at this node, until it reaches `cutoff` or a fifth of its distance from `target` is
    // all that smoothing hides. Leaves the multipliers in the node; bound, costs and probabilities in this object.
    void raise(Node& node, double target, double cutoff, int max_steps);

    // Costs c_ko at the node's multipliers and probabilities near them, after raise().
    const Matrix<double>& costs() const { return cost_; }
    const Matrix<double>& probabilities() const { return probability_; }
    double bound() const { return best_; }

    // λ_c at which the costs are.
    Vector output_multiplier() const {
        return couples() ? Vector(best_z_.segment(output_block(), outputs_)) : Vector::Zero(outputs_);
    }

private:
    int block(int i) const { return i * (outputs_ + 1); }
    int output_block() const { return teachers_ * (outputs_ + 1); }
    bool couples() const { return size_ > output_block(); }

    // μ of a role.
    Vector multiplier(const Vector& z, int o) const {
        Vector mu = Vector::Zero(outputs_);
        const int i = costs_.roles[o].teacher;
        if (i >= 0) mu += teacher_sign_[o] * z.segment(block(i), outputs_);
        if (output_sign_[o] != 0) mu += output_sign_[o] * z.segment(output_block(), outputs_);
        return mu;
    }

    // What is left of how far ‖λ‖² may go, as a part of it; infinity where there is no limit.
    double room(const Vector& z, int at, double limit) const {
        return std::isinf(limit) ? infinity : 1 - z.segment(at, outputs_).squaredNorm() / limit;
    }

    double least_room(const Vector& z) const {
        double least = couples() ? room(z, output_block(), output_limit_) : infinity;
        for (int i = 0; i < teachers_; ++i) least = std::min(least, room(z, block(i), limit_[i]));
        return least;
    }

    void prepare(const Node& node);
    void place_shares(const Vector& z);
    double evaluate(const Node& node, const Vector& z);
    double smooth(const Node& node, const Vector& z, double tau, Vector* gradient, Eigen::MatrixXd* curvature);
    void add_role(int k, int o, const Vector& z, double tau, Vector& gradient, Eigen::MatrixXd& curvature,
                  Vector& mean) const;

    const RoleCosts& costs_;
    const GroupBounds& bounds_;
    Limits& limits_;
    int outputs_, teachers_, size_;
    Matrix<double> fixed_;
    std::vector<double> teacher_sign_, output_sign_, limit_;
    double output_limit_ = infinity;
    std::vector<int> candidates_;  // neurons that may be idle
    Shares shares_;

    Matrix<double> cost_, t_, stiffness_, probability_;  // (m, roles)
    double best_ = -infinity;
    Vector best_z_;
};

// D at z, and the tables of roles; −infinity outside the domain.
inline double Dual::evaluate(const Node& node, const Vector& z) {
    const int m = costs_.neurons(), roles = costs_.num_roles();
    limits_.check();
    cost_.setConstant(m, roles, infinity);
    t_.setOnes(m, roles);
    stiffness_.setZero(m, roles);
    if (least_room(z) <= 0) return -infinity;
    if (costs_.copies().shifts_outputs) place_shares(z);
    for (int o = 0; o < roles; ++o) {
        const Role& role = costs_.roles[o];
        const Vector mu = multiplier(z, o);
        const double q = mu.squaredNorm(), count = role.teacher >= 0 ? z[block(role.teacher) + outputs_] : 0;
        for (int k = 0; k < m; ++k) {
            if (!node.allowed[k * roles + o]) continue;
            const double p = costs_.start.outgoing.row(k).dot(mu);
            double& cost = cost_(k, o) = fixed_(k, o);
            if (role.kind == Role::Kind::idle) continue;
            if (role.kind == Role::Kind::copy && !costs_.copies().scales) {
                cost += 2 * p - q - count;
                continue;
            }
            const Inner inner = role.kind == Role::Kind::copy
                                    ? Ray{}.minimise(costs_.along(k, role.teacher), p, q, limits_)
                                    : costs_.geometry.bias->minimise(costs_.bias(k), p, q, limits_);
            cost += inner.value - count;
            t_(k, o) = inner.t;
            stiffness_(k, o) = inner.stiffness;
        }
    }
    double value = 0;
    for (int k = 0; k < m; ++k) value += cost_.row(k).minCoeff();
    for (int i = 0; i < teachers_; ++i) {
        const double count = z[block(i) + outputs_];
        value -= 2 * costs_.targets.row(i).dot(z.segment(block(i), outputs_));
        value += count > 0 ? node.fewest[i] * count : node.most[i] * count;
    }
    const Vector& start = costs_.start.output;
    if (!couples()) return value + start.squaredNorm();
    const auto output = z.segment(output_block(), outputs_);
    return value + 2 * output.dot(start) - costs_.geometry.output_give() * output.squaredNorm();
}

// The smoothed D at z, after evaluate(node, z); with its gradient and minus its Hessian.
inline double Dual::smooth(const Node& node, const Vector& z, double tau, Vector* gradient,
                           Eigen::MatrixXd* curvature) {
    const int m = costs_.neurons(), roles = costs_.num_roles();
    probability_.setZero(m, roles);
    double value = 0;
    Matrix<double> means;
    if (gradient) {
        gradient->setZero(size_);
        curvature->setZero(size_, size_);
        means.setZero(m, size_);
    }
    for (int k = 0; k < m; ++k) {
        limits_.poll();
        // With u = min c − y: Σ τ/(c_o − min c + u) = 1. Newton's method on 1/Σ − 1 falls to the root from u = τ.
        const double least = cost_.row(k).minCoeff();
        double u = tau;
        for (int step = 0; step < 50; ++step) {
            double sum = 0, square = 0;
            for (int o = 0; o < roles; ++o) {
                const double p = tau / (cost_(k, o) - least + u);
                sum += p;
                square += p * p;
            }
            const double change = tau * sum * (sum - 1) / square;
            u += change;
            if (change <= 1e-13 * u) break;
        }
        value += least - u;
        double total = 0;
        for (int o = 0; o < roles; ++o) {
            if (!node.allowed[k * roles + o]) continue;
            const double slack = cost_(k, o) - least + u, p = tau / slack;
            value += tau * std::log(slack);
            probability_(k, o) = p;
            total += p * p / tau;
        }
        if (!gradient) continue;
        Vector mean = Vector::Zero(size_);
        for (int o = 0; o < roles; ++o)
            if (node.allowed[k * roles + o]) add_role(k, o, z, tau, *gradient, *curvature, mean);
        means.row(k) = mean / std::sqrt(total);
    }
    if (gradient) curvature->noalias() -= means.transpose() * means;
    for (int i = 0; i < teachers_; ++i) {
        const double fewest = node.fewest[i], most = node.most[i];
        const int at = block(i) + outputs_;
        value -= 2 * costs_.targets.row(i).dot(z.segment(block(i), outputs_));
        if (gradient) gradient->segment(block(i), outputs_) -= 2 * costs_.targets.row(i).transpose();
        if (fewest == most) {
            value += fewest * z[at];
            if (gradient) (*gradient)[at] += fewest;
            continue;
        }
        // The same barrier on min(fewest ε, most ε), its two slacks u and u + gap in closed form.
        const double gap = std::abs((most - fewest) * z[at]), half = gap / 2 - tau;
        const double root = std::sqrt(half * half + tau * gap), u = half > 0 ? tau * gap / (root + half) : root - half;
        const double near = tau / u, far = tau / (u + gap);
        value += std::min(fewest * z[at], most * z[at]) - u + tau * std::log(u) + tau * std::log(u + gap);
        if (!gradient) continue;
        const double at_fewest = z[at] > 0 ? near : far, at_most = z[at] > 0 ? far : near;
        (*gradient)[at] += at_fewest * fewest + at_most * most;
        const double a = at_fewest * at_fewest / tau, b = at_most * at_most / tau;
        (*curvature)(at, at) += a * b / (a + b) * (most - fewest) * (most - fewest);
    }
    const auto keep_inside = [&](int at, double limit) {
        if (std::isinf(limit)) return;
        const auto lambda = z.segment(at, outputs_);
        const double left = limit - lambda.squaredNorm();
        value += tau * std::log(left / limit);
        if (!gradient) return;
        gradient->segment(at, outputs_) -= 2 * tau / left * lambda;
        curvature->block(at, at, outputs_, outputs_) += 4 * tau / (left * left) * lambda * lambda.transpose();
        curvature->diagonal().segment(at, outputs_).array() += 2 * tau / left;
    };
    for (int i = 0; i < teachers_; ++i) keep_inside(block(i), limit_[i]);
    if (!couples()) return value + costs_.start.output.squaredNorm();
    keep_inside(output_block(), output_limit_);
    const auto output = z.segment(output_block(), outputs_);
    const double give = costs_.geometry.output_give();
    if (gradient) {
        gradient->segment(output_block(), outputs_) += 2 * (costs_.start.output - give * output);
        curvature->diagonal().segment(output_block(), outputs_).array() += 2 * give;
    }
    return value + 2 * output.dot(costs_.start.output) - give * output.squaredNorm();
}

// What role o of neuron k adds: with slope j = ∇c_ko, p j to the gradient, and p²/τ j jᵀ − p ∇²c to minus the Hessian.
inline void Dual::add_role(int k, int o, const Vector& z, double tau, Vector& gradient, Eigen::MatrixXd& curvature,
                           Vector& mean) const {
    const int i = costs_.roles[o].teacher;
    const double beta = output_sign_[o], alpha = i >= 0 ? teacher_sign_[o] : 0;
    const double p = probability_(k, o), weight = p * p / tau, t = t_(k, o);
    if (o == costs_.idle && couples()) {
        const Vector slope = shares_.slope.row(k);
        gradient.segment(output_block(), outputs_) += p * slope;
        mean.segment(output_block(), outputs_) += weight * slope;
        curvature.block(output_block(), output_block(), outputs_, outputs_) += weight * slope * slope.transpose();
        curvature.diagonal().segment(output_block(), outputs_).array() += p * shares_.stiffness[k];
    }
    if (i < 0 && beta == 0) return;
    const Vector mu = multiplier(z, o), outgoing = costs_.start.outgoing.row(k);
    const Vector slope = 2 * t * (outgoing - t * mu), bent = outgoing - 2 * t * mu;
    Eigen::MatrixXd form = weight * slope * slope.transpose() + p * stiffness_(k, o) * bent * bent.transpose();
    form.diagonal().array() += 2 * p * t * t;
    const int teacher = i >= 0 ? block(i) : 0, output = output_block(), count = teacher + outputs_;
    if (i >= 0) {
        gradient.segment(teacher, outputs_) += p * alpha * slope;
        gradient[count] -= p;
        mean.segment(teacher, outputs_) += weight * alpha * slope;
        mean[count] -= weight;
        curvature.block(teacher, teacher, outputs_, outputs_) += alpha * alpha * form;
        curvature.block(teacher, count, outputs_, 1) -= weight * alpha * slope;
        curvature.block(count, teacher, 1, outputs_) -= weight * alpha * slope.transpose();
        curvature(count, count) += weight;
    }
    if (beta != 0) {
        gradient.segment(output, outputs_) += p * beta * slope;
        mean.segment(output, outputs_) += weight * beta * slope;
        curvature.block(output, output, outputs_, outputs_) += beta * beta * form;
    }
    if (i >= 0 && beta != 0) {
        curvature.block(teacher, output, outputs_, outputs_) += alpha * beta * form;
        curvature.block(output, teacher, outputs_, outputs_) += alpha * beta * form;
        curvature.block(count, output, 1, outputs_) -= weight * beta * slope.transpose();
        curvature.block(output, count, outputs_, 1) -= weight * beta * slope;
    }
}

// What depends on the roles left: partners for zero groups, and whether constant neurons keep ‖λ_c‖ from growing.
inline void Dual::prepare(const Node& node) {
    std::vector<int> candidates;
    bool constants = false;
    for (int k = 0; k < costs_.neurons(); ++k)
        for (int o = 0; o < costs_.num_roles(); ++o) {
            if (!node.allowed[k * costs_.num_roles() + o]) continue;
            if (o == costs_.idle) candidates.push_back(k);
            constants |= costs_.roles[o].kind == Role::Kind::constant;
        }
    candidates_ = std::move(candidates);
    place_shares(node.multipliers);
    output_limit_ = constants ? costs_.geometry.bias->largest_q() : infinity;
}

inline void Dual::place_shares(const Vector& z) {
    const double mirror = costs_.copies().shifts_outputs ? costs_.geometry.mirror : 0;
    const Vector nu = couples() ? Vector(mirror * z.segment(output_block(), outputs_)) : Vector::Zero(outputs_);
    shares_ = bounds_.shares(candidates_, nu);
    fixed_.col(costs_.idle) = shares_.value;
    shares_.slope *= mirror;
    shares_.stiffness *= mirror * mirror;
}

inline void Dual::raise(Node& node, double target, double cutoff, int max_steps) {
    // τ at which the smoothing, at most τ for each cost, hides a fifth of the gap.
    const double costs = costs_.neurons() * costs_.num_roles() + 2 * teachers_;
    const auto final_tau = [&] { return std::max(0.2 * (target - best_), 1e-13 * costs_.scale) / costs; };
    best_ = -infinity;
    prepare(node);
    Vector z = node.multipliers, gradient;
    Eigen::MatrixXd curvature;
    best_ = evaluate(node, z);
    best_z_ = z;
    double tau = std::isinf(node.bound) ? 4 * std::max(target - best_, 1e-13 * costs_.scale) / costs : final_tau();
    for (int step = 0; step < max_steps && best_ < cutoff; ++step) {
        const double value = smooth(node, z, tau, &gradient, &curvature);
        curvature.diagonal().array() += 1e-12 * curvature.diagonal().maxCoeff();
        const Vector direction = curvature.ldlt().solve(gradient);
        const double gain = gradient.dot(direction);  // decrement² times τ
        if (!(gain >= 0) || !std::isfinite(gain)) break;
        if (gain < 0.05 * tau && tau <= 1.01 * final_tau()) break;
        double length = 1;
        bool moved = false;
        for (; length > 1e-8; length *= 0.3) {
            const Vector trial = z + length * direction;
            const double bound = evaluate(node, trial);
            if (bound > best_) {
                best_ = bound;
                best_z_ = trial;
            }
            if (std::isinf(bound)) continue;
            if (smooth(node, trial, tau, nullptr, nullptr) >= value + 0.1 * length * gain - 1e-14 * costs_.scale) {
                z = trial;
                moved = true;
                break;
            }
        }
        if (!moved) break;
        if (gain < 0.3 * tau) tau = std::max(0.15 * tau, final_tau());
    }
    if (best_ >= cutoff) return;
    evaluate(node, z);
    smooth(node, z, tau, nullptr, nullptr);
    evaluate(node, best_z_);
    node.multipliers = z;
}

}  // namespace hessorbit::minima
