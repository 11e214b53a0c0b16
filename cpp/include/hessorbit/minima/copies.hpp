// What a neuron may be at a global minimum: the kinds of copies that activations allow, one traits entry each, and the
// codes of the other roles.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace hessorbit::minima {

enum class CopyKind { plain, odd, even, mirrored, scaled, scaled_even };

// A copy has incoming weights t w̃*, and the outgoing weights of all copies satisfy Σ t v = v* (Σ |t| v = v* where the
// sign is on the incoming weights alone). Members of a zero group are copies of a free neuron, with v* = 0.
struct CopyTraits {
    CopyKind kind;
    std::string_view name;        // as Python says it
    std::string_view pieces;      // as results say it
    bool signs = false;           // t may be negative
    bool outgoing_signs = false;  // the sign of t is on the outgoing weights too
    bool scales = false;          // |t| may be any number; else it is 1
    bool shifts_outputs = false;  // σ(−z) = C − σ(z): a copy with t < 0 adds C v to the output bias

    // The factor of v in the sum over copies.
    constexpr double on_outgoing(double t) const { return outgoing_signs || t >= 0 ? t : -t; }
};

inline constexpr std::array<CopyTraits, 6> copy_table{{
    {.kind = CopyKind::plain, .name = "plain", .pieces = "copies"},
    {.kind = CopyKind::odd, .name = "odd", .pieces = "signed copies", .signs = true, .outgoing_signs = true},
    {.kind = CopyKind::even, .name = "even", .pieces = "copies with signed incoming weights", .signs = true},
    {.kind = CopyKind::mirrored,
     .name = "mirrored",
     .pieces = "copies, mirrored ones included",
     .signs = true,
     .outgoing_signs = true,
     .shifts_outputs = true},
    {.kind = CopyKind::scaled, .name = "scaled", .pieces = "scaled copies", .scales = true},
    {.kind = CopyKind::scaled_even,
     .name = "scaled_even",
     .pieces = "copies scaled by any number",
     .signs = true,
     .scales = true},
}};

static_assert([] {
    for (std::size_t i = 0; i < copy_table.size(); ++i)
        if (static_cast<std::size_t>(copy_table[i].kind) != i) return false;
    return true;
}());

constexpr const CopyTraits& traits(CopyKind kind) { return copy_table[static_cast<std::size_t>(kind)]; }

// What a neuron does that copies no teacher neuron; a copy has the number of its teacher neuron, 0 or more.
enum class NeuronRole : int {
    silent = -1,    // v = 0, or in a zero group
    off = -2,       // σ(w̃·x) = 0 for all x
    constant = -3,  // w = 0
};

}  // namespace hessorbit::minima
