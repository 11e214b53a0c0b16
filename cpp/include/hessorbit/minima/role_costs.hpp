// Global minima of a student of m hidden neurons whose teacher has r: every student neuron plays one role.
//
//     copy of teacher i    w̃ = t w̃*_i, and over the copies of i  Σ t v = v*_i;   which t, say the traits of copies
//     idle                 v = 0; or in a zero group: copies of a free w̃ with Σ t v = 0; or off: σ(w̃·x) = 0 for all x
//     constant             w = 0, and t v joins the outputs, t ∝ σ(b)
//
// with the output bias  c + Σ_constant t v + C Σ_mirrored v = c*  where σ(−z) = C − σ(z), mirrored copies have t = −1,
// and both t of constant neurons and C include the multiplier of the output layer. Without an output bias the same sum
// is to be 0.
//
// Everything is in the student's coordinates; w̃ = (w, b), D entries, the bias last.
#pragma once

#include "../kernel/rows.hpp"
#include "copies.hpp"
#include "response.hpp"

#include <algorithm>
#include <optional>
#include <vector>

namespace hessorbit::minima {

using Vector = Eigen::VectorXd;

enum class Constants { none, fixed, free };  // `fixed`: there is no bias, t ∝ σ(0)
enum class Off { never, zero, half_line };   // where σ vanishes: at 0 alone, or on z ≤ 0

// Teacher and activation: what does not depend on θ₀.
struct Geometry {
    Matrix<double> incoming;  // (r, D)
    Matrix<double> outgoing;  // (r, K)
    CopyTraits copies;
    double mirror;  // C
    bool hidden_bias, output_bias;
    Constants constants;
    Off off;
    std::optional<Bias> bias;  // of constant neurons

    bool couples_outputs() const { return constants != Constants::none || copies.shifts_outputs; }

    // How much the output bias gives way to the sum at it: as one constant neuron of t = 1, or not at all.
    double output_give() const { return output_bias ? 1 : 0; }
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
    double sign;  // of a copy: −1 or 1; 1 where the nearer sign is taken, as outgoing weights do not feel it
};

// What each role costs each neuron for one θ₀, as far as nothing else changes it.
class RoleCosts {
public:
    RoleCosts(const Geometry& geometry, const Weights& start) : geometry(geometry), start(start) {
        for (int i = 0; i < teachers(); ++i) {
            roles.push_back({Role::Kind::copy, i, 1});
            if (copies().outgoing_signs) roles.push_back({Role::Kind::copy, i, -1});
        }
        idle = static_cast<int>(roles.size());
        roles.push_back({Role::Kind::idle, -1, 0});
        if (geometry.constants != Constants::none) roles.push_back({Role::Kind::constant, -1, 0});
        targets = geometry.outgoing;
        if (copies().scales)
            for (int i = 0; i < teachers(); ++i) targets.row(i) *= geometry.incoming.row(i).norm();
        place_costs();
    }

    const CopyTraits& copies() const { return geometry.copies; }
    int neurons() const { return static_cast<int>(start.incoming.rows()); }
    int teachers() const { return static_cast<int>(geometry.incoming.rows()); }
    int outputs() const { return static_cast<int>(start.outgoing.cols()); }
    int num_roles() const { return static_cast<int>(roles.size()); }

    // The weight of Σ v' of this role in the constraint at the output bias.
    double joins_outputs(const Role& role) const {
        if (role.kind == Role::Kind::constant) return 1;
        return copies().shifts_outputs && role.sign < 0 ? geometry.mirror : 0;
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
    double alone(int k) const { return fixed(k, idle); }

    const Geometry& geometry;
    const Weights& start;
    std::vector<Role> roles;  // copies, idle, constant
    int idle;                 // the index of that role
    Matrix<double> targets;   // (r, K)  what Σ t v of the copies must be
    Matrix<double> fixed;     // (m, roles)  the part of a role's cost that nothing else changes
    Matrix<double> side;      // (m, r)  the sign of a copy that is nearer, where σ allows both; else 1
    Matrix<double> along;     // (m, r)  side · w̃·w̃*/‖w̃*‖
    double scale;             // the size of the sums of squares, to judge rounding by

private:
    void place_costs() {
        const int m = neurons(), r = teachers();
        fixed.setZero(m, num_roles());
        side.setOnes(m, r);
        along.setZero(m, r);
        for (int k = 0; k < m; ++k) {
            const auto w = start.incoming.row(k);
            for (int i = 0; i < r; ++i) {
                const auto teacher = geometry.incoming.row(i);
                if (copies().signs && w.dot(teacher) < 0) side(k, i) = -1;
                along(k, i) = side(k, i) * w.dot(teacher) / teacher.norm();
            }
            for (int o = 0; o < num_roles(); ++o) {
                const Role& role = roles[o];
                if (role.kind == Role::Kind::constant) fixed(k, o) = weights(k).squaredNorm();
                if (role.kind == Role::Kind::idle) fixed(k, o) = std::min(silent_cost(k), off_cost(k));
                if (role.kind != Role::Kind::copy) continue;
                const auto teacher = geometry.incoming.row(role.teacher);
                const double sign = copies().outgoing_signs ? role.sign : side(k, role.teacher);
                const double t = copies().scales ? along(k, role.teacher) / teacher.norm() : 1;
                fixed(k, o) = (w - sign * t * teacher).squaredNorm();
            }
        }
        scale = start.incoming.squaredNorm() + start.outgoing.squaredNorm() + start.output.squaredNorm() +
                geometry.incoming.squaredNorm() + geometry.outgoing.squaredNorm();
    }
};

}  // namespace hessorbit::minima
