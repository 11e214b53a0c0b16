// The even-linear move for Python, in long double: its least squares are small, and take long to compile for each scalar.
#include "bindings.hpp"

#include <hessorbit/even_linear.hpp>

#include <utility>

namespace hessorbit::bindings {

namespace {

using Extended = long double;

// θ moved, and for each θ the remainder and the asymmetry of the move.
py::tuple flip_even_linear(const Network& network, Index layer, const std::vector<Index>& flipped,
                           const std::vector<Index>& linear, const std::vector<std::pair<Index, Index>>& pairs,
                           const Array<Extended>& theta) {
    std::vector<MirroredPair> mirrored;
    for (const auto& [plus, minus] : pairs) mirrored.push_back({plus, minus});
    const EvenLinearFlip<Extended> flip(network, layer, flipped, linear, mirrored);
    const Index p = network.num_parameters();
    const Batch<Extended> batch(theta, p);
    Array<Extended> moved = batch.result({p}), remainder = batch.result({}), asymmetry = batch.result({});
    Extended *data = moved.mutable_data(), *left = remainder.mutable_data(), *apart = asymmetry.mutable_data();
    {
        const LockReleased released;
        std::copy(batch.data, batch.data + batch.count * p, data);
        for (Index b = 0; b < batch.count; ++b) {
            const auto outcome = flip.act(data + b * p);
            left[b] = outcome.remainder, apart[b] = outcome.asymmetry;
        }
    }
    return py::make_tuple(moved, remainder, asymmetry);
}

}  // namespace

void register_even_linear(py::module_& module) {
    module.def("flip_even_linear", &flip_even_linear, py::arg("network"), py::arg("layer"), py::arg("flipped"),
               py::arg("linear"), py::arg("pairs"), py::arg("theta").noconvert());
}

}  // namespace hessorbit::bindings
