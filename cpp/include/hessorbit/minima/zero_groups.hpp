// Idle neurons, gathered into zero groups at least cost.
//
// Members of a zero group Z have incoming weights n_k u, with u free and n a unit vector, and outgoing weights with
// Σ n_k v_k = 0. The distance² to it is
//
//     Σ_{k∈Z} ‖w̃_k‖² − ‖Σ n_k w̃_k‖² + ‖Σ n_k v_k‖²
//
// with n = (1, …, 1)/√|Z| in general, signs ± on it for odd σ, signs in the sum over w̃ alone for even σ, and any n ≥ 0
// for homogeneous σ, where the last two terms are the least eigenvalue of a matrix.
//
// Where σ(−z) = C − σ(z), members with a negative sign ("mirrored") shift the output bias. With its multiplier λ_c, and
// ν = C λ_c, they pay 2 ν·v' besides, so that v − ν takes the place of v, and 2 ν·v − ‖ν‖² is added.
//
// For all but homogeneous σ the cost of a group is that of its members silenced, Σ ‖v_k‖², plus the sum over pairs of
//
//     pull / |Z|,     pull = ‖w̃_j − w̃_k‖² − ‖v_j − v_k‖²     or, of opposite signs,     ‖w̃_j + w̃_k‖² − ‖v_j + v_k − ν‖²
//
// A group can be better than its members alone only if they hang together by pairs for which it may be ("linked", pull
// < 0), so that in most problems every idle neuron is alone and there is nothing to search.
#pragma once

#include "coupling.hpp"
#include "group_shares.hpp"
#include "problem.hpp"

#include <Eigen/Eigenvalues>
#include <functional>
#include <map>
#include <numeric>
#include <vector>

namespace hessorbit::minima {

struct ZeroGroup {
    std::vector<int> members;
    std::vector<double> factor;  // n, normed
};

struct Partition {
    std::vector<ZeroGroup> groups;  // of two members and more; the other idle neurons are alone
    double value = infinity;        // all idle costs, and where mirrored members shift the output bias, those there
    double lower = infinity;
    bool holds_outputs = false;  // whether these are counted
};

// Lower bounds on what each neuron adds to the cost of a partition, and how they change with ν.
struct Shares {
    Vector value;          // (m)
    Matrix<double> slope;  // (m, K)  gradient in ν
    Vector stiffness;      // (m)     the Hessian in ν is −stiffness I
};

class ZeroGroups {
public:
    // The cost at the output bias, given the groups.
    using Outputs = std::function<Certified(const std::vector<ZeroGroup>&)>;

    explicit ZeroGroups(const Problem& problem)
        : problem_(problem),
          incoming_(problem.start.incoming * problem.start.incoming.transpose()),
          outgoing_(problem.start.outgoing * problem.start.outgoing.transpose()) {}

    // Shares of the `candidates` in any partition of any of them; other neurons have what they cost alone.
    Shares shares(const std::vector<int>& candidates, const Vector& nu) const {
        const Shift shift(*this, nu);
        Shares result{problem_.fixed.col(problem_.idle), Matrix<double>::Zero(problem_.neurons(), problem_.outputs()),
                      Vector::Zero(problem_.neurons())};
        if (mirrored() && worked_out_.size()) {
            for (const int k : candidates) worked_out(k, shift, result);
            return result;
        }
        for (const std::vector<int>& component : components(candidates, shift)) {
            if (component.size() == 1) continue;
            const double part = counted_part(component, shift);
            for (const int k : component) share(k, component, shift, part, result);
            if (worked_out_.size() == 0) continue;
            double simple = 0, better = 0;
            for (const int k : component) simple += result.value[k], better += worked_out_[k];
            for (const int k : component)
                if (better > simple) result.value[k] = worked_out_[k];
        }
        return result;
    }

    // Takes its time for better shares, of neurons that pay at most `most` in other roles.
    void work_out_shares(const Vector& most) {
        if (problem_.neurons() > GroupShares::most_neurons) return;
        std::vector<int> everyone(problem_.neurons());
        std::iota(everyone.begin(), everyone.end(), 0);
        const double simple = shares(everyone, Vector::Zero(problem_.outputs())).value.cwiseMin(most).sum();
        const Vector better = GroupShares(problem_, most.cwiseMin(problem_.fixed.col(problem_.idle))).shares();
        if (better.sum() > simple) worked_out_ = better;
    }

    // The best partition of `members`. `outputs` is empty unless the groups matter there.
    Partition best(const std::vector<int>& members, const Outputs& outputs) const {
        Partition result;
        result.value = result.lower = 0;
        if (!outputs) {
            const Shift none(*this, Vector::Zero(problem_.outputs()));
            for (const std::vector<int>& component : components(members, none))
                add(result, partition(component, none, {}, 0));
            return result;
        }
        // Any partition costs at least the dual at the multiplier that is best without groups: unless that falls below
        // the cost without groups, there are none.
        const Certified without = outputs({});
        const Shift shift(*this, problem_.geometry.mirror * without.multiplier);
        if (components(members, shift).size() == members.size()) {
            for (const int k : members) result.value += single(k);
            result.lower = result.value + without.lower;
            result.value += without.value;
        } else {
            result = partition(members, shift, outputs, without.dual);
        }
        result.holds_outputs = true;
        return result;
    }

    // What each neuron pays alone, or where it is less, its half of the best zero group of two.
    Vector hoped() const {
        const Shift none(*this, Vector::Zero(problem_.outputs()));
        Vector result = problem_.fixed.col(problem_.idle);
        for (int j = 0; j < problem_.neurons(); ++j)
            for (int k = 0; k < j; ++k) {
                if (!linked(j, k, none)) continue;
                const double silent = outgoing_(j, j) + outgoing_(k, k);
                const double both = scaled() ? cost({j, k}) : silent + pull(j, k, none).value / 2;
                result[j] = std::min(result[j], both / 2);
                result[k] = std::min(result[k], both / 2);
            }
        return result;
    }

    // Calls body(cost, group) for `members` as one group with all signs there are, up to a common one.
    template <class Body>
    void for_each_sign(const std::vector<int>& members, const Vector& nu, Body body) const {
        const Shift shift(*this, nu);
        std::vector<double> sign(members.size(), 1);
        const std::uint32_t choices = signs() ? std::uint32_t(1) << (members.size() - 1) : 1;
        for (std::uint32_t minus = 0; minus < choices; ++minus) {
            for (std::size_t a = 1; a < members.size(); ++a) sign[a] = minus >> (a - 1) & 1 ? -1 : 1;
            const auto [cost, factor] = group_cost(members, sign, shift);
            body(cost, ZeroGroup{members, factor});
        }
    }

    // The least cost of `members` as one group, for homogeneous σ.
    double cost(const std::vector<int>& members) const {
        if (members.size() == 1) return single(members[0]);
        return group_cost(members, {}, {*this, Vector::Zero(problem_.outputs())}).first;
    }

    // `members` as one group, with the best signs.
    ZeroGroup group(const std::vector<int>& members) const {
        ZeroGroup best;
        double least = infinity;
        for_each_sign(members, Vector::Zero(problem_.outputs()), [&](double cost, const ZeroGroup& group) {
            if (cost < least) least = cost, best = group;
        });
        return best;
    }

    // What these zero groups cost together with the idle that are in none.
    Partition partition(const std::vector<int>& role, const std::vector<ZeroGroup>& groups) const {
        const Shift none(*this, Vector::Zero(problem_.outputs()));
        Partition result{groups, 0, 0, false};
        std::vector<char> grouped(role.size(), 0);
        for (const ZeroGroup& group : groups) {
            std::vector<double> sign;
            for (const double n : group.factor) sign.push_back(n < 0 ? -1 : 1);
            for (const int k : group.members) grouped[k] = 1;
            result.value += group_cost(group.members, sign, none).first;
        }
        for (int k = 0; k < problem_.neurons(); ++k)
            if (role[k] == problem_.idle && !grouped[k]) result.value += single(k);
        result.lower = result.value;
        return result;
    }

private:
    static constexpr std::size_t largest_enumerated = 8;

    // ν, with its products with all v.
    struct Shift {
        Vector nu, along;
        double square;
        Shift(const ZeroGroups& groups, const Vector& shift)
            : nu(shift), along(groups.problem_.start.outgoing * shift), square(shift.squaredNorm()) {}
    };

    struct Pull {
        double value;
        int other;
        bool opposite;
    };

    bool scaled() const { return problem_.geometry.copies == Copies::scaled; }
    bool mirrored() const { return problem_.geometry.copies == Copies::mirrored; }
    bool even() const { return problem_.geometry.copies == Copies::even; }
    bool signs() const { return !scaled() && problem_.geometry.copies != Copies::plain; }
    double single(int k) const { return problem_.fixed(k, problem_.idle); }

    static void add(Partition& whole, const Partition& part) {
        whole.groups.insert(whole.groups.end(), part.groups.begin(), part.groups.end());
        whole.value += part.value;
        whole.lower += part.lower;
    }

    Partition partition(const std::vector<int>& members, const Shift& shift, const Outputs& outputs, double dual) const {
        if (members.size() == 1) return {{}, single(members[0]), single(members[0]), false};
        return members.size() <= largest_enumerated ? enumerate(members, shift, outputs, dual)
                                                    : gather(members, shift, outputs, dual);
    }

    // The pull of j and k with the better signs; of their outgoing weights' squares, `part` counts.
    Pull pull(int j, int k, const Shift& shift, double part = 1) const {
        const double w = incoming_(j, k), v = part * outgoing_(j, k);
        const double sizes = incoming_(j, j) + incoming_(k, k) - part * (outgoing_(j, j) + outgoing_(k, k));
        const double alike = sizes - 2 * (w - v);
        const double opposite = even()    ? sizes + 2 * (w + v)
                                : signs() ? sizes + 2 * (w - v) + 2 * (shift.along[j] + shift.along[k]) - shift.square
                                          : infinity;
        return opposite < alike ? Pull{opposite, j, true} : Pull{alike, j, false};
    }

    bool linked(int j, int k, const Shift& shift) const {
        if (!scaled()) return pull(j, k, shift).value < 0;
        const double spare = (incoming_(j, j) - single(j)) * (incoming_(k, k) - single(k));
        const double gain = incoming_(j, k) - outgoing_(j, k);
        return gain > 0 && gain * gain > std::max(spare, 0.0);
    }

    std::vector<std::vector<int>> components(const std::vector<int>& members, const Shift& shift) const {
        std::vector<std::vector<int>> result;
        std::vector<char> taken(members.size(), 0);
        for (std::size_t first = 0; first < members.size(); ++first) {
            if (taken[first]) continue;
            taken[first] = 1;
            std::vector<int> component{members[first]};
            for (std::size_t at = 0; at < component.size(); ++at)
                for (std::size_t other = first + 1; other < members.size(); ++other)
                    if (!taken[other] && linked(component[at], members[other], shift)) {
                        taken[other] = 1;
                        component.push_back(members[other]);
                    }
            std::sort(component.begin(), component.end());
            result.push_back(std::move(component));
        }
        return result;
    }

    // A group costs at least what it does with any part in [0, 1] of ‖Σ n_k v_k‖² counted. With many neurons each alone
    // could win by all of it, and the shares of less add up to more: the best of a few parts.
    double counted_part(const std::vector<int>& component, const Shift& shift) const {
        double best = 1, most = -infinity;
        if (scaled() || problem_.geometry.copies == Copies::mirrored) return best;
        for (const double part : {1.0, 0.7, 0.5, 0.3, 0.15, 0.0}) {
            Shares trial{problem_.fixed.col(problem_.idle), Matrix<double>::Zero(problem_.neurons(), problem_.outputs()),
                         Vector::Zero(problem_.neurons())};
            double sum = 0;
            for (const int k : component) {
                share(k, component, shift, part, trial);
                sum += trial.value[k];
            }
            if (sum <= most) continue;
            most = sum;
            best = part;
        }
        return best;
    }

    // With ν a group of n, m of them mirrored, costs Σ_k α_k (2 ν·v_k − ‖ν‖²/2) more, with α_k = (n−m)/n for the mirrored
    // and m/n for the others, which is at least what α_k = 1 takes off where that is negative.
    void worked_out(int k, const Shift& shift, Shares& shares) const {
        shares.value[k] = worked_out_[k];
        const double more = 2 * shift.along[k] - shift.square / 2;
        if (more >= 0) return;
        shares.value[k] += more;
        shares.slope.row(k) = 2 * problem_.start.outgoing.row(k) - shift.nu.transpose();
        shares.stiffness[k] = 1;
    }

    // Shares of a group's cost that add up to it, from below: ‖v_k‖² and half of each pull, at the worst size; for
    // homogeneous σ half of a pair's cost or, as twice the incoming cost of a larger group is at least the mean over
    // its pairs, a fourth of the cost of the two least.
    void share(int k, const std::vector<int>& component, const Shift& shift, double part, Shares& shares) const {
        if (scaled()) {
            std::vector<double> angles;
            for (const int j : component)
                if (j != k) {
                    angles.push_back(pair_angle_cost(j, k));
                    shares.value[k] = std::min(shares.value[k], group_cost({j, k}, {}, shift).first / 2);
                }
            std::sort(angles.begin(), angles.end());
            if (angles.size() > 1) shares.value[k] = std::min(shares.value[k], (angles[0] + angles[1]) / 4);
            return;
        }
        std::vector<Pull> pulls;
        for (const int j : component)
            if (j != k) pulls.push_back(pull(j, k, shift, part));
        std::sort(pulls.begin(), pulls.end(), [](const Pull& a, const Pull& b) {
            return a.value != b.value ? a.value < b.value : a.other < b.other;
        });
        Vector slope = Vector::Zero(problem_.outputs());
        double sum = 0;
        int opposite = 0;
        for (std::size_t count = 1; count <= pulls.size(); ++count) {
            const Pull& last = pulls[count - 1];
            const double size = static_cast<double>(count + 1);
            sum += last.value;
            if (last.opposite && problem_.geometry.copies == Copies::mirrored) {
                slope += (problem_.start.outgoing.row(last.other) + problem_.start.outgoing.row(k)).transpose() - shift.nu;
                ++opposite;
            }
            const double value = part * problem_.silent_cost(k) + sum / (2 * size);
            if (value >= shares.value[k]) continue;
            shares.value[k] = value;
            shares.slope.row(k) = slope / size;
            shares.stiffness[k] = opposite / size;
        }
    }

    // The least distance² of w̃_j and w̃_k to a common ray.
    double pair_angle_cost(int j, int k) const {
        const double a = incoming_(j, j), b = incoming_(k, k), c = std::max(incoming_(j, k), 0.0);
        return (a + b - std::sqrt((a - b) * (a - b) + 4 * c * c)) / 2;
    }

    // Cost and n of one group; `sign` (±1 for each member, or empty for all +1) where σ allows signs.
    std::pair<double, std::vector<double>> group_cost(const std::vector<int>& members, const std::vector<double>& sign,
                                                      const Shift& shift) const {
        const int size = static_cast<int>(members.size());
        double incoming = 0;
        for (const int k : members) incoming += incoming_(k, k);
        if (scaled()) {
            Eigen::MatrixXd form(size, size);
            for (int a = 0; a < size; ++a)
                for (int b = 0; b < size; ++b)
                    form(a, b) = outgoing_(members[a], members[b]) - incoming_(members[a], members[b]);
            const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(form);
            Vector n = solver.eigenvectors().col(0);
            if (n.sum() < 0) n = -n;
            // A minimum over n ≥ 0 with some n_k = 0 is a smaller group, and the rest off.
            if (n.minCoeff() <= 0) return {infinity, {}};
            return {incoming + solver.eigenvalues()(0), {n.data(), n.data() + size}};
        }
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
                joint_out += (even() ? 1 : both) * outgoing_(members[a], members[b]);
            }
        }
        // ‖Σ n v̂‖² with v̂ = v − ν for the mirrored, so Σ n v̂ = Σ n v + mirrored/√|Z| ν.
        const double m = mirrored / std::sqrt(double(size));
        return {incoming + (joint_out - joint_in) / size + 2 * m * along + m * m * shift.square + paid, n};
    }

    // All partitions of up to largest_enumerated neurons, with all signs.
    Partition enumerate(const std::vector<int>& component, const Shift& shift, const Outputs& outputs, double dual) const {
        Partition best;
        std::vector<std::vector<int>> members;
        std::vector<std::vector<double>> sign;
        std::map<std::vector<int>, double> known;  // costs of scaled groups
        const auto cost = [&](std::size_t group) {
            if (members[group].size() == 1) return single(members[group][0]);
            if (!scaled()) return group_cost(members[group], sign[group], shift).first;
            const auto [entry, is_new] = known.try_emplace(members[group], 0);
            if (is_new) entry->second = group_cost(members[group], {}, shift).first;
            return entry->second;
        };
        const auto offer = [&] {
            double value = dual;
            for (std::size_t g = 0; g < members.size(); ++g) value += cost(g);
            if (value >= best.value) return;  // a lower bound where there are outputs
            std::vector<ZeroGroup> groups = chosen(members, sign, shift);
            if (outputs) {
                const Certified at_outputs = outputs(groups);
                const double idle = idle_cost(members, sign);
                best.lower = std::min(best.lower, idle + at_outputs.lower);
                value = idle + at_outputs.value;
            } else {
                best.lower = value;
            }
            if (value < best.value) best = {std::move(groups), value, best.lower, false};
        };
        const std::function<void(std::size_t)> place = [&](std::size_t next) {
            if (next == component.size()) return offer();
            for (std::size_t g = 0; g < members.size(); ++g)
                for (const double s : {1.0, -1.0}) {
                    if (s < 0 && !signs()) continue;
                    members[g].push_back(component[next]);
                    sign[g].push_back(s);
                    place(next + 1);
                    members[g].pop_back();
                    sign[g].pop_back();
                }
            members.push_back({component[next]});
            sign.push_back({1.0});
            place(next + 1);
            members.pop_back();
            sign.pop_back();
        };
        place(0);
        return best;
    }

    std::vector<ZeroGroup> chosen(const std::vector<std::vector<int>>& members,
                                  const std::vector<std::vector<double>>& sign, const Shift& shift) const {
        std::vector<ZeroGroup> groups;
        for (std::size_t g = 0; g < members.size(); ++g)
            if (members[g].size() > 1) groups.push_back({members[g], group_cost(members[g], sign[g], shift).second});
        return groups;
    }

    // What the groups cost by themselves, without a shift.
    double idle_cost(const std::vector<std::vector<int>>& members, const std::vector<std::vector<double>>& sign) const {
        const Shift none(*this, Vector::Zero(problem_.outputs()));
        double sum = 0;
        for (std::size_t g = 0; g < members.size(); ++g) {
            if (members[g].empty()) continue;
            sum += members[g].size() == 1 ? single(members[g][0]) : group_cost(members[g], sign[g], none).first;
        }
        return sum;
    }

    struct Cluster {
        std::vector<int> members;
        std::vector<double> sign;
        double cost;
    };

    // Two clusters made one, the second with sign s on it where that is better.
    Cluster joined(const Cluster& a, const Cluster& b, const Shift& shift) const {
        Cluster best{{}, {}, infinity};
        if (scaled() && a.members.size() + b.members.size() > largest_enumerated) return best;
        for (const double s : {1.0, -1.0}) {
            if (s < 0 && !signs()) continue;
            Cluster both = a;
            both.members.insert(both.members.end(), b.members.begin(), b.members.end());
            for (const double t : b.sign) both.sign.push_back(s * t);
            both.cost = group_cost(both.members, both.sign, shift).first;
            if (both.cost < best.cost) best = std::move(both);
        }
        return best;
    }

    Cluster lone(int k) const { return {{k}, {1.0}, single(k)}; }

    Cluster without(const Cluster& cluster, std::size_t a, const Shift& shift) const {
        Cluster rest = cluster;
        rest.members.erase(rest.members.begin() + a);
        rest.sign.erase(rest.sign.begin() + a);
        if (rest.members.size() > 1) rest.cost = group_cost(rest.members, rest.sign, shift).first;
        else rest.cost = rest.members.empty() ? 0 : single(rest.members[0]);
        return rest;
    }

    // Moves a member to another cluster, or exchanges two, as long as that is cheaper.
    void rearrange(std::vector<Cluster>& clusters, const Shift& shift) const {
        const double enough = 1e-12 * problem_.scale;
        const auto move = [&](std::size_t a, std::size_t b) {
            for (std::size_t i = 0; i < clusters[a].members.size(); ++i) {
                const Cluster left = without(clusters[a], i, shift), one = lone(clusters[a].members[i]);
                const Cluster more = clusters[b].members.empty() ? one : joined(clusters[b], one, shift);
                if (left.cost + more.cost < clusters[a].cost + clusters[b].cost - enough) {
                    clusters[a] = left;
                    clusters[b] = more;
                    return true;
                }
                for (std::size_t j = 0; a < b && j < clusters[b].members.size(); ++j) {
                    const Cluster other = lone(clusters[b].members[j]), rest = without(clusters[b], j, shift);
                    const Cluster first = left.members.empty() ? other : joined(left, other, shift);
                    if (first.cost >= clusters[a].cost + clusters[b].cost - enough) continue;
                    const Cluster second = rest.members.empty() ? one : joined(rest, one, shift);
                    if (first.cost + second.cost >= clusters[a].cost + clusters[b].cost - enough) continue;
                    clusters[a] = first;
                    clusters[b] = second;
                    return true;
                }
            }
            return false;
        };
        for (bool moved = true; moved;) {
            moved = false;
            for (std::size_t a = 0; a < clusters.size(); ++a)
                for (std::size_t b = 0; b < clusters.size(); ++b)
                    if (a != b && !clusters[a].members.empty()) moved |= move(a, b);
        }
    }

    // Too many for all partitions: join the two clusters that gain most, as long as any two do. Bounded by shares.
    Partition gather(const std::vector<int>& component, const Shift& shift, const Outputs& outputs, double dual) const {
        std::vector<Cluster> clusters;
        for (const int k : component) clusters.push_back(lone(k));
        const auto gain = [&](std::size_t a, std::size_t b) {
            return clusters[a].cost + clusters[b].cost - joined(clusters[a], clusters[b], shift).cost;
        };
        const std::size_t count = clusters.size();
        Eigen::MatrixXd gains = Eigen::MatrixXd::Constant(count, count, -infinity);  // of joining a < b
        for (std::size_t a = 0; a < count; ++a)
            for (std::size_t b = a + 1; b < count; ++b) gains(a, b) = gain(a, b);
        for (Index a, b; gains.maxCoeff(&a, &b) > 1e-14 * problem_.scale;) {
            clusters[a] = joined(clusters[a], clusters[b], shift);
            gains.row(b).setConstant(-infinity);
            gains.col(b).setConstant(-infinity);
            clusters[b] = {{}, {}, 0};
            for (Index other = 0; other < static_cast<Index>(count); ++other)
                if (other != a && !clusters[other].members.empty())
                    gains(std::min(a, other), std::max(a, other)) = gain(std::min(a, other), std::max(a, other));
        }
        rearrange(clusters, shift);
        std::vector<std::vector<int>> members;
        std::vector<std::vector<double>> sign;
        for (Cluster& cluster : clusters) {
            members.push_back(std::move(cluster.members));
            sign.push_back(std::move(cluster.sign));
        }
        Partition result{chosen(members, sign, shift), idle_cost(members, sign), dual, false};
        if (outputs) result.value += outputs(result.groups).value;
        const Shares least = shares(component, shift.nu);
        for (const int k : component) result.lower += least.value[k];
        return result;
    }

    const Problem& problem_;
    Eigen::MatrixXd incoming_, outgoing_;  // (m, m) Gram matrices
    Vector worked_out_;                    // (m)  shares that hold for any candidates
};

}  // namespace hessorbit::minima
