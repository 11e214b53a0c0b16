// Global minima of a student of m hidden neurons whose teacher has r: every student neuron plays one role.
//
//     copy of teacher i    w̃ = t w̃*_i, and over the copies of i  Σ t v = v*_i;   t = 1, t = ±1 or t ≥ 0, as σ allows
//     idle                 v = 0; or in a zero group: copies of one free w̃ with Σ t v = 0; or off: σ(w̃·x) = 0 for all x
//     constant             w = 0, and t v joins the output bias, t ∝ σ(b)
//
// with the output bias  c + Σ_constant t v + C Σ_mirrored v = c*  where σ(−z) = C − σ(z), mirrored copies have t = −1,
// and both t of constant neurons and C include the multiplier of the output layer.
// (Even σ: the sign is on w̃ alone.) Everything is in the student's coordinates; w̃ = (w, b), D entries, the bias last.
#pragma once

#include "../kernel/rows.hpp"
#include "response.hpp"

#include <optional>
#include <vector>

namespace hessorbit::minima {

using Vector = Eigen::VectorXd;

enum class Copies { plain, odd, even, mirrored, scaled };
enum class Constants { none, fixed, free };  // `fixed`: there is no bias, t ∝ σ(0)
enum class Off { never, zero, half_line };   // where σ vanishes: at 0 alone, or on z ≤ 0

// Teacher and activation: what does not depend on θ₀.
struct Geometry {
    Matrix<double> incoming;  // (r, D)
    Matrix<double> outgoing;  // (r, K)
    Copies copies;
    double mirror;  // C
    bool hidden_bias;
    Constants constants;
    Off off;
    std::optional<Bias> bias;  // of constant neurons

    bool couples_outputs() const { return constants != Constants::none || copies == Copies::mirrored; }
};

// Initial parameters, or those of a minimum.
struct Weights {
    Matrix<double> incoming;  // (m, D)
    Matrix<double> outgoing;  // (m, K)
    Vector output;            // (K)  output bias minus the teacher's; zero where there is none
};

struct Role {
    enum class Kind { copy, idle, constant } kind;
    int teacher;  // of a copy, else −1
    double sign;  // of a copy
};

// The costs of all roles for one θ₀.
class Problem {
public:
    Problem(const Geometry& geometry, const Weights& start) : geometry(geometry), start(start) {
        const bool signs = geometry.copies == Copies::odd || geometry.copies == Copies::mirrored;
        for (int i = 0; i < teachers(); ++i) {
            roles.push_back({Role::Kind::copy, i, 1});
            if (signs) roles.push_back({Role::Kind::copy, i, -1});
        }
        idle = static_cast<int>(roles.size());
        roles.push_back({Role::Kind::idle, -1, 0});
        if (geometry.constants != Constants::none) roles.push_back({Role::Kind::constant, -1, 0});
        targets = geometry.outgoing;
        if (geometry.copies == Copies::scaled)
            for (int i = 0; i < teachers(); ++i) targets.row(i) *= geometry.incoming.row(i).norm();
        place_costs();
    }

    int neurons() const { return static_cast<int>(start.incoming.rows()); }
    int teachers() const { return static_cast<int>(geometry.incoming.rows()); }
    int outputs() const { return static_cast<int>(start.outgoing.cols()); }
    int num_roles() const { return static_cast<int>(roles.size()); }

    // The weight of Σ v' of this role in the constraint of the output bias.
    double joins_outputs(const Role& role) const {
        if (role.kind == Role::Kind::constant) return 1;
        return geometry.copies == Copies::mirrored && role.sign < 0 ? geometry.mirror : 0;
    }

    // Weights of neuron k without the bias.
    auto weights(int k) const { return start.incoming.row(k).head(start.incoming.cols() - geometry.hidden_bias); }
    double bias(int k) const { return geometry.hidden_bias ? start.incoming(k, start.incoming.cols() - 1) : 0; }

    // Distance² to being alone among the idle: silent (v = 0), or off.
    double silent_cost(int k) const { return start.outgoing.row(k).squaredNorm(); }
    double off_cost(int k) const {
        if (geometry.off == Off::never) return infinity;
        const double b = geometry.off == Off::half_line ? std::max(bias(k), 0.0) : bias(k);
        return weights(k).squaredNorm() + b * b;
    }

    const Geometry& geometry;
    const Weights& start;
    std::vector<Role> roles;   // copies, idle, constant
    int idle;                  // the index of that role
    Matrix<double> targets;    // (r, K)  what Σ t v of the copies must be
    Matrix<double> fixed;      // (m, roles)  the part of a role's cost that nothing else changes
    Matrix<double> along;      // (m, r)  scaled copies: w̃·w̃*/‖w̃*‖; signed and even ones: the nearer sign
    double scale;              // the size of the sums of squares, to judge rounding by

private:
    void place_costs() {
        const int m = neurons(), r = teachers();
        fixed.setZero(m, num_roles());
        along.setOnes(m, r);
        for (int k = 0; k < m; ++k) {
            const auto w = start.incoming.row(k);
            for (int i = 0; i < r; ++i) {
                const auto teacher = geometry.incoming.row(i);
                if (geometry.copies == Copies::scaled) along(k, i) = w.dot(teacher) / teacher.norm();
                if (geometry.copies == Copies::even && w.dot(teacher) < 0) along(k, i) = -1;
            }
            for (int o = 0; o < num_roles(); ++o) {
                const Role& role = roles[o];
                if (role.kind == Role::Kind::constant) fixed(k, o) = weights(k).squaredNorm();
                if (role.kind == Role::Kind::idle) fixed(k, o) = std::min(silent_cost(k), off_cost(k));
                if (role.kind != Role::Kind::copy) continue;
                const auto teacher = geometry.incoming.row(role.teacher);
                const double x = along(k, role.teacher);
                fixed(k, o) = geometry.copies == Copies::scaled ? (w - x / teacher.norm() * teacher).squaredNorm()
                              : geometry.copies == Copies::even ? (w - x * teacher).squaredNorm()
                                                                : (w - role.sign * teacher).squaredNorm();
            }
        }
        scale = start.incoming.squaredNorm() + start.outgoing.squaredNorm() + start.output.squaredNorm() +
                geometry.incoming.squaredNorm() + geometry.outgoing.squaredNorm();
    }
};

}  // namespace hessorbit::minima
