// What one zero group costs.
//
// Members of a zero group Z have incoming weights n_k u, with u free and n a unit vector, and outgoing weights with
// Σ n_k v_k = 0 (Σ |n_k| v_k = 0 where the sign is on the incoming weights alone). The distance² to it is
//
//     Σ_{k∈Z} ‖w̃_k‖² − ‖Σ n_k w̃_k‖² + ‖Σ n_k v_k‖²
//
// with n = (±1, …, ±1)/√|Z| in general, the signs as the traits of copies allow, and any |n| where copies are scaled:
// then the last two terms are the least eigenvalue of a matrix.
//
// Where σ(−z) = C − σ(z), members with a negative sign ("mirrored") shift the output bias. With its multiplier λ_c, and
// ν = C λ_c, they pay 2 ν·v' besides, so that v − ν takes the place of v, and 2 ν·v − ‖ν‖² is added.
//
// For all but scaled copies the cost of a group is that of its members silenced, Σ ‖v_k‖², plus the sum over pairs of
//
//     pull / |Z|,   pull = ‖w̃_j − w̃_k‖² − ‖v_j − v_k‖²   or, of opposite signs,   ‖w̃_j + w̃_k‖² − ‖v_j + v_k − ν‖²
//
// A group can be better than its members alone only if they hang together by pairs for which it may be ("linked", pull
// < 0), so that in most searches every idle neuron is alone and there is nothing to divide.
#pragma once

#include "role_costs.hpp"

#include <Eigen/Eigenvalues>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace hessorbit::minima {

struct ZeroGroup {
    std::vector<int> members;
    std::vector<double> direction;  // n
};

// ν, with its products with all v.
struct Shift {
    Vector nu, along;
    double square;

    Shift(const Weights& start, const Vector& nu) : nu(nu), along(start.outgoing * nu), square(nu.squaredNorm()) {}
    explicit Shift(const Weights& start) : Shift(start, Vector::Zero(start.outgoing.cols())) {}
};

class GroupCost {
public:
    explicit GroupCost(const RoleCosts& costs)
        : costs_(costs), incoming_(costs.start.incoming * costs.start.incoming.transpose()),
          outgoing_(costs.start.outgoing * costs.start.outgoing.transpose()) {}

    const RoleCosts& role_costs() const { return costs_; }
    const CopyTraits& copies() const { return costs_.copies(); }

    // Inner products of the incoming weights of two neurons, and of the outgoing ones.
    double incoming(int j, int k) const { return incoming_(j, k); }
    double outgoing(int j, int k) const { return outgoing_(j, k); }

    // Cost of one group, and n; `sign` is ±1 for each member, or empty for all +1.
    std::pair<double, std::vector<double>> operator()(const std::vector<int>& members, const std::vector<double>& sign,
                                                      const Shift& shift) const {
        return copies().scales ? scaled(members, sign) : unscaled(members, sign, shift);
    }

    // Calls body(cost, group) for `members` as one group with all signs there are, up to a common one.
    template <class Body>
    void for_each_sign(const std::vector<int>& members, const Shift& shift, Body body) const {
        std::vector<double> sign(members.size(), 1);
        const std::uint32_t choices = copies().signs ? std::uint32_t(1) << (members.size() - 1) : 1;
        for (std::uint32_t minus = 0; minus < choices; ++minus) {
            for (std::size_t a = 1; a < members.size(); ++a) sign[a] = minus >> (a - 1) & 1 ? -1 : 1;
            const auto [cost, direction] = (*this)(members, sign, shift);
            body(cost, ZeroGroup{members, direction});
        }
    }

    // `members` as one group, and its cost without a shift; with the best signs, or of many scaled copies with good
    // ones.
    std::pair<double, ZeroGroup> best(const std::vector<int>& members) const {
        if (copies().scales && members.size() > most_signed) {
            std::vector<double> sign;
            for (const int k : members) sign.push_back(copies().signs && incoming_(members[0], k) < 0 ? -1 : 1);
            const auto [cost, direction] = scaled(members, sign);
            return {cost, {members, direction}};
        }
        std::pair<double, ZeroGroup> best{infinity, {}};
        for_each_sign(members, Shift(costs_.start), [&](double cost, const ZeroGroup& group) {
            if (cost < best.first) best = {cost, group};
        });
        return best;
    }

    // Less than `members` cost as one group without a shift, or exactly that if they are few or have no signs; for
    // scaled copies.
    double least_scaled(const std::vector<int>& members) const {
        if (members.size() == 1) return costs_.alone(members[0]);
        if (!copies().signs) return scaled(members, {}).first;
        if (members.size() <= most_signed) return best(members).first;
        // As if every two could have the signs that suit them best.
        const int size = static_cast<int>(members.size());
        Eigen::MatrixXd form(size, size);
        for (int a = 0; a < size; ++a)
            for (int b = 0; b < size; ++b)
                form(a, b) = outgoing_(members[a], members[b]) - nearest(members[a], members[b]);
        const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(form, Eigen::EigenvaluesOnly);
        return squares(members) + solver.eigenvalues()(0);
    }

    // Of two neurons with signs that bring them together, the inner product of the incoming weights.
    double nearest(int j, int k) const { return copies().signs ? std::abs(incoming_(j, k)) : incoming_(j, k); }

    struct Pull {
        double value;
        int other;
        bool opposite;
    };

    // The pull of j and k with the better signs, where copies are not scaled; of their outgoing weights' squares,
    // `part` counts.
    Pull pull(int j, int k, const Shift& shift, double part = 1) const {
        const double w = incoming_(j, k), v = part * outgoing_(j, k);
        const double sizes = incoming_(j, j) + incoming_(k, k) - part * (outgoing_(j, j) + outgoing_(k, k));
        const double alike = sizes - 2 * (w - v);
        double opposite = infinity;
        if (copies().signs) opposite = copies().outgoing_signs ? sizes + 2 * (w - v) : sizes + 2 * (w + v);
        if (copies().shifts_outputs) opposite += 2 * (shift.along[j] + shift.along[k]) - shift.square;
        return opposite < alike ? Pull{opposite, j, true} : Pull{alike, j, false};
    }

    // Whether j and k may be better off in one group than alone.
    bool linked(int j, int k, const Shift& shift) const {
        if (!copies().scales) return pull(j, k, shift).value < 0;
        const double spare = (incoming_(j, j) - costs_.alone(j)) * (incoming_(k, k) - costs_.alone(k));
        const double gain = nearest(j, k) - outgoing_(j, k);
        return gain > 0 && gain * gain > std::max(spare, 0.0);
    }

    // `members` in parts between which there are no links.
    std::vector<std::vector<int>> components(const std::vector<int>& members, const Shift& shift,
                                             Limits& limits) const {
        std::vector<std::vector<int>> result;
        std::vector<char> taken(members.size(), 0);
        for (std::size_t first = 0; first < members.size(); ++first) {
            if (taken[first]) continue;
            taken[first] = 1;
            std::vector<int> component{members[first]};
            for (std::size_t at = 0; at < component.size(); ++at) {
                limits.poll();
                for (std::size_t other = first + 1; other < members.size(); ++other)
                    if (!taken[other] && linked(component[at], members[other], shift)) {
                        taken[other] = 1;
                        component.push_back(members[other]);
                    }
            }
            std::sort(component.begin(), component.end());
            result.push_back(std::move(component));
        }
        return result;
    }

private:
    static constexpr std::size_t most_signed = 8;

    double squares(const std::vector<int>& members) const {
        double sum = 0;
        for (const int k : members) sum += incoming_(k, k);
        return sum;
    }

    std::pair<double, std::vector<double>> scaled(const std::vector<int>& members,
                                                  const std::vector<double>& sign) const {
        const int size = static_cast<int>(members.size());
        Eigen::MatrixXd form(size, size);
        for (int a = 0; a < size; ++a)
            for (int b = 0; b < size; ++b) {
                const double both = sign.empty() ? 1 : sign[a] * sign[b];
                form(a, b) = outgoing_(members[a], members[b]) - both * incoming_(members[a], members[b]);
            }
        const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(form);
        Vector n = solver.eigenvectors().col(0);
        if (n.sum() < 0) n = -n;
        // A minimum over n ≥ 0 with some n_k = 0 is a smaller group, and the rest off.
        if (n.minCoeff() <= 0) return {infinity, {}};
        for (int a = 0; a < size; ++a)
            if (!sign.empty()) n[a] *= sign[a];
        return {squares(members) + solver.eigenvalues()(0), {n.data(), n.data() + size}};
    }

    std::pair<double, std::vector<double>> unscaled(const std::vector<int>& members, const std::vector<double>& sign,
                                                    const Shift& shift) const {
        const int size = static_cast<int>(members.size());
        double joint_in = 0, joint_out = 0, mirrored = 0, along = 0, paid = 0;
        std::vector<double> n(size);
        for (int a = 0; a < size; ++a) {
            n[a] = (sign.empty() ? 1 : sign[a]) / std::sqrt(double(size));
            along += n[a] * shift.along[members[a]];
            if (n[a] < 0) {
                ++mirrored;
                paid += 2 * shift.along[members[a]] - shift.square;
            }
            for (int b = 0; b < size; ++b) {
                const double both = sign.empty() ? 1 : sign[a] * sign[b];
                joint_in += both * incoming_(members[a], members[b]);
                joint_out += copies().on_outgoing(both) * outgoing_(members[a], members[b]);
            }
        }
        double cost = squares(members) + (joint_out - joint_in) / size;
        if (copies().shifts_outputs) {
            // ‖Σ n v̂‖² with v̂ = v − ν for the mirrored, so Σ n v̂ = Σ n v + mirrored/√|Z| ν.
            const double m = mirrored / std::sqrt(double(size));
            cost += 2 * m * along + m * m * shift.square + paid;
        }
        return {cost, n};
    }

    const RoleCosts& costs_;
    Eigen::MatrixXd incoming_, outgoing_;  // (m, m) Gram matrices
};

}  // namespace hessorbit::minima
