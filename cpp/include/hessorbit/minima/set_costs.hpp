// What sets of neurons cost that play a role together, as tables over all sets.
//
//     copies of teacher i     Σ_{k∈S} ‖w̃_k − s_k w̃*_i‖² + ‖Σ s_k v_k − v*_i‖²/|S|             least over the signs
//     one zero group          Σ_{k∈S} ‖w̃_k‖² + (‖Σ s_k v_k‖² − ‖Σ s_k w̃_k‖²)/|S|              least over the signs
//     constant neurons        2 λ·(c − c*) − ‖λ‖² + Σ_{k∈S} (‖w_k‖² + min ψ_k(λ))              for any λ, from below
//
// with the eigenvalue of GroupCost where copies are scaled, and Coupling for them, from below as well. Where mirrored
// neurons shift the output bias, its multiplier makes them pay 2 ν·v − ‖ν‖² and puts v − ν in the place of v, ν = C
// λ_c.
//
// A set is left out (infinite) if no assignment with it can be better than what is known: where `excess`, how much more
// a role costs a neuron than its cheapest role in the dual, adds up to more than `allowance`, what the dual falls
// short.
#pragma once

#include "assignment.hpp"
#include "subsets.hpp"

#include <functional>
#include <vector>

namespace hessorbit::minima {

class SetCosts {
public:
    SetCosts(const GroupCost& group_cost, const Assignment& assignment, Matrix<double> excess, double allowance,
             const Vector& output_multiplier, Limits& limits)
        : costs_(group_cost.role_costs()), group_cost_(group_cost), assignment_(assignment), excess_(std::move(excess)),
          allowance_(allowance), limits_(limits),
          nu_(costs_.copies().shifts_outputs ? Vector(costs_.geometry.mirror * output_multiplier)
                                             : Vector::Zero(costs_.outputs())) {}

    Shift shift() const { return {costs_.start, nu_}; }

    // f_i; f_i(∅) = ∞.
    SetFunction copies(int i) const {
        SetFunction least = nothing();
        if (costs_.copies().scales) {
            std::vector<int> role(costs_.neurons(), costs_.idle);
            extend(i, [&](Set set, const std::vector<int>& members) {
                double cost = 0;
                for (const int k : members) role[k] = i, cost += costs_.fixed(k, i);
                least[set] = cost + assignment_.copies(i, role, 0, 0).lower;
                for (const int k : members) role[k] = costs_.idle;
            });
            return least;
        }
        std::vector<std::vector<Way>> ways(costs_.neurons());
        for (int k = 0; k < costs_.neurons(); ++k)
            for (int o = 0; o < costs_.num_roles(); ++o)
                if (costs_.roles[o].teacher == i) ways[k].push_back(way(k, o));
        const Vector signature = Vector::Ones(costs_.outputs());
        Sums(ways, -costs_.targets.row(i).transpose(), signature, limits_, least).extend(0, 0, 0, 0, allowance_);
        return least;
    }

    // One zero group; of one member, the cost of being idle alone.
    SetFunction zero_group() const {
        SetFunction least = nothing();
        if (costs_.copies().scales) {
            extend(costs_.idle,
                   [&](Set set, const std::vector<int>& members) { least[set] = group_cost_.least_scaled(members); });
            return least;
        }
        const Index inputs = costs_.start.incoming.cols(), outputs = costs_.outputs();
        std::vector<std::vector<Way>> ways(costs_.neurons());
        for (int k = 0; k < costs_.neurons(); ++k) {
            const Vector w = costs_.start.incoming.row(k), v = costs_.start.outgoing.row(k);
            const double excess = excess_(k, costs_.idle);
            Vector sum(inputs + outputs);
            sum << w, v;
            ways[k].push_back({excess, w.squaredNorm(), sum});
            if (!costs_.copies().signs) continue;
            sum << -w, (costs_.copies().outgoing_signs ? nu_ - v : v);
            ways[k].push_back({excess, w.squaredNorm() + paid(v), sum});
        }
        Vector signature(inputs + outputs);
        signature << Vector::Constant(inputs, -1), Vector::Ones(outputs);
        Sums sums(ways, Vector::Zero(inputs + outputs), signature, limits_, least);
        sums.first_sign_is_free = false;
        sums.extend(0, 0, 0, 0, allowance_);
        for (int k = 0; k < costs_.neurons(); ++k)
            if (excess_(k, costs_.idle) <= allowance_) least[Set(1) << k] = costs_.fixed(k, costs_.idle);
        return least;
    }

    // The output bias without constant neurons, none of which may be left.
    SetFunction no_constants() const {
        SetFunction least = nothing();
        least[0] = costs_.start.output.squaredNorm();
        return least;
    }

    // The output bias with constant neurons, at λ.
    SetFunction constants(const Vector& lambda) const {
        const double q = lambda.squaredNorm();
        SetFunction least = nothing();
        least[0] = 2 * lambda.dot(costs_.start.output) - costs_.geometry.output_give() * q;
        if (costs_.geometry.constants == Constants::none) return least;
        const int role = costs_.num_roles() - 1;
        for (int k = 0; k < costs_.neurons(); ++k) {
            if (excess_(k, role) > allowance_) continue;
            const double p = costs_.start.outgoing.row(k).dot(lambda);
            const double cost =
                costs_.fixed(k, role) + costs_.geometry.bias->minimise(costs_.bias(k), p, q, limits_).value;
            for (Set set = 0; set < Set(1) << k; ++set) least[set | Set(1) << k] = least[set] + cost;
        }
        return least;
    }

    // Calls body(cost, roles) for all signs of the copies S of teacher i.
    template <class Body>
    void for_each_sign(int i, const std::vector<int>& members, Body body) const {
        std::vector<int> options, chosen(members.size());
        for (int o = 0; o < costs_.num_roles(); ++o)
            if (costs_.roles[o].teacher == i) options.push_back(o);
        const Set choices = options.size() > 1 ? Set(1) << members.size() : 1;
        for (Set minus = 0; minus < choices; ++minus) {
            limits_.poll();
            Vector sum = -costs_.targets.row(i).transpose();
            double cost = 0;
            for (std::size_t a = 0; a < members.size(); ++a) {
                chosen[a] = options[minus >> a & 1];
                const Way each = way(members[a], chosen[a]);
                cost += each.excess == infinity ? infinity : each.cost;
                sum += each.sum;
            }
            body(cost + sum.squaredNorm() / members.size(), chosen);
        }
    }

private:
    // One of the ways in which a neuron can be in a set: its excess, what it pays alone, and its part of the sum.
    struct Way {
        double excess, cost;
        Vector sum;
    };

    // The least over all ways of  Σ cost + Σ_a signature_a (start + Σ sum)_a² / |S|.
    struct Sums {
        const std::vector<std::vector<Way>>& ways;
        const Vector& signature;
        Limits& limits;
        SetFunction& least;
        Eigen::MatrixXd sum;  // (size of a sum, 1 + members)
        bool first_sign_is_free = true;

        Sums(const std::vector<std::vector<Way>>& ways, const Vector& start, const Vector& signature, Limits& limits,
             SetFunction& least)
            : ways(ways), signature(signature), limits(limits), least(least), sum(start.size(), ways.size() + 1) {
            sum.col(0) = start;
        }

        void extend(std::size_t first, Set set, int size, double cost, double allowance) {
            limits.poll();
            for (std::size_t k = first; k < ways.size(); ++k)
                for (const Way& way : ways[k]) {
                    if (way.excess > allowance) continue;
                    if (size == 0 && !first_sign_is_free && &way != &ways[k].front()) continue;
                    sum.col(size + 1) = sum.col(size) + way.sum;
                    const double squares = (sum.col(size + 1).array().square() * signature.array()).sum();
                    const Set with = set | Set(1) << k;
                    least[with] = std::min(least[with], cost + way.cost + squares / (size + 1));
                    extend(k + 1, with, size + 1, cost + way.cost, allowance - way.excess);
                }
        }
    };

    // Calls body(set, members) for all sets of role o within the allowance.
    template <class Body>
    void extend(int o, Body body) const {
        std::vector<int> members;
        const std::function<void(int, Set, double)> with_more = [&](int first, Set set, double allowance) {
            limits_.poll();
            for (int k = first; k < costs_.neurons(); ++k) {
                if (excess_(k, o) > allowance) continue;
                const Set with = set | Set(1) << k;
                members.push_back(k);
                body(with, members);
                with_more(k + 1, with, allowance - excess_(k, o));
                members.pop_back();
            }
        };
        with_more(0, 0, allowance_);
    }

    SetFunction nothing() const { return SetFunction(std::size_t(1) << costs_.neurons(), infinity); }

    double paid(const Vector& outgoing) const { return 2 * nu_.dot(outgoing) - nu_.squaredNorm(); }

    Way way(int k, int o) const {
        const Vector v = costs_.start.outgoing.row(k);
        if (costs_.roles[o].sign > 0) return {excess_(k, o), costs_.fixed(k, o), v};
        return {excess_(k, o), costs_.fixed(k, o) + paid(v), nu_ - v};
    }

    const RoleCosts& costs_;
    const GroupCost& group_cost_;
    const Assignment& assignment_;
    Matrix<double> excess_;  // (m, roles)
    double allowance_;
    Limits& limits_;
    Vector nu_;
};

}  // namespace hessorbit::minima
